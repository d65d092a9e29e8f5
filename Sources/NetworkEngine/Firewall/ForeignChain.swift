import NetworkModel
import Nftables

/// A chain of somebody else's in which packets of our networks are dropped, whatever our table says: accepting in one
/// table does not override a drop in another (netavark issue 977, moby issue 22054).
struct ForeignChain {
    /// The chain that the kernel calls.
    let base: Chain
    /// Where whoever made it wants others to put their rules; docker's `DOCKER-USER`, else the chain itself.
    let door: Chain
    let hook: Chain.Hook
    /// The rules that let our packets through.
    let wanted: [Rule]
    /// Whether they, or the administrator's own of the same effect, are there.
    let isOpen: Bool

    /// The interfaces whose packets alone it sees; empty for one that sees all.
    var devices: [String] { base.base?.devices ?? [] }

    /// What every rule of ours in a chain that is not ours begins its comment with.
    static let mark = "swnet: "

    /// The bridge of somebody else's whose frames it drops; nil for what our own networks have.
    private(set) var bridge: String?

    var problem: String {
        if let bridge {
            return
                "it drops what it does not know, frames on bridge \(bridge) too (net.bridge.bridge-nf-call-iptables is 1)"
        }
        if !devices.isEmpty {
            return "it drops what it does not know at \(devices.joined(separator: ", ")), packets of our networks too"
        }
        return switch base.table.family {
        case .arp: "it drops what it does not know, questions for Ethernet addresses on our networks too"
        case .bridge: Self.problem(.forward)
        default: Self.problem(hook)
        }
    }

    static func problem(_ hook: Chain.Hook) -> String {
        let packets =
            switch hook {
            case .input: "what sandboxes ask this host"
            case .output: "what this host sends to sandboxes"
            default: "packets of our networks"
            }
        return "it drops what it does not know, \(packets) too"
    }

    /// What a person can do.
    var advice: String {
        if let bridge { return "accept there what comes in and goes out by \(bridge), or set that to 0" }
        return wanted.isEmpty ? Self.adviceForDevices : Self.advice
    }

    /// What comes in by a card of the host's is not known to be ours before it is translated.
    private static let adviceForDevices = "accept there what is for published ports, and the answers to what goes out"

    /// A kernel may be without `meta ibrname` (CONFIG_NFT_BRIDGE_META).
    static let adviceForBridge = "accept there what comes in and goes out by the ports of our bridges"

    static let advice = "'swnet repair --foreign' adds rules there that let them through"

    /// nil for a chain that lets pass what none of its rules knows.
    init?(_ base: Chain, in chains: [Chain], rules: [Rule], asks: Questions) {
        guard let way = Self.wayToDrop(base, rules) else { return nil }
        let hook = base.base?.hook ?? .forward
        let isOfPackets = [.ip, .ip6, .inet].contains(base.table.family)
        let user = Chain.Reference("DOCKER-USER", in: base.table)
        let door = isOfPackets && hook == .forward ? chains.first { $0.reference == user } ?? base : base
        let own = rules.filter { way.contains($0.chain) || $0.chain == door.reference }
        var asks = asks
        if own.contains(where: Self.letsNeighboursAsk) { asks.neighbours = false }
        let hasDevices = base.base?.devices.isEmpty == false
        let wanted = hasDevices ? [] : Self.wanted(door, hook, asks)
        let isHeld = { (rule: Rule) in own.contains { $0.does(theSameAs: rule) } }
        isOpen =
            !hasDevices && wanted.allSatisfy(isHeld)
            || isOfPackets && hook == .forward && Self.plain(door).allSatisfy(isHeld)
        self.base = base
        self.hook = hook
        self.door = door
        self.wanted = wanted
    }

    /// Of frames on a bridge of somebody else's, which is left as it is; nil also where something accepts them.
    init?(_ base: Chain, framesOf bridge: String, rules: [Rule]) {
        guard let way = Self.wayToDrop(base, rules), base.base?.hook == .forward else { return nil }
        let ways: [[Statement]] = [
            [.match(.iifname, is: .ifname(bridge))], [.match(.oifname, is: .ifname(bridge))],
            [.match(.iifname, is: .ifname(bridge)), .match(.oifname, is: .ifname(bridge))],
        ]
        let isOpen = ways.contains { match in
            rules.contains { way.contains($0.chain) && $0.does(theSameAs: Rule(chain: $0.chain, match + [.accept])) }
        }
        if isOpen { return nil }
        (self.base, door, hook, wanted, self.isOpen, self.bridge) = (base, base, .forward, [], false, bridge)
    }

