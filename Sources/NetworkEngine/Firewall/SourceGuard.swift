import Addressing
import Nftables

/// The table that drops what an endpoint sends under an address that is not its own. It is there while a network of ours
/// asks for it (`--antispoof`).
///
/// It is one of the bridge family, and not ingress chains of the ports (netdev), for these reasons: a chain's list of
/// devices can be changed only since Linux 6.2 and then one by one, elements of a set in the same batch as the ports'
/// other elements; frames between two endpoints of a network pass no other hook; and the frames of other bridges cost
/// one look at the port's name, those of a guarded port two, however many ports there are.
///
/// Prerouting, before anything of the frame is learnt or answered: also what is for the gateway itself is seen.
enum SourceGuard {
    static let version = "swnet layout 1"

    static let table = Table(.bridge, "swnet", comment: version)

    static let ports = NamedSet("ports", in: table, .ifname, comment: "ports whose frames are looked at")
    static let own4 = NamedSet(
        "own4", in: table, .ifname, .etherAddr, .ipv4Addr, comment: "whose is what: port, Ethernet address, address")
    static let own6 = NamedSet(
        "own6", in: table, .ifname, .etherAddr, .ipv6Addr, comment: "whose is what: port, Ethernet address, address")

    static let first = Chain("prerouting", in: table, type: .filter, hook: .prerouting, priority: .raw)
    private static let guarded = Chain("guarded", in: table, comment: "what an endpoint sends has to be its own")

    /// - Parameter owner: What the first chain says of where the records are.
    static func layout(owner: String? = nil) -> TableLayout {
        var marked = first
        marked.comment = owner
        let chains = [guarded, marked]
        return TableLayout(table: table, sets: [ports, own4, own6], chains: chains, rules: rules)
    }

    private static let rules = [
        Rule(in: first, .match(.iifname, in: ports), .goto(guarded)),
        Rule(
            in: guarded, .match([.iifname, .ether(.saddr), .ip(.saddr)], in: own4), .accept, comment: "IPv4"),
        Rule(
            in: guarded, .match(.icmpv6Type, is: .bytes([routerAdvertisement])), .drop,
            comment: "an endpoint is no router"),
        Rule(in: guarded, .match(.icmpv6Type, is: .bytes([redirect])), .drop, comment: "an endpoint is no router"),
        Rule(
            in: guarded, .match(.icmpv6Type, is: .bytes([neighbourAdvertisement])),
            .match([.iifname, .ether(.saddr), .neighbourTarget], notIn: own6), .drop,
            comment: "neighbours are told of one's own addresses"),
        Rule(
            in: guarded, .match([.iifname, .ether(.saddr), .ip6(.saddr)], in: own6), .accept, comment: "IPv6"),
        Rule(
            in: guarded, .match(.ip6(.saddr), is: .ipv6(.any)), .match(.icmpv6Type, is: .bytes([listenerReport])),
            .accept, comment: "groups are joined before there is an address"),
        Rule(
            in: guarded, .match([.iifname, .arp(.senderEther), .arp(.senderIP)], in: own4),
            .match([.iifname, .ether(.saddr), .arp(.senderIP)], in: own4), .accept, comment: "ARP"),
        Rule(in: guarded, .drop, comment: "another's address, or another protocol"),
    ]

    // Types of ICMPv6 messages: RFC 4861, section 4, and RFC 3810, section 5.2.
    private static let routerAdvertisement: UInt8 = 134
    private static let neighbourAdvertisement: UInt8 = 136
    private static let redirect: UInt8 = 137
    private static let listenerReport: UInt8 = 143
}
