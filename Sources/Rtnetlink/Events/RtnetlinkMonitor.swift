import CLinux
public import LinuxSystem
public import Netlink
import SystemPackage

/// What happens to the links, addresses, routes and neighbours of one network namespace, as it happens.
///
/// Listen first and list afterwards: then nothing is missed between the two.
/// Equivalent to `ip monitor link address route neigh rule netconf`.
public struct RtnetlinkMonitor: ~Copyable, Sendable {
    /// What is listened to.
    public struct Topics: OptionSet, Hashable, Sendable {
        public var rawValue: UInt32

        public init(rawValue: UInt32) { self.rawValue = rawValue }

        public static let links = Topics(rawValue: 1)
        public static let addresses = Topics(rawValue: 2)
        public static let routes = Topics(rawValue: 4)
        /// Neighbours, and the forwarding tables of bridges and VXLANs.
        public static let neighbours = Topics(rawValue: 8)
        public static let rules = Topics(rawValue: 16)
        public static let trafficControl = Topics(rawValue: 32)
        /// Forwarding, by link and by all.
        public static let forwardingSwitches = Topics(rawValue: 64)
        public static let all: Topics = [
            .links, .addresses, .routes, .neighbours, .rules, .trafficControl, .forwardingSwitches,
        ]

        var groups: [rtnetlink_groups] {
            [
                (Topics.links, [RTNLGRP_LINK]), (.addresses, [RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR]),
                (.routes, [RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE]), (.neighbours, [RTNLGRP_NEIGH]),
                (.rules, [RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE]), (.trafficControl, [RTNLGRP_TC]),
                (.forwardingSwitches, [RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF]),
            ].flatMap { contains($0.0) ? $0.1 : [] }
        }
    }

    /// Room for some thousand events.
    public static let defaultReceiveBuffer = 4 << 20

    private let socket: NetlinkSocket

    /// Listens in the calling thread's network namespace.
    ///
    /// - Parameter receiveBuffer: Bytes of events that wait at most until they are read.
    public init(
        _ topics: Topics = .all, receiveBuffer: Int = RtnetlinkMonitor.defaultReceiveBuffer
    ) throws(NetlinkError) {
        socket = try Self.listening(try NetlinkSocket(.route), topics, receiveBuffer)
    }

    /// Listens in another network namespace.
    ///
    /// - Throws: `NetlinkError`, or `SystemError` when the namespace cannot be entered.
    public init(
        _ topics: Topics = .all, in namespace: borrowing Namespace,
        receiveBuffer: Int = RtnetlinkMonitor.defaultReceiveBuffer
    ) throws {
        socket = try Self.listening(try NetlinkSocket(.route, in: namespace), topics, receiveBuffer)
    }

    /// Listens in the calling thread's network namespace, and in every other one that it has an id for.
    ///
    /// - Parameter receiveBuffer: Bytes of events that wait at most until they are read.
    public init(
        inEveryNamespace topics: Topics, receiveBuffer: Int = RtnetlinkMonitor.defaultReceiveBuffer
    ) throws(NetlinkError) {
        let listening = try Self.listening(try NetlinkSocket(.route), topics, receiveBuffer)
        try listening.listenToAllNamespaces()
        socket = listening
    }

    private static func listening(
        _ socket: consuming NetlinkSocket, _ topics: Topics, _ receiveBuffer: Int
    ) throws(NetlinkError) -> NetlinkSocket {
        socket.setReceiveBuffer(receiveBuffer)
        for group in topics.groups { try socket.join(group: group.rawValue) }
        return socket
    }

    /// The descriptor's number, for `poll`: readable when an event is there. Never close it or keep it past the
    /// monitor's life.
    public var pollDescriptor: Int32 { socket.pollDescriptor }

    /// The events that are there, in order; empty when there are none. It never waits.
    ///
    /// - Throws: `NetlinkError`, but not when events were lost: that is an event.
    public func next() throws(NetlinkError) -> [RtnetlinkEvent] {
        do throws(NetlinkError) {
            while true {
                let messages = try socket.receiveEvents()
                let events = messages.compactMap(RtnetlinkEvent.init)
                // Messages that say nothing here must not look like the end.
                if !events.isEmpty || messages.isEmpty { return events }
            }
        } catch {
            guard error.errno == .noBufferSpace else { throw error }
            return [.resyncNeeded]
        }
    }

    /// As `next`, with the id of the namespace that the events are from (`Rtnetlink.namespaceIdentifier`); nil for the
    /// monitor's own.
    public func nextOfNamespace() throws(NetlinkError) -> (namespace: Int32?, events: [RtnetlinkEvent]) {
        do throws(NetlinkError) {
            while true {
                let (namespace, messages) = try socket.receiveEventsOfNamespace()
                let events = messages.compactMap(RtnetlinkEvent.init)
                if !events.isEmpty || messages.isEmpty { return (namespace, events) }
            }
        } catch {
            guard error.errno == .noBufferSpace else { throw error }
            return (nil, [.resyncNeeded])
        }
    }
}
