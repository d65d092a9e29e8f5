import CLinux
import CNftnl
public import LinuxSystem
import Netlink
import SystemPackage

/// What happens to the nftables of one network namespace, or to packets that are traced there, as it happens.
///
/// Listen first and list afterwards: then nothing is missed between the two.
/// Equivalent to `nft monitor`, `nft monitor trace`.
public struct NftablesMonitor: ~Copyable, Sendable {
    /// What is listened to.
    public struct Topics: OptionSet, Hashable, Sendable {
        public var rawValue: UInt32

        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// Changes of tables, chains, rules, sets and elements.
        public static let changes = Topics(rawValue: 1)
        /// The steps of traced packets.
        public static let traces = Topics(rawValue: 2)
    }

    /// Room for some thousand events.
    public static let defaultReceiveBuffer = 4 << 20

    private let socket: NetlinkSocket

    /// Listens in the calling thread's network namespace.
    ///
    /// - Parameter receiveBuffer: Bytes of events that wait at most until they are read.
    public init(
        _ topics: Topics, receiveBuffer: Int = NftablesMonitor.defaultReceiveBuffer
    ) throws(NftablesError) {
        do throws(NetlinkError) {
            socket = try Self.listening(try NetlinkSocket(.netfilter), topics, receiveBuffer)
        } catch {
            throw NftablesError(error)
        }
    }

    /// Listens in another network namespace.
    ///
    /// - Throws: `NftablesError`, or `SystemError` when the namespace cannot be entered.
    public init(
        _ topics: Topics, in namespace: borrowing Namespace, receiveBuffer: Int = NftablesMonitor.defaultReceiveBuffer
    ) throws {
        do {
            socket = try Self.listening(try NetlinkSocket(.netfilter, in: namespace), topics, receiveBuffer)
        } catch let error as NetlinkError {
            throw NftablesError(error)
        }
    }

    private static func listening(
        _ socket: consuming NetlinkSocket, _ topics: Topics, _ receiveBuffer: Int
    ) throws(NetlinkError) -> NetlinkSocket {
        socket.setReceiveBuffer(receiveBuffer)
        if topics.contains(.changes) { try socket.join(group: NFNLGRP_NFTABLES.rawValue) }
        if topics.contains(.traces) { try socket.join(group: NFNLGRP_NFTRACE.rawValue) }
        return socket
    }

    /// The descriptor's number, for `poll`: readable when an event is there. Never close it or keep it past the
    /// monitor's life.
    public var pollDescriptor: Int32 { socket.pollDescriptor }

    /// The events that are there, in order; empty when there are none. It never waits.
    ///
    /// - Throws: `NftablesError`, but not when events were lost: that is an event.
    public func next() throws(NftablesError) -> [NftablesEvent] {
        while true {
            let messages: [NetlinkMessage]
            do throws(NetlinkError) {
                messages = try socket.receiveEvents()
            } catch {
                guard error.errno == .noBufferSpace else { throw NftablesError(error) }
                return [.resyncNeeded]
            }
            var events: [NftablesEvent] = []
            for message in messages {
                if let event = try NftablesEvent.read(message) { events.append(event) }
            }
            // Messages that say nothing here must not look like the end.
            if !events.isEmpty || messages.isEmpty { return events }
        }
    }
}
