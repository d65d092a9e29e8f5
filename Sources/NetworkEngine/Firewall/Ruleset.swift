import Addressing
import NetworkModel
import Nftables

/// The private table: its sets, its chains and its rules. Networks and ports are elements; no rule ever changes.
///
/// What `nft list table inet swnet` prints is meant to be read, in one screen where little is asked for. So a set that is
/// not needed by everybody, and the rules that look into it, are there only where something of it is: the table's comment
/// names them. When the first element of another comes, the table is built anew with it, in the batch that adds the
/// element.
enum Ruleset {
    /// Changes whenever the layout does: a table with another version is replaced, whatever made it.
    static let version = "swnet layout 7"
    private static let with = " with "

    /// Without the comment that it has in the kernel.
    static let table = Table(.inet, "swnet")

    /// A bridge with itself: so one set tells what stays inside a network, and what leaves or enters any.
    static let networks = NamedSet("networks", in: table, .ifname, .ifname)

    // Published ports. Looked up by what a packet says, so the cost does not depend on their number.
    static let published4 = NamedSet(
        "published4", in: table, map: [.inetProto, .inetService], to: [.ipv4Addr, .inetService])
    static let published6 = NamedSet(
        "published6", in: table, map: [.inetProto, .inetService], to: [.ipv6Addr, .inetService])
    static let published4At = NamedSet(
        "published4_at", in: table, map: [.ipv4Addr, .inetProto, .inetService], to: [.ipv4Addr, .inetService])
    static let published6At = NamedSet(
        "published6_at", in: table, map: [.ipv6Addr, .inetProto, .inetService], to: [.ipv6Addr, .inetService])

    static let apart = NamedSet("apart", in: table, .ifname, .ifname)
    /// An address with itself, as for the networks: rules cannot compare two addresses of a packet. And with its Ethernet
    /// address: who forges the one alone would reach another's ports, and who forges both has the bridge believe that the
    /// other is where the forger is, so that what he sends comes back to him.
    static let itself4 = NamedSet("itself4", in: table, .etherAddr, .ipv4Addr, .ipv4Addr)
    static let itself6 = NamedSet("itself6", in: table, .etherAddr, .ipv6Addr, .ipv6Addr)
    static let routed4 = NamedSet("routed4", in: table, .ifname, .ipv4Addr, flags: .interval)
    static let routed6 = NamedSet("routed6", in: table, .ifname, .ipv6Addr, flags: .interval)
    static let internalBridges = NamedSet("internal", in: table, .ifname)
    static let strictBridges = NamedSet("strict", in: table, .ifname)
    static let openBridges = NamedSet("open", in: table, .ifname)
    static let plainBridges = NamedSet("plain", in: table, .ifname)
    static let tunnels = NamedSet("tunnels", in: table, .inetService)
    static let guarded = NamedSet("guarded", in: table, .nfProto, .ifname)
    static let source4 = NamedSet("source4", in: table, map: [.ipv4Addr], to: [.ipv4Addr], flags: .interval)
    static let source6 = NamedSet("source6", in: table, map: [.ipv6Addr], to: [.ipv6Addr], flags: .interval)

    /// What the comment names a part that is no set: the rules that lead to the name servers.
    private static let names = "names"

    /// What the comment says instead where the names of the parts are too many for it: then the table has all of them.
    private static let everything = "everything"
    /// Bytes of a comment.
    private static let room = 128

    private static let always = [networks, published4]
    private static let optional = [
        published6, published4At, published6At, apart, itself4, itself6, routed4, routed6, internalBridges,
        strictBridges, openBridges, plainBridges, tunnels, guarded, source4, source6,
    ]

    static let raw = Chain("raw", in: table, type: .filter, hook: .prerouting, priority: .raw)
    private static let prerouting = Chain("prerouting", in: table, type: .nat, hook: .prerouting, priority: .dstnat)
    private static let output = Chain("output", in: table, type: .nat, hook: .output, priority: .dstnat)
    private static let publish = Chain("publish", in: table)
    private static let postrouting = Chain("postrouting", in: table, type: .nat, hook: .postrouting, priority: .srcnat)
    private static let seen = Chain("seen", in: table, type: .filter, hook: .postrouting, priority: .last)
    private static let forward = Chain("forward", in: table, type: .filter, hook: .forward, priority: .filter)
}

// MARK: - Parts

extension Ruleset {
    /// The parts that a table has by its comment, besides what each has; nil when it is of another layout.
    static func parts(comment: String?) -> Set<String>? {
        guard let comment, comment.hasPrefix(version) else { return nil }
        let rest = comment.dropFirst(version.count)
        if rest.isEmpty { return [] }
        guard rest.hasPrefix(with) else { return nil }
        if rest.dropFirst(with.count) == everything { return all }
        return Set(rest.dropFirst(with.count).split(separator: " ").map(String.init))
    }