    /// The chains that what none of their rules knows goes through until it is dropped; nil when it is not.
    private static func wayToDrop(_ chain: Chain, _ rules: [Rule]) -> [Chain.Reference]? {
        guard let base = chain.base, base.type != .nat else { return nil }
        var walk = Walk(rules: Dictionary(grouping: rules, by: \.chain))
        switch walk.end(of: chain.reference) {
        case .dropped(let way): return way
        case .accepted: return nil
        case .returned: return base.policy == .drop ? [chain.reference] : nil
        }
    }

    /// The way of a packet that no rule knows.
    private struct Walk {
        enum End {
            case dropped([Chain.Reference])
            case accepted, returned
        }

        let rules: [Chain.Reference: [Rule]]
        /// Each chain is walked once, however many lead to it. None leads back to itself.
        private var ends: [Chain.Reference: End] = [:]

        init(rules: [Chain.Reference: [Rule]]) { self.rules = rules }

        mutating func end(of chain: Chain.Reference) -> End {
            if let known = ends[chain] { return known }
            let end = walk(chain)
            ends[chain] = end
            return end
        }

        private mutating func walk(_ chain: Chain.Reference) -> End {
            for rule in rules[chain] ?? [] {
                switch rule.fate {
                case .dropped?: return .dropped([chain])
                case .accepted?: return .accepted
                case .returned?: return .returned
                case .sent(let next, let comesBack)?:
                    switch end(of: next) {
                    case .dropped(let way): return .dropped([chain] + way)
                    case .accepted: return .accepted
                    case .returned: if !comesBack { return .returned }
                    }
                case nil: continue
                }
            }
            return .returned
        }
    }

    private static func rule(_ chain: Chain, _ statements: [Statement], _ comment: String) -> Rule {
        Rule(chain: chain.reference, statements + [.counter, .accept], comment: mark + comment)
    }

    private static func plain(_ chain: Chain) -> [Rule] {
        [
            rule(chain, [.match(.iifname, prefix: Network.interfaceMark)], "what our networks send"),
            rule(chain, [.match(.oifname, prefix: Network.interfaceMark)], "what enters them is for table inet swnet"),
        ]
    }

    /// Frames of a bridge are told by the bridge: its ports have names of all kinds.
    private static func wantedOfBridge(_ chain: Chain, _ hook: Chain.Hook) -> Rule {
        let leaves = hook == .output || hook == .postrouting
        return rule(
            chain, [.match(leaves ? .obrname : .ibrname, prefix: Network.interfaceMark)], "frames on our bridges")
    }

    /// Whether a rule lets in who asks for Ethernet addresses by IPv6, wherever that comes from: most firewalls have one.
    private static func letsNeighboursAsk(_ rule: Rule) -> Bool {
        let words = RuleText().text(of: rule)
        return words.hasSuffix("accept") && (words.contains("icmpv6 type") || words.contains("ipv6-icmp"))
            && (!words.contains("iif") || words.contains(Network.interfaceMark))
    }

    /// What sandboxes ask the host itself.
    private static func wantedQuestions(_ chain: Chain, _ from: Statement, _ asks: Questions) -> [Rule] {
        var rules: [Rule] = []
        if asks.names {
            rules += [InternetProtocol.udp, .tcp].map { transport in
                rule(
                    chain,
                    [
                        from, .match(.l4proto, is: .proto(transport)),
                        .match(.th(.dport), is: .service(Network.nameServerPort)),
                    ], "names of sandboxes")
            }
        }
        // Solicitations and advertisements of neighbours, without which nothing of IPv6 gets to the gateway (RFC 4861).
        if asks.neighbours, chain.table.family != .ip {
            rules += [135, 136].map { type in
                rule(chain, [from, .match(.icmpv6Type, is: .bytes([type]))], "Ethernet addresses on our networks")
            }
        }
        return rules
    }

