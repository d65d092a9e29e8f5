import Addressing
import NetworkModel
import Nftables

/// The private table: its sets, its chains and its rules. Rules never change; networks and ports are elements.
///
/// The layout in nft's syntax is what `nft list table inet swnet` prints; the comments are part of it.
enum Ruleset {
    /// Changes whenever the layout does: a table with another version is replaced, whatever made it.
    static let version = "swnet layout 3"

    static let table = Table(.inet, "swnet", comment: version)

    // Published ports. Looked up by what a packet says, so the cost does not depend on their number.
    static let published4 = NamedSet(
        "published4", in: table, map: [.inetProto, .inetService], to: [.ipv4Addr, .inetService],
        comment: "ports of all addresses")
    static let published6 = NamedSet(
        "published6", in: table, map: [.inetProto, .inetService], to: [.ipv6Addr, .inetService],
        comment: "ports of all addresses")
    static let published4At = NamedSet(
        "published4_at", in: table, map: [.ipv4Addr, .inetProto, .inetService], to: [.ipv4Addr, .inetService],
        comment: "ports of one address")
    static let published6At = NamedSet(
        "published6_at", in: table, map: [.ipv6Addr, .inetProto, .inetService], to: [.ipv6Addr, .inetService],
        comment: "ports of one address")

    static let bridges = NamedSet("bridges", in: table, .ifname, comment: "bridges of our networks")
    static let within = NamedSet("within", in: table, .ifname, .ifname, comment: "traffic inside one network")
    static let apart = NamedSet("apart", in: table, .ifname, .ifname, comment: "networks of isolated ports")
    static let openBridges = NamedSet("open", in: table, .ifname, comment: "networks that reach each other")
    static let strictBridges = NamedSet("strict", in: table, .ifname, comment: "networks that reach no other")
    static let internalBridges = NamedSet("internal", in: table, .ifname, comment: "networks with no way out or in")
    static let guarded4 = NamedSet("guarded4", in: table, .ifname, comment: "the host is no router between these")
    static let guarded6 = NamedSet("guarded6", in: table, .ifname, comment: "the host is no router between these")
    static let hairpin4 = NamedSet(
        "hairpin4", in: table, .ifname, .ipv4Addr, flags: .interval, comment: "a bridge and its subnet")
    static let hairpin6 = NamedSet(
        "hairpin6", in: table, .ifname, .ipv6Addr, flags: .interval, comment: "a bridge and its subnet")
    static let masquerade4 = NamedSet(
        "masquerade4", in: table, .ipv4Addr, flags: .interval, comment: "subnets that go out by the host's address")
    static let masquerade6 = NamedSet(
        "masquerade6", in: table, .ipv6Addr, flags: .interval, comment: "subnets that go out by the host's address")
    static let source4 = NamedSet(
        "source4", in: table, map: [.ipv4Addr], to: [.ipv4Addr], flags: .interval,
        comment: "subnets that go out by a certain address of the host's")
    static let source6 = NamedSet(
        "source6", in: table, map: [.ipv6Addr], to: [.ipv6Addr], flags: .interval,
        comment: "subnets that go out by a certain address of the host's")

    static let names4 = NamedSet(
        "names4", in: table, .ipv4Addr, .inetProto, .inetService, comment: "where a network's names are asked for")
    static let names6 = NamedSet(
        "names6", in: table, .ipv6Addr, .inetProto, .inetService, comment: "where a network's names are asked for")

    static let layout = TableLayout(
        table: table,
        sets: [
            published4, published6, published4At, published6At, bridges, within, apart, internalBridges, openBridges,
            strictBridges, guarded4, guarded6, hairpin4, hairpin6, masquerade4, masquerade6, source4, source6, names4,
            names6,
        ],
        chains: [raw, prerouting, output, publish, postrouting, forward, inbound, input],
        rules: loopbackRules + translationRules + sourceRules + filterRules + nameRules)

    private static let raw = Chain("raw", in: table, type: .filter, hook: .prerouting, priority: .raw)
    private static let prerouting = Chain("prerouting", in: table, type: .nat, hook: .prerouting, priority: .dstnat)
    private static let output = Chain("output", in: table, type: .nat, hook: .output, priority: .dstnat)
    private static let publish = Chain("publish", in: table, comment: "packets for this host's own addresses")
    private static let postrouting = Chain("postrouting", in: table, type: .nat, hook: .postrouting, priority: .srcnat)
    private static let forward = Chain("forward", in: table, type: .filter, hook: .forward, priority: .filter)
    private static let input = Chain("input", in: table, type: .filter, hook: .input, priority: .filter)
    private static let inbound = Chain("inbound", in: table, comment: "packets that enter a network")

    /// `route_localnet` on our bridges lets 127.0.0.0/8 be routed, so nobody outside may use it (moby issue 41872).
    private static var loopbackRules: [Rule] {
        guard let loopback = IPv4Prefix.loopback else { return [] }
        return [
            Rule(
                in: raw, .match(.iifname, isNot: "lo"), .match(.ip(.daddr), is: loopback), .drop,
                comment: "loopback is never reached from outside"),
            Rule(
                in: raw, .match(.iifname, isNot: "lo"), .match(.ip(.saddr), is: loopback), .drop,
                comment: "nobody outside is loopback"),
        ]
    }

