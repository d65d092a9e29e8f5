public import Addressing
import CLinux
import CNftnl
import Netlink

/// A connection that the kernel tracks: what its first packet was, and what was made of it.
///
/// Source: net/netfilter/nf_conntrack_netlink.c. Equivalent to a line of `conntrack -L`.
public struct TrackedConnection: Hashable, Sendable {
    /// Who sends what to whom, in one direction.
    public struct Tuple: Hashable, Sendable {
        public var source: IPAddress
        public var destination: IPAddress
        public var transport: InternetProtocol
        /// nil where the transport has none.
        public var sourcePort: UInt16?
        public var destinationPort: UInt16?
    }

    /// What the first packet said.
    public var original: Tuple
    /// What an answer says when it comes: after translation its source is who answers.
    public var reply: Tuple
    public var status: ConntrackStatus
    /// Seconds until it is forgotten, unless a packet comes.
    public var timeout: UInt32
    public var mark: UInt32
    /// Connections of different zones do not meet; 0 unless a rule says otherwise.
    public var zone: UInt16
    /// The kernel's number, drawn from the connection's place in memory: another of the same addresses and ports has
    /// another one, unless it got the same place.
    public var identifier: UInt32
    /// The original tuple as the kernel sent it: of ICMP it holds more than there are words for here.
    let encodedOriginal: [UInt8]
}

extension TrackedConnection: CustomStringConvertible {
    public var description: String { "\(original)" }
}

extension TrackedConnection.Tuple: CustomStringConvertible {
    /// `udp 10.0.0.1 port 4000 to 10.0.0.2 port 53`.
    public var description: String {
        func end(_ address: IPAddress, _ port: UInt16?) -> String { "\(address)" + (port.map { " port \($0)" } ?? "") }
        return "\(transport) \(end(source, sourcePort)) to \(end(destination, destinationPort))"
    }
}

extension TrackedConnection {
    /// Reads an `IPCTNL_MSG_CT_NEW`; its numbers are in network order.
    init?(_ message: NetlinkMessage) {
        let attributes = message.attributes(after: nfgenmsg.self)
        guard message.type >> 8 == Int(NFNL_SUBSYS_CTNETLINK),
            let original = Tuple(attributes.nested(Int(CTA_TUPLE_ORIG.rawValue))),
            let reply = Tuple(attributes.nested(Int(CTA_TUPLE_REPLY.rawValue))),
            let encoded = attributes.bytes(Int(CTA_TUPLE_ORIG.rawValue))
        else { return nil }
        func number(_ attribute: ctattr_type) -> UInt32 {
            attributes.u32(Int(attribute.rawValue)).map(UInt32.init(bigEndian:)) ?? 0
        }
        self.original = original
        self.reply = reply
        encodedOriginal = encoded
        status = ConntrackStatus(rawValue: number(CTA_STATUS))
        timeout = number(CTA_TIMEOUT)
        mark = number(CTA_MARK)
        zone = attributes.u16(Int(CTA_ZONE.rawValue)).map(UInt16.init(bigEndian:)) ?? 0
        identifier = number(CTA_ID)
    }
}

extension TrackedConnection.Tuple {
    init?(_ attributes: Attributes) {
        let addresses = attributes.nested(Int(CTA_TUPLE_IP.rawValue))
        let transport = attributes.nested(Int(CTA_TUPLE_PROTO.rawValue))
        func address(_ v4: ctattr_ip, _ v6: ctattr_ip) -> IPAddress? {
            (addresses[Int(v4.rawValue)] ?? addresses[Int(v6.rawValue)]).flatMap { IPAddress(bytes: $0.payload) }
        }
        guard let source = address(CTA_IP_V4_SRC, CTA_IP_V6_SRC),
            let destination = address(CTA_IP_V4_DST, CTA_IP_V6_DST), source.family == destination.family,
            let number = transport.u8(Int(CTA_PROTO_NUM.rawValue))
        else { return nil }
        self.source = source
        self.destination = destination
        self.transport = InternetProtocol(rawValue: number)
        sourcePort = transport.u16(Int(CTA_PROTO_SRC_PORT.rawValue)).map(UInt16.init(bigEndian:))
        destinationPort = transport.u16(Int(CTA_PROTO_DST_PORT.rawValue)).map(UInt16.init(bigEndian:))
    }
}