    /// The parts that facts need.
    static func parts(of facts: [FirewallElement]) -> Set<String> {
        var parts: Set<String> = []
        for fact in facts {
            if case .nameServer = fact { parts.insert(names) }
            guard let set = fact.set, set.table == table.reference, !always.contains(set) else { continue }
            parts.insert(set.name)
        }
        return Self.comment(parts).utf8.count <= room ? parts : all
    }

    private static var all: Set<String> { Set(optional.map(\.name) + [names]) }

    private static func comment(_ parts: Set<String>) -> String {
        if parts.isEmpty { return version }
        if parts == all { return version + with + everything }
        return version + with + (optional.map(\.name) + [names]).filter(parts.contains).joined(separator: " ")
    }

    /// - Parameter owner: What the first chain says of where the records are.
    static func layout(_ parts: Set<String>, owner: String? = nil) -> TableLayout {
        var first = raw
        first.comment = owner
        let chains = [first, prerouting, output, publish, forward, postrouting, seen]
        let sets = always + optional.filter { parts.contains($0.name) }
        return TableLayout(
            table: Table(.inet, "swnet", comment: comment(parts)),
            sets: sets, chains: chains, rules: rules(sets, parts))
    }

    /// Those that find all the sets that they look into.
    private static func rules(_ sets: [NamedSet], _ parts: Set<String>) -> [Rule] {
        let names = Set(sets.map(\.name))
        let hasIPv6 = sets.contains { $0 == published6 || $0 == published6At }
        return
            (loopbackRules + tunnelRules + gateRules + (parts.contains(Self.names) ? nameRules : [])
            + translationRules(hasIPv6: hasIPv6)
            + filterRules + sourceRules)
            .filter { rule in rule.sets.allSatisfy { names.contains($0.name) } }
    }
}

// MARK: - Rules

extension Ruleset {
    private static let isInside = Statement.match([.iifname, .oifname], in: networks)
    private static let comesFromOne = Statement.match([.iifname, .iifname], in: networks)
    private static let goesToOne = Statement.match([.oifname, .oifname], in: networks)
    private static let goesToNone = Statement.match([.oifname, .oifname], notIn: networks)

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

    /// A VXLAN takes whatever comes to its port, whoever sent it: the number of a network is no secret (RFC 7348, section 7).
    private static var tunnelRules: [Rule] {
        [
            Rule(
                in: raw, .match(.udp(.dport), in: tunnels), comesFromOne, .drop,
                comment: "no sandbox is another host of a network")
        ]
    }

    /// What tells the gates at our interfaces that the table is there (`FirewallGate`): behind all other rules, which may
    /// give a packet a priority of their own (CLASSIFY), and where also passes what somebody sends on without asking
    /// `forward` (IPVS, `dup`). With br_netfilter gates see what a bridge passes on before that.
    private static var gateRules: [Rule] {
        [
            Rule(
                in: raw, .match(.iifname, prefix: Network.interfaceMark), .setPriority(FirewallGate.seen),
                comment: "seen"),
            Rule(
                in: seen, goesToOne, .setPriority(FirewallGate.seen),
                comment: "without this mark nothing leaves to a sandbox"),
        ]
    }

    /// A name server is asked at port 53 of its network's gateway and listens at another, so that sandboxes can publish
    /// port 53, and the host have a server of its own at all its addresses.
    ///
    /// Where the question came in tells whose server it is for, so that one rule leads to all of them, whatever the
    /// family. A translation of the port alone needs Linux 5.14 (commit a33f387ecd5a).
    private static var nameRules: [Rule] {
        let isGateway = Statement.match(.fibType([.daddr, .iif]), is: .local)
        let (asked, port) = (Value.service(Network.namePort), Network.nameServerPort)
        return [Selector.udp(.dport), .tcp(.dport)].map { selector in
            Rule(
                in: prerouting, .match(selector, is: asked), comesFromOne, isGateway, .dnat(port: port),
                comment: "names are asked at the gateway")
        } + [
            // It forwards what it does not know, so to strangers it would be an open resolver. Only the first packet of a
            // connection passes here: answers to what is masqueraded, which may have this port too, do not.
            Rule(
                in: prerouting, .match(.th(.dport), is: .service(port)), .match(.fibType(.daddr), is: .local),
                .match(.fibType([.daddr, .iif]), isNot: .local), .drop, comment: "names are for their own network")
        ]
    }

