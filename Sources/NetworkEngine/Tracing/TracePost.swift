import CLinux
import LinuxSystem
import NetworkModel
import Nftables
import Rtnetlink

/// A network namespace in which packets are watched.
///
/// A table of our own switches the kernel's tracing on for the packets that are meant, before every other chain sees them.
/// It belongs to this post's socket, so the kernel removes it however the process ends. Its other chains, at the beginning
/// and the end of each hook, let every hook be seen, and what was translated there. Where somebody, or we, have chains that
/// frames of bridges go through, a second table does the same there.
final class TracePost {
    let place: String
    private var socket: NftablesSocket
    private let monitor: NftablesMonitor
    private let tables: [Table]
    private var chains: [Chain.Reference: Chain]
    private var names: [UInt32: String] = [:]
    private(set) var passages: [TracePassage] = []
    /// The passage that a step without headers belongs to.
    private var open: [UInt32: Int] = [:]

    /// The kernel's smallest and almost largest priority: the largest is connection tracking's own.
    private static let first = Chain.Priority(rawValue: .min)
    private static let last = Chain.Priority(rawValue: .max - 1)
    private static let hooks: [(String, Chain.Hook)] = [
        ("prerouting", .prerouting), ("input", .input), ("forward", .forward), ("output", .output),
        ("postrouting", .postrouting),
    ]

    /// Arms a namespace.
    ///
    /// - Parameters:
    ///   - matches: Of the packets that are watched, one list for each rule, as they come.
    ///   - later: The same behind translations: where br_netfilter hands a packet up from a bridge, the kernel forgets that
    ///     it is traced.
    ///   - input: The interface that they come in by; nil for any, and for packets that are made here.
    init(
        place: String, in namespace: borrowing Namespace, matches: [[Statement]], later: [[Statement]],
        input: String? = nil
    ) throws {
        self.place = place
        // A kernel that counts down to a wrong packet would be worse than one that refuses: listen, then arm.
        let monitor = try NftablesMonitor(.traces, in: namespace)
        var socket = try NftablesSocket(in: namespace)
        let name = "swnet-trace-\(getpid())-\(UInt32.random(in: 0...0xffff))"
        let hasBridgeChains = try socket.chains().contains { $0.table.family == .bridge && $0.base != nil }
        let tables = (hasBridgeChains ? [Family.bridge, .inet] : [.inet]).map { family in
            var table = Table(family, name, comment: "swnet trace")
            table.isOwned = true
            return table
        }
        var arming = Batch()
        for table in tables { arming.append(Self.arming(table, matches, later, input)) }
        try socket.commit(arming)
        var links = try Rtnetlink(in: namespace)
        for link in try links.links() { names[link.index] = link.name }
        chains = Dictionary(
            try socket.chains().map { ($0.reference, $0) }, uniquingKeysWith: { first, _ in first })
        self.monitor = monitor
        self.socket = socket
        self.tables = tables
    }

    private static func arming(
        _ table: Table, _ matches: [[Statement]], _ later: [[Statement]], _ input: String?
    ) -> Batch {
        var batch = Batch()
        batch.create(table)
        for (name, hook) in hooks {
            let entry = Chain("\(name)-first", in: table, type: .filter, hook: hook, priority: first)
            batch.add(entry)
            let exit = Chain("\(name)-last", in: table, type: .filter, hook: hook, priority: last)
            batch.add(exit)
            // Headers are told with rules only, so each chain has one that says nothing.
            batch.add(Rule(in: exit, .continue))
            defer { batch.add(Rule(in: entry, .continue)) }
            if hook == .output && input != nil { continue }
            let isEntry = hook == .prerouting || hook == .output
            // Behind the routing decision a bridge is where the packet came in, and may be one's port before.
            let interface: [Statement] = isEntry ? input.map { [.match(.iifname, is: .ifname($0))] } ?? [] : []
            for statements in isEntry ? matches : later {
                batch.add(Rule(chain: entry.reference, interface + statements + [.trace()]))
            }
        }
        return batch
    }