    private static func wanted(_ chain: Chain, _ hook: Chain.Hook, _ asks: Questions) -> [Rule] {
        if chain.table.family == .bridge { return [wantedOfBridge(chain, hook)] }
        let from = Statement.match(.iifname, prefix: Network.interfaceMark)
        let to = Statement.match(.oifname, prefix: Network.interfaceMark)
        if chain.table.family == .arp {
            return [rule(chain, [hook == .arpInput ? from : to], "Ethernet addresses on our networks")]
        }
        switch hook {
        case .prerouting: return [rule(chain, [from], "what our networks send")]
        case .postrouting: return [rule(chain, [to], "what enters them is for table inet swnet")]
        case .output: return [rule(chain, [to], "what this host sends to sandboxes")]
        case .forward: break
        default: return wantedQuestions(chain, from, asks)
        }
        // Tables of iptables: the program reads only what it could have written itself.
        if chain.table.family != .inet && chain.table.name == "filter" { return plain(chain) }
        // No more than has to be: should our own table be gone, nothing else enters.
        return [
            rule(chain, [from], "what our networks send"),
            rule(chain, [to, .ctStatus(.dnat)], "published ports"),
            rule(chain, [to, .ctState([.established, .related])], "answers"),
        ]
    }
}

extension ForeignChain {
    /// What sandboxes ask the host itself.
    struct Questions {
        var names = false
        /// The gateway's Ethernet address, by IPv6.
        var neighbours = false
    }

    /// Where what is ours passes chains of others.
    struct Places {
        /// In the families ip, ip6 and inet.
        var hooks: [Chain.Hook] = []
        /// Whether frames pass bridges of ours.
        var hasBridges = false
        /// Whether the host is asked for Ethernet addresses.
        var hasQuestions = false
        /// What passes the hook `input`.
        var asks = Questions()
        /// Bridges of others whose frames pass the hooks of the families ip, ip6 and inet (br_netfilter).
        var bridges: [String] = []

        func include(_ chain: Chain) -> Bool {
            guard let base = chain.base else { return false }
            // Whether its interfaces concern us is known to who asks.
            if !base.devices.isEmpty { return true }
            return switch chain.table.family {
            case .ip, .ip6, .inet: hooks.contains(base.hook)
            case .bridge: hasBridges
            case .arp: hasQuestions && [.arpInput, .arpOutput].contains(base.hook)
            default: false
            }
        }
    }
}

extension Firewall {
    /// Chains of others that drop what they do not know.
    mutating func foreignDrops(_ places: ForeignChain.Places) throws -> [ForeignChain] {
        let ours = [Ruleset.table.reference, SourceGuard.table.reference]
        // What is dormant is not called.
        let others = try socket.tables().filter { !ours.contains($0.reference) && !$0.isDormant }.map(\.reference)
        if others.isEmpty { return [] }
        let chains = try socket.chains().filter { others.contains($0.table) }
        var rules: [Table.Reference: [Rule]] = [:]
        var found: [ForeignChain] = []
        for chain in chains {
            let bridges = [.ip, .ip6, .inet].contains(chain.table.family) ? places.bridges : []
            let isPassed = places.include(chain)
            guard isPassed || chain.base != nil && !bridges.isEmpty else { continue }
            if rules[chain.table] == nil {
                rules[chain.table] = try socket.rules(of: Table(chain.table.family, chain.table.name))
            }
            let present = rules[chain.table] ?? []
            if isPassed, let drop = ForeignChain(chain, in: chains, rules: present, asks: places.asks) {
                found.append(drop)
            }
            found += bridges.compactMap { ForeignChain(chain, framesOf: $0, rules: present) }
        }
        return found
    }

    /// Puts rules that let our packets through before all others of a chain.
    mutating func open(_ chain: ForeignChain) throws {
        guard !chain.isOpen else { return }
        var batch = Batch()
        for rule in chain.wanted.reversed() { batch.insert(rule) }
        try socket.commit(batch)
    }

    /// Takes out every rule of ours in chains of others.
    mutating func closeForeign() throws {
        for chain in try socket.chains() {
            let ours = try socket.rules(of: chain).filter { $0.comment?.hasPrefix(ForeignChain.mark) == true }
            var batch = Batch()
            for rule in ours { if let handle = rule.handle { batch.deleteRule(handle: handle, of: chain) } }
            try socket.commit(batch)
        }
    }
}