    private static var translationRules: [Rule] {
        let port: [Selector] = [.l4proto, .th(.dport)]
        // Only what is for this host: packets that pass through it to the same port elsewhere stay as they are.
        let isLocal = Statement.match(.fibType(.daddr), is: .local)
        return [
            Rule(in: prerouting, isLocal, .jump(publish), comment: "never what is only passing through"),
            Rule(
                in: output, .match(.ip6(.daddr), is: .ipv6(.loopback)), .return,
                comment: "the kernel cannot translate ::1; a relay listens there, or a refusal sends to 127.0.0.1"),
            Rule(in: output, isLocal, .jump(publish), comment: "the host's own connections"),
            Rule(in: publish, .dnat(.ip, to: [.ip(.daddr)] + port, map: published4At), comment: "ports of one address"),
            Rule(
                in: publish, .dnat(.ip6, to: [.ip6(.daddr)] + port, map: published6At), comment: "ports of one address"),
            Rule(in: publish, .dnat(.ip, to: port, map: published4), comment: "ports of all addresses"),
            Rule(in: publish, .dnat(.ip6, to: port, map: published6), comment: "ports of all addresses"),
        ]
    }

    private static var sourceRules: [Rule] {
        var rules = [
            Rule(
                in: postrouting, .ctStatus(.dnat), .match([.oifname, .ip(.saddr)], in: hairpin4), .masquerade,
                comment: "a neighbour reached by the host's address answers through the host"),
            Rule(
                in: postrouting, .ctStatus(.dnat), .match([.oifname, .ip6(.saddr)], in: hairpin6), .masquerade,
                comment: "a neighbour reached by the host's address answers through the host"),
            Rule(
                in: postrouting, .match(.oifname, notIn: bridges), .snat(.ip, to: [.ip(.saddr)], map: source4),
                comment: "outgoing connections take the address that was asked for"),
            Rule(
                in: postrouting, .match(.oifname, notIn: bridges), .snat(.ip6, to: [.ip6(.saddr)], map: source6),
                comment: "outgoing connections take the address that was asked for"),
            Rule(
                in: postrouting, .match(.oifname, notIn: bridges), .match(.ip(.saddr), in: masquerade4), .masquerade,
                comment: "outgoing connections take the host's address"),
            Rule(
                in: postrouting, .match(.oifname, notIn: bridges), .match(.ip6(.saddr), in: masquerade6), .masquerade,
                comment: "outgoing connections take the host's address"),
        ]
        if let loopback = IPv4Prefix.loopback {
            rules.append(
                Rule(
                    in: postrouting, .match(.ip(.saddr), is: loopback), .match(.oifname, in: bridges), .masquerade,
                    comment: "127.0.0.1 means something else in a container"))
        }
        return rules
    }

    /// The name server forwards what it does not know, so to strangers it would be an open resolver.
    private static var nameRules: [Rule] {
        // The port first: nearly every packet for this host ends there.
        let port = Statement.match(.th(.dport), is: .service(Network.nameServerPort))
        let isForeign = Statement.match(.iifname, isNot: "lo")
        let comment = "names are for their own network"
        return [
            Rule(
                in: input, port, isForeign, .match([.ip(.daddr), .l4proto, .th(.dport)], in: names4),
                .match([.iifname, .ip(.daddr)], notIn: hairpin4), .drop, comment: comment),
            Rule(
                in: input, port, isForeign, .match([.ip6(.daddr), .l4proto, .th(.dport)], in: names6),
                .match([.iifname, .ip6(.daddr)], notIn: hairpin6), .drop, comment: comment),
        ]
    }

    private static var filterRules: [Rule] {
        [
            Rule(in: forward, .ctState([.established, .related]), .accept, comment: "answers"),
            Rule(in: forward, .match([.iifname, .oifname], in: within), .accept, comment: "inside one network"),
            Rule(
                in: forward, .match([.iifname, .oifname], in: apart), .drop,
                comment: "isolated ports, however they are reached"),
            // The host's routes lead to an endpoint of the same network: each has a link of its own there.
            Rule(
                in: forward, .match([.iifname, .ip(.daddr)], in: hairpin4), .match(.oifname, in: bridges), .accept,
                comment: "inside one network, through the host"),
            Rule(
                in: forward, .match([.iifname, .ip6(.daddr)], in: hairpin6), .match(.oifname, in: bridges), .accept,
                comment: "inside one network, through the host"),
            Rule(in: forward, .match(.iifname, in: internalBridges), .drop, comment: "no way out"),
            Rule(in: forward, .match(.oifname, in: internalBridges), .drop, comment: "no way in"),
            Rule(
                in: forward, .match(.iifname, in: strictBridges), .match(.oifname, in: bridges), .drop,
                comment: "not even published ports of another network"),
            Rule(
                in: forward, .match(.oifname, in: strictBridges), .match(.iifname, in: bridges), .drop,
                comment: "not even published ports for another network"),
            Rule(
                in: forward, .match(.iifname, in: openBridges), .match(.oifname, in: openBridges), .accept,
                comment: "networks without isolation"),
            Rule(in: forward, .match(.oifname, in: bridges), .jump(inbound)),
            Rule(
                in: forward, .match(.nfproto, is: .nfproto(.ip)), .match(.iifname, in: guarded4),
                .match(.oifname, in: guarded4), .drop, comment: "forwarding is on for our networks only"),
            Rule(
                in: forward, .match(.nfproto, is: .nfproto(.ip6)), .match(.iifname, in: guarded6),
                .match(.oifname, in: guarded6), .drop, comment: "forwarding is on for our networks only"),
            Rule(in: inbound, .ctStatus(.dnat), .accept, comment: "published ports"),
            Rule(in: inbound, .drop, comment: "unpublished ports, and other networks"),
        ]
    }
}