    // The kernel would do it too, a moment after the socket is closed.
    deinit {
        var batch = Batch()
        for table in tables { batch.delete(table) }
        try? socket.commit(batch)
    }

    /// Whether a namespace has rules at all: one without need not be watched.
    static func isNeeded(in namespace: borrowing Namespace) throws -> Bool {
        var socket = try NftablesSocket(in: namespace)
        return try !socket.tables().isEmpty
    }

    var pollDescriptor: Int32 { monitor.pollDescriptor }

    /// Takes the steps that the kernel has told.
    ///
    /// - Returns: Whether some were lost.
    func collect() throws -> Bool {
        var areLost = false
        while true {
            let events = try monitor.next()
            if events.isEmpty { return areLost }
            for event in events {
                switch event {
                case .traced(let step): add(step)
                case .resyncNeeded: areLost = true
                default: continue
                }
            }
        }
    }

    private func add(_ step: PacketTrace) {
        let reference = Chain.Reference(step.chain, in: step.table)
        if chains[reference] == nil, let all = try? socket.chains() {
            for chain in all { chains[chain.reference] = chain }
        }
        let known = open[step.identifier]
        if let chain = chains[reference], chain.base != nil,
            step.packet != nil || known.map({ passages[$0].chain.reference != reference }) == true
        {
            // The headers come with the first rule in a base chain; a chain in which no rule matched tells its policy only.
            var first = step
            if step.packet == nil, let known { first = passages[known].first }
            open[step.identifier] = passages.count
            passages.append(
                TracePassage(
                    first: first, chain: chain,
                    mark: tables.contains { $0.reference == step.table } ? mark(of: step.chain) : nil,
                    input: name(first.inputLink), output: name(first.outputLink)))
        }
        guard let index = open[step.identifier] else { return }
        switch step.step {
        case .rule(let handle): passages[index].rules.append((step.chain, handle, step.verdict))
        case .policy: passages[index].policy = step.verdict
        case .return: break
        }
    }

    private func mark(of chain: String) -> TracePassage.Mark { chain.hasSuffix("-first") ? .first : .last }

    private func name(_ index: UInt32?) -> String? { index.map { names[$0] ?? "interface \($0)" } }

    // MARK: Words

    private var texts: [Table.Reference: (rules: [UInt64: Rule], text: RuleText)] = [:]

    /// The rule of a table with a handle; nil when it is gone by now.
    func rule(_ handle: UInt64, of table: Table.Reference) -> (rule: Rule, text: String)? {
        if texts[table] == nil { texts[table] = try? read(table) }
        guard let known = texts[table], let rule = known.rules[handle] else { return nil }
        return (rule, known.text.text(of: rule))
    }

    private func read(_ reference: Table.Reference) throws -> (rules: [UInt64: Rule], text: RuleText) {
        let table = Table(reference.family, reference.name)
        let sets = try socket.sets(of: table)
        var elements: [String: [Element]] = [:]
        for set in sets where set.name.hasPrefix("__") { elements[set.name] = try socket.elements(of: set) }
        let rules = try socket.rules(of: table).compactMap { rule in rule.handle.map { ($0, rule) } }
        return (
            Dictionary(rules, uniquingKeysWith: { first, _ in first }), RuleText(sets: sets, elements: elements)
        )
    }
}

/// A packet's way through one base chain.
struct TracePassage {
    /// Our own chains at the ends of a hook.
    enum Mark { case first, last }

    var first: PacketTrace
    var chain: Chain
    var mark: Mark?
    var input: String?
    var output: String?
    var rules: [(chain: String, handle: UInt64, verdict: Verdict?)] = []
    var policy: Verdict?

    init(first: PacketTrace, chain: Chain, mark: Mark?, input: String?, output: String?) {
        self.first = first
        self.chain = chain
        self.mark = mark
        self.input = input
        self.output = output
    }

    /// Whether one of our rules picked the packet out here, or further on the way.
    var isPicked: Bool { mark == .first }

    var isDropped: Bool { mark == nil && (policy ?? rules.last?.verdict) == .drop }

    var isOfBridge: Bool { chain.table.family == .bridge }
}
