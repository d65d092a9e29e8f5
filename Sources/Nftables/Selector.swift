import CLinux
import CNftnl

/// A property of a packet that a rule loads and compares, looks up or translates to: `ip daddr`, `iifname`, `ct state`.
///
/// The words are those of nft's syntax. What a selector needs first (`ip daddr` in an inet table: that the packet is
/// IPv4; `tcp dport`: that it is TCP) is matched implicitly, as `nft` does it.
public struct Selector: Hashable, Sendable {
    enum Source: Hashable, Sendable {
        case payload(Expression.PayloadBase, offset: UInt32)
        case meta(UInt32)
        case conntrack(UInt32)
        case fib(flags: UInt32)
    }

    let source: Source
    let type: DataType
    /// The `meta nfproto` that a packet must have.
    var network: Family?
    /// The `meta l4proto` that a packet must have.
    var transport: InternetProtocol?
    let name: String

    init(
        _ name: String, _ source: Source, _ type: DataType, network: Family? = nil, transport: InternetProtocol? = nil
    ) {
        self.name = name
        self.source = source
        self.type = type
        self.network = network
        self.transport = transport
    }
}

extension Selector: CustomStringConvertible {
    public var description: String { name }
}

extension [Selector] {
    var types: [DataType] { map(\.type) }
    var text: String { map(\.name).joined(separator: " . ") }
}

// MARK: Headers

extension Selector {
    public enum IPField: Sendable { case saddr, daddr, `protocol` }
    public enum IP6Field: Sendable { case saddr, daddr, nexthdr }
    public enum PortField: Sendable { case sport, dport }
    public enum TCPField: Sendable { case sport, dport, flags }
    public enum EtherField: Sendable { case saddr, daddr, type }

    /// A field of the IPv4 header (RFC 791).
    public static func ip(_ field: IPField) -> Selector {
        switch field {
        case .saddr: Selector("ip saddr", .payload(.network, offset: 12), .ipv4Addr, network: .ip)
        case .daddr: Selector("ip daddr", .payload(.network, offset: 16), .ipv4Addr, network: .ip)
        case .protocol: Selector("ip protocol", .payload(.network, offset: 9), .inetProto, network: .ip)
        }
    }

    /// A field of the IPv6 header (RFC 8200).
    public static func ip6(_ field: IP6Field) -> Selector {
        switch field {
        case .saddr: Selector("ip6 saddr", .payload(.network, offset: 8), .ipv6Addr, network: .ip6)
        case .daddr: Selector("ip6 daddr", .payload(.network, offset: 24), .ipv6Addr, network: .ip6)
        case .nexthdr: Selector("ip6 nexthdr", .payload(.network, offset: 6), .inetProto, network: .ip6)
        }
    }

    /// A port of whatever transport the packet has: TCP, UDP, SCTP and DCCP have them at the same place.
    public static func th(_ field: PortField) -> Selector {
        switch field {
        case .sport: Selector("th sport", .payload(.transport, offset: 0), .inetService)
        case .dport: Selector("th dport", .payload(.transport, offset: 2), .inetService)
        }
    }

    /// A field of the TCP header (RFC 9293).
    public static func tcp(_ field: TCPField) -> Selector {
        switch field {
        case .sport: Selector("tcp sport", .payload(.transport, offset: 0), .inetService, transport: .tcp)
        case .dport: Selector("tcp dport", .payload(.transport, offset: 2), .inetService, transport: .tcp)
        case .flags: Selector("tcp flags", .payload(.transport, offset: 13), .tcpFlag, transport: .tcp)
        }
    }

    /// A port of the UDP header (RFC 768).
    public static func udp(_ field: PortField) -> Selector {
        switch field {
        case .sport: Selector("udp sport", .payload(.transport, offset: 0), .inetService, transport: .udp)
        case .dport: Selector("udp dport", .payload(.transport, offset: 2), .inetService, transport: .udp)
        }
    }

    /// The type of an ICMP message (RFC 792).
    public static let icmpType = Selector(
        "icmp type", .payload(.transport, offset: 0), .icmpType, network: .ip, transport: .icmp)

    /// The type of an ICMPv6 message (RFC 4443).
    public static let icmpv6Type = Selector(
        "icmpv6 type", .payload(.transport, offset: 0), .icmpv6Type, network: .ip6, transport: .icmpv6)

    /// The target of a neighbour solicitation or advertisement (RFC 4861, sections 4.3 and 4.4).
    public static let neighbourTarget = Selector(
        "icmpv6 taddr", .payload(.transport, offset: 8), .ipv6Addr, network: .ip6, transport: .icmpv6)

    public enum ARPField: Sendable { case senderEther, senderIP }

    /// A field of an ARP message about IPv4 and Ethernet (RFC 826).
    public static func arp(_ field: ARPField) -> Selector {
        switch field {
        case .senderEther: Selector("arp saddr ether", .payload(.network, offset: 8), .etherAddr, network: .arp)
        case .senderIP: Selector("arp saddr ip", .payload(.network, offset: 14), .ipv4Addr, network: .arp)
        }
    }

    /// A field of the Ethernet header. Only where the packet came from or goes to an Ethernet interface.
    public static func ether(_ field: EtherField) -> Selector {
        switch field {
        case .daddr: Selector("ether daddr", .payload(.link, offset: 0), .etherAddr)
        case .saddr: Selector("ether saddr", .payload(.link, offset: 6), .etherAddr)
        case .type: Selector("ether type", .payload(.link, offset: 12), .etherType)
        }
    }
}

// MARK: Meta, connection tracking, routing