    private static func translationRules(hasIPv6: Bool) -> [Rule] {
        let port: [Selector] = [.l4proto, .th(.dport)]
        // Only what is for this host: packets that pass through it to the same port elsewhere stay as they are.
        let isLocal = Statement.match(.fibType(.daddr), is: .local)
        let loopback = Rule(
            in: publish, .match(.ip6(.daddr), is: .ipv6(.loopback)), .return,
            comment: "the kernel cannot translate ::1; a relay listens there, or a refusal sends to 127.0.0.1")
        return [
            Rule(in: prerouting, isLocal, .jump(publish), comment: "never what is only passing through"),
            Rule(in: output, isLocal, .jump(publish), comment: "the host's own connections"),
        ] + (hasIPv6 ? [loopback] : []) + [
            Rule(in: publish, .dnat(.ip, to: [.ip(.daddr)] + port, map: published4At), comment: "ports of one address"),
            Rule(
                in: publish, .dnat(.ip6, to: [.ip6(.daddr)] + port, map: published6At), comment: "ports of one address"),
            Rule(in: publish, .dnat(.ip, to: port, map: published4), comment: "ports of all addresses"),
            Rule(in: publish, .dnat(.ip6, to: port, map: published6), comment: "ports of all addresses"),
        ]
    }

    private static var filterRules: [Rule] {
        [
            Rule(in: forward, .ctState([.established, .related]), .accept, comment: "answers"),
            Rule(
                in: forward, .match([.iifname, .oifname], in: apart),
                .match([.ether(.saddr), .ip(.saddr), .ip(.daddr)], in: itself4), .ctStatus(.dnat), .accept,
                comment: "an isolated port's own published ports"),
            Rule(
                in: forward, .match([.iifname, .oifname], in: apart),
                .match([.ether(.saddr), .ip6(.saddr), .ip6(.daddr)], in: itself6), .ctStatus(.dnat), .accept,
                comment: "an isolated port's own published ports"),
            Rule(
                in: forward, .match([.iifname, .oifname], in: apart), .drop,
                comment: "isolated ports, however they are reached"),
            Rule(in: forward, isInside, .accept, comment: "inside one network"),
            // The host's routes lead to an endpoint of the same network: each has a link of its own there.
            Rule(
                in: forward, .match([.iifname, .ip(.daddr)], in: routed4), goesToOne, .accept,
                comment: "inside one network, through the host"),
            Rule(
                in: forward, .match([.iifname, .ip6(.daddr)], in: routed6), goesToOne, .accept,
                comment: "inside one network, through the host"),
            Rule(in: forward, .match(.iifname, in: internalBridges), .drop, comment: "no way out"),
            Rule(in: forward, .match(.oifname, in: internalBridges), .drop, comment: "no way in"),
            Rule(
                in: forward, .match(.iifname, in: strictBridges), goesToOne, .drop,
                comment: "not even published ports of another network"),
            Rule(
                in: forward, .match(.oifname, in: strictBridges), comesFromOne, .drop,
                comment: "not even published ports for another network"),
            Rule(
                in: forward, .match(.iifname, in: openBridges), .match(.oifname, in: openBridges), .accept,
                comment: "networks without isolation"),
            Rule(in: forward, goesToOne, .ctStatus(.dnat), .accept, comment: "published ports"),
            Rule(in: forward, goesToOne, .drop, comment: "unpublished ports, and other networks"),
            Rule(
                in: forward, .match([.nfproto, .iifname], in: guarded), .match([.nfproto, .oifname], in: guarded),
                .drop,
                comment: "forwarding is on for our networks only"),
        ]
    }

    private static var sourceRules: [Rule] {
        let answers = "a neighbour reached by the host's address answers through the host"
        var rules = [
            Rule(in: postrouting, .ctStatus(.dnat), isInside, .masquerade, comment: answers),
            // With br_netfilter the packet stays on the bridge, and then the kernel does not tell where it came in; from the
            // host itself it did not.
            Rule(
                in: postrouting, .ctStatus(.dnat), .match(.iif, is: .integer(0)), goesToOne,
                .match(.fibType(.saddr), isNot: .local), .masquerade, comment: answers),
            Rule(
                in: postrouting, .match(.iifname, in: plainBridges), goesToNone, .return,
                comment: "outgoing connections keep their addresses"),
            Rule(
                in: postrouting, goesToNone, .snat(.ip, to: [.ip(.saddr)], map: source4),
                comment: "outgoing connections take the address that was asked for"),
            Rule(
                in: postrouting, goesToNone, .snat(.ip6, to: [.ip6(.saddr)], map: source6),
                comment: "outgoing connections take the address that was asked for"),
            Rule(
                in: postrouting, comesFromOne, goesToNone, .masquerade,
                comment: "outgoing connections take the host's address"),
        ]
        if let loopback = IPv4Prefix.loopback {
            rules.append(
                Rule(
                    in: postrouting, .match(.ip(.saddr), is: loopback), goesToOne, .masquerade,
                    comment: "127.0.0.1 means something else in a container"))
        }
        return rules
    }
}
