import Addressing
import CLinux
import CNftnl
public import LinuxSystem
import Netlink
import SystemPackage

/// The connections that are tracked in one network namespace: that in which the value was made.
public struct ConntrackSocket: ~Copyable, Sendable {
    private var socket: NetlinkSocket

    /// The calling thread's network namespace.
    public init() throws(NftablesError) {
        socket = try .netfilter()
    }

    /// Another network namespace.
    ///
    /// - Throws: `NftablesError`, or `SystemError` when the namespace cannot be entered.
    public init(in namespace: borrowing Namespace) throws {
        socket = try .netfilter(in: namespace)
    }

    /// How many connections are tracked: whether a list, which costs a walk through the whole table, is worth it.
    /// Equivalent to `conntrack -C`.
    public mutating func count() throws(NftablesError) -> Int {
        let request = Self.message(IPCTNL_MSG_CT_GET_STATS, nil)
        do throws(NetlinkError) {
            let answers = try socket.get(NetlinkRequest(request, "count", "connections"))
            let entries = answers.lazy.compactMap {
                $0.attributes(after: nfgenmsg.self)[Int(CTA_STATS_GLOBAL_ENTRIES.rawValue)]?.u32
            }.first
            guard let entries else { throw NetlinkError("count", "connections", errno: .noData) }
            return Int(UInt32(bigEndian: entries))
        } catch {
            throw NftablesError(error)
        }
    }

    /// The tracked connections that are meant, of both families.
    /// Equivalent to `conntrack -L -p $transport --orig-port-dst $port …`.
    public mutating func connections(
        _ filter: ConntrackFilter = ConntrackFilter()
    ) throws(NftablesError) -> [TrackedConnection] {
        guard !filter.contradicts else { return [] }
        var messages: [NetlinkMessage]
        var request = Self.message(IPCTNL_MSG_CT_GET, filter.family)
        filter.put(in: &request)
        do throws(NetlinkError) {
            do throws(NetlinkError) {
                messages = try socket.dump(NetlinkRequest(request, "list", "connections"))
            } catch {
                // Filters came with Linux 5.8.
                guard error.errno != .notPermitted else { throw error }
                let all = Self.message(IPCTNL_MSG_CT_GET, nil)
                messages = try socket.dump(NetlinkRequest(all, "list", "connections"))
            }
        } catch {
            throw NftablesError(error)
        }
        // A kernel without filters, or without this one, tells more.
        return messages.compactMap(TrackedConnection.init).filter { filter.matches($0.original) }
    }

    /// Forgets connections, and returns how many: one that has ended meanwhile, or that is another one of the same
    /// addresses and ports, is not among them. The next packet of a forgotten one is as a first.
    /// Equivalent to `conntrack -D -p $transport -s $source -d $destination --sport $port --dport $port`.
    @discardableResult
    public mutating func delete(_ connections: [TrackedConnection]) throws(NftablesError) -> Int {
        do throws(NetlinkError) {
            var count = 0
            for answer in try socket.exchange(connections.map(Self.deletion)) {
                if let error = answer.error {
                    guard error.errno == .noSuchFileOrDirectory else { throw error }
                } else {
                    count += 1
                }
            }
            return count
        } catch {
            throw NftablesError(error)
        }
    }

    private static func deletion(_ connection: TrackedConnection) -> NetlinkRequest {
        var message = message(IPCTNL_MSG_CT_DELETE, connection.original.source.family)
        message.put(Int(CTA_TUPLE_ORIG.rawValue) | Int(NLA_F_NESTED), connection.encodedOriginal)
        if connection.zone != 0 { message.put(Int(CTA_ZONE.rawValue), connection.zone.bigEndian) }
        // The kernel deletes it only when it is still the same.
        message.put(Int(CTA_ID.rawValue), connection.identifier.bigEndian)
        return NetlinkRequest(message, "forget connection", "\(connection)")
    }

    private static func message(_ type: cntl_msg_types, _ family: IPFamily?) -> MessageBuilder {
        let number: Int32 =
            switch family {
            case .v4: AF_INET
            case .v6: AF_INET6
            case nil: AF_UNSPEC
            }
        var message = MessageBuilder(type: Int(NFNL_SUBSYS_CTNETLINK) << 8 | Int(type.rawValue))
        message.put(header: nfgenmsg(nfgen_family: UInt8(number), version: UInt8(NFNETLINK_V0), res_id: 0))
        return message
    }
}
