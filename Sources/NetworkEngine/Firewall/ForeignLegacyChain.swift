import Addressing
import NetworkModel
import Nftables

/// A chain of the old packet filter in which packets of our networks are dropped. The kernel keeps it apart from nftables,
/// and so do the programs that show it: `iptables-legacy -S`.
struct ForeignLegacyChain {
    let family: IPFamily
    /// The chain that the kernel calls.
    let base: String
    let hook: Chain.Hook
    /// Where whoever made it wants others to put their rules.
    let door: String
    let wanted: [LegacyRule]
    let isOpen: Bool
    private let asks: ForeignChain.Questions

    static let table = "filter"

    /// nil where nothing is dropped.
    init?(_ table: LegacyTable, _ hook: Chain.Hook, asks: ForeignChain.Questions) {
        guard let base = table.chain(at: hook), table.drops(base) else { return nil }
        let user = hook == .forward ? table.chain(named: "DOCKER-USER") : nil
        let wanted = Self.wanted(hook, asks)
        if wanted.isEmpty { return nil }
        self.asks = asks
        family = table.family
        self.base = base.name
        self.hook = hook
        door = (user ?? base).name
        self.wanted = wanted
        isOpen = wanted.allSatisfy { rule in
            table.has(rule, in: base) || user.map { table.has(rule, in: $0) } == true
        }
    }

    var object: String { "\(family == .v4 ? "ip" : "ip6") \(Self.table) \(base) (iptables-legacy)" }

    /// What else lets our packets through, for a person to type.
    var advice: String {
        let program = family == .v4 ? "iptables-legacy" : "ip6tables-legacy"
        let lines = wanted.map { "\(program) -I \(door) \($0.arguments)" }
        return "\(ForeignChain.advice), or: \(lines.joined(separator: "; "))"
    }

    private static func wanted(_ hook: Chain.Hook, _ asks: ForeignChain.Questions) -> [LegacyRule] {
        let mark = ForeignChain.mark
        switch hook {
        case .input:
            if !asks.names { return [] }
            return [InternetProtocol.udp, .tcp].map {
                LegacyRule(
                    input: Network.interfaceMark, transport: $0, port: Network.nameServerPort,
                    comment: mark + "names of sandboxes")
            }
        case .output:
            return [LegacyRule(output: Network.interfaceMark, comment: mark + "what this host sends to sandboxes")]
        default:
            return [
                LegacyRule(input: Network.interfaceMark, comment: mark + "what our networks send"),
                LegacyRule(
                    output: Network.interfaceMark, comment: mark + "what enters them is for table inet swnet"),
            ]
        }
    }

    /// Those of the calling thread's network namespace.
    ///
    /// - Parameter hooks: Where that concerns us.
    static func all(_ hooks: [Chain.Hook], asks: ForeignChain.Questions) throws -> [ForeignLegacyChain] {
        try IPFamily.allCases.flatMap { family in
            guard let table = try LegacyTable(reading: Self.table, family) else { return [ForeignLegacyChain]() }
            return hooks.compactMap { ForeignLegacyChain(table, $0, asks: asks) }
        }
    }

    /// Puts rules that let our packets through before all others.
    func open() throws {
        try LegacyTable.edit(Self.table, family) { table in
            guard let now = ForeignLegacyChain(table, hook, asks: asks), !now.isOpen else { return false }
            for rule in now.wanted.reversed() {
                guard let chain = table.chain(named: door) ?? table.chain(at: hook) else { continue }
                table.insert(rule, in: chain)
            }
            return true
        }
    }

    /// Takes every rule of ours out again.
    static func closeAll() throws {
        for family in IPFamily.allCases {
            guard var table = try LegacyTable(reading: Self.table, family),
                table.removeRules(commented: ForeignChain.mark)
            else { continue }
            try LegacyTable.edit(Self.table, family) { $0.removeRules(commented: ForeignChain.mark) }
        }
    }
}