extension Selector {
    /// The name of the interface that the packet came in by; empty in the output hook.
    public static let iifname = Selector("iifname", .meta(NFT_META_IIFNAME.rawValue), .ifname)
    /// The name of the interface that the packet leaves by; empty before the routing decision.
    public static let oifname = Selector("oifname", .meta(NFT_META_OIFNAME.rawValue), .ifname)
    /// The name of the bridge that the packet came in by a port of; the bridge family alone, as the next.
    public static let ibrname = Selector("meta ibrname", .meta(NFT_META_BRI_IIFNAME.rawValue), .ifname)
    /// The name of the bridge that the packet leaves by a port of.
    public static let obrname = Selector("meta obrname", .meta(NFT_META_BRI_OIFNAME.rawValue), .ifname)
    /// The number of the interface that the packet came in by.
    public static let iif = Selector("iif", .meta(NFT_META_IIF.rawValue), .ifaceIndex)
    /// The number of the interface that the packet leaves by.
    public static let oif = Selector("oif", .meta(NFT_META_OIF.rawValue), .ifaceIndex)
    public static let l4proto = Selector("meta l4proto", .meta(NFT_META_L4PROTO.rawValue), .inetProto)
    public static let nfproto = Selector("meta nfproto", .meta(NFT_META_NFPROTO.rawValue), .nfProto)
    static let nftrace = Selector("meta nftrace", .meta(NFT_META_NFTRACE.rawValue), .bit)
    public static let mark = Selector("meta mark", .meta(NFT_META_MARK.rawValue), .mark)
    static let priority = Selector("meta priority", .meta(NFT_META_PRIORITY.rawValue), .classID)
    public static let pkttype = Selector("meta pkttype", .meta(NFT_META_PKTTYPE.rawValue), .pktType)

    public enum ConntrackKey: Sendable { case state, status, mark, direction }

    /// A property of the connection that the packet belongs to.
    public static func ct(_ key: ConntrackKey) -> Selector {
        switch key {
        case .state: Selector("ct state", .conntrack(NFT_CT_STATE.rawValue), .ctState)
        case .status: Selector("ct status", .conntrack(NFT_CT_STATUS.rawValue), .ctStatus)
        case .mark: Selector("ct mark", .conntrack(NFT_CT_MARK.rawValue), .mark)
        case .direction: Selector("ct direction", .conntrack(NFT_CT_DIRECTION.rawValue), .ctDirection)
        }
    }

    /// What the routing table is asked for.
    public struct FibKey: OptionSet, Hashable, Sendable {
        /// `NFTA_FIB_F_*` of linux/netfilter/nf_tables.h.
        public let rawValue: UInt32

        public init(rawValue: UInt32) { self.rawValue = rawValue }

        public static let saddr = FibKey(rawValue: NFTA_FIB_F_SADDR.rawValue)
        public static let daddr = FibKey(rawValue: NFTA_FIB_F_DADDR.rawValue)
        public static let mark = FibKey(rawValue: NFTA_FIB_F_MARK.rawValue)
        public static let iif = FibKey(rawValue: NFTA_FIB_F_IIF.rawValue)
        public static let oif = FibKey(rawValue: NFTA_FIB_F_OIF.rawValue)
    }

    /// What kind of address the packet's is to this host: `fib daddr type`.
    public static func fibType(_ key: FibKey) -> Selector {
        Selector("fib type", .fib(flags: key.rawValue), .fibAddrType)
    }
}

// MARK: Their constants

extension Value {
    /// `meta nfproto`.
    public static func nfproto(_ family: Family) -> Value { .bytes([family.rawValue]) }

    /// `fib … type`: an address of this host, the broadcast address of a subnet, a host of a connected or routed network.
    public static let local = Value.integer(UInt32(RTN_LOCAL))
    public static let broadcast = Value.integer(UInt32(RTN_BROADCAST))
    public static let multicast = Value.integer(UInt32(RTN_MULTICAST))
    public static let unicast = Value.integer(UInt32(RTN_UNICAST))
}

/// The bits of `ct state`.
public struct ConntrackState: OptionSet, Hashable, Sendable {
    /// `NF_CT_STATE_*` of linux/netfilter/nf_conntrack_common.h.
    public let rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// `NF_CT_STATE_BIT` of linux/netfilter/nf_conntrack_common.h.
    private init(_ info: ip_conntrack_info) { rawValue = 1 << (info.rawValue % IP_CT_IS_REPLY.rawValue + 1) }

    public static let invalid = ConntrackState(rawValue: UInt32(NF_CT_STATE_INVALID_BIT))
    public static let established = ConntrackState(IP_CT_ESTABLISHED)
    public static let related = ConntrackState(IP_CT_RELATED)
    public static let new = ConntrackState(IP_CT_NEW)
    public static let untracked = ConntrackState(rawValue: UInt32(NF_CT_STATE_UNTRACKED_BIT))
}

/// The bits of `ct status`.
public struct ConntrackStatus: OptionSet, Hashable, Sendable {
    /// `IPS_*` of linux/netfilter/nf_conntrack_common.h.
    public let rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let expected = ConntrackStatus(rawValue: IPS_EXPECTED.rawValue)
    public static let seenReply = ConntrackStatus(rawValue: IPS_SEEN_REPLY.rawValue)
    public static let assured = ConntrackStatus(rawValue: IPS_ASSURED.rawValue)
    public static let confirmed = ConntrackStatus(rawValue: IPS_CONFIRMED.rawValue)
    /// The source is translated.
    public static let snat = ConntrackStatus(rawValue: IPS_SRC_NAT.rawValue)
    /// The destination is translated.
    public static let dnat = ConntrackStatus(rawValue: IPS_DST_NAT.rawValue)
}
