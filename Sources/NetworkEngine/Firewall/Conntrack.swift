import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import Netlink
import Rtnetlink
import SystemPackage

/// Connections that the kernel tracks and that a change of ports has made wrong.
///
/// Translation is decided by a connection's first packet. UDP has no end, so a client that goes on sending keeps its
/// "connection" and is led to the port's former owner, or to nobody, until it pauses for half a minute (moby pull
/// request 44742). Equivalent to `conntrack -D -p udp --orig-port-dst PORT`.
enum Conntrack {
    /// Forgets the UDP connections that a change concerns: those led to a removed target, and those to an added port of
    /// this host that were led nowhere. Best effort: the change has been made, and entries expire by themselves.
    static func forget(_ change: FirewallChange, _ links: inout Rtnetlink) {
        let removed = change.removed.compactMap(Publication.init)
        let added = change.added.compactMap(Publication.init)
        if removed.isEmpty && added.isEmpty { return }
        var local: Set<IPAddress> = []
        if !added.isEmpty, let addresses = try? links.addresses() { local = Set(addresses.map(\.prefix.address)) }
        guard var socket = try? NetlinkSocket(.netfilter),
            let entries = try? list(&socket, onePort: onePort(removed + added))
        else { return }
        let stale = entries.filter { entry in
            removed.contains { $0.ports.contains(entry.port) && $0.target == entry.answerer }
                || added.contains { $0.ports.contains(entry.port) && $0.target != entry.answerer }
                    && (local.contains(entry.destination) || entry.destination.isLoopback)
        }
        _ = try? socket.exchange(stale.map(\.deletion))
    }

    private struct Publication {
        var ports: ClosedRange<UInt16>
        var target: IPAddress

        init?(_ element: FirewallElement) {
            guard case .published(let mapping, let target, _) = element, mapping.transport == .udp else { return nil }
            ports = mapping.hostPorts.ports
            self.target = target
        }
    }

    private static func onePort(_ publications: [Publication]) -> UInt16? {
        guard let first = publications.first, first.ports.count == 1,
            publications.allSatisfy({ $0.ports == first.ports })
        else { return nil }
        return first.ports.lowerBound
    }

    /// A tracked UDP connection.
    private struct Entry {
        /// Where the first packet was sent.
        var destination: IPAddress
        var port: UInt16
        /// Who answers.
        var answerer: IPAddress
        var deletion: NetlinkRequest

        init?(_ message: NetlinkMessage) {
            guard let header = message.header(nfgenmsg.self) else { return nil }
            let attributes = message.attributes(after: nfgenmsg.self)
            let original = attributes.nested(Int(CTA_TUPLE_ORIG.rawValue))
            let transport = original.nested(Int(CTA_TUPLE_PROTO.rawValue))
            guard transport.u8(Int(CTA_PROTO_NUM.rawValue)) == UInt8(IPPROTO_UDP),
                let port = transport.u16(Int(CTA_PROTO_DST_PORT.rawValue)),
                let destination = Self.address(original, Int(CTA_IP_V4_DST.rawValue), Int(CTA_IP_V6_DST.rawValue)),
                let answerer = Self.address(
                    attributes.nested(Int(CTA_TUPLE_REPLY.rawValue)), Int(CTA_IP_V4_SRC.rawValue),
                    Int(CTA_IP_V6_SRC.rawValue)),
                let tuple = attributes.bytes(Int(CTA_TUPLE_ORIG.rawValue))
            else { return nil }
            self.port = UInt16(bigEndian: port)
            self.destination = destination
            self.answerer = answerer
            var deletion = Conntrack.message(IPCTNL_MSG_CT_DELETE, family: header.nfgen_family)
            deletion.put(Int(CTA_TUPLE_ORIG.rawValue) | Int(NLA_F_NESTED), tuple)
            // The kernel deletes the entry only when it is still the same.
            for type in [Int(CTA_ZONE.rawValue), Int(CTA_ID.rawValue)] {
                if let bytes = attributes.bytes(type) { deletion.put(type, bytes) }
            }
            self.deletion = NetlinkRequest(deletion, "forget connection to", "\(destination)")
        }

        private static func address(_ tuple: Attributes, _ v4: Int, _ v6: Int) -> IPAddress? {
            let addresses = tuple.nested(Int(CTA_TUPLE_IP.rawValue))
            return (addresses[v4] ?? addresses[v6]).flatMap { IPAddress(bytes: $0.payload) }
        }
    }

    private static func message(_ type: cntl_msg_types, family: UInt8) -> MessageBuilder {
        var message = MessageBuilder(type: Int(NFNL_SUBSYS_CTNETLINK) << 8 | Int(type.rawValue))
        message.put(header: nfgenmsg(nfgen_family: family, version: UInt8(NFNETLINK_V0), res_id: 0))
        return message
    }

    /// Bits of `CTA_FILTER_ORIG_FLAGS` (net/netfilter/nf_internals.h): no header of user space has them.
    private static let byProtocol: UInt32 = 1 << 3
    private static let byDestinationPort: UInt32 = 1 << 5

    private static func list(_ socket: inout NetlinkSocket, onePort port: UInt16?) throws -> [Entry] {
        var filtered = message(IPCTNL_MSG_CT_GET, family: UInt8(AF_UNSPEC))
        filtered.nest(Int(CTA_TUPLE_ORIG.rawValue)) { tuple in
            tuple.nest(Int(CTA_TUPLE_PROTO.rawValue)) { transport in
                transport.put(Int(CTA_PROTO_NUM.rawValue), UInt8(IPPROTO_UDP))
                if let port { transport.put(Int(CTA_PROTO_DST_PORT.rawValue), port.bigEndian) }
            }
        }
        filtered.nest(Int(CTA_FILTER.rawValue)) { filter in
            filter.put(Int(CTA_FILTER_ORIG_FLAGS.rawValue), byProtocol | (port == nil ? 0 : byDestinationPort))
        }
        let all = message(IPCTNL_MSG_CT_GET, family: UInt8(AF_UNSPEC))
        let messages: [NetlinkMessage]
        do {
            messages = try socket.dump(NetlinkRequest(filtered, "list", "connections"))
        } catch {
            // Filters came with Linux 5.8.
            messages = try socket.dump(NetlinkRequest(all, "list", "connections"))
        }
        return messages.compactMap(Entry.init)
    }
}
