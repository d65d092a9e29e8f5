/// Changes that the kernel makes together, or not at all.
///
/// `add` is content when the object exists already, `create` is not. The order counts: what is referred to comes first.
///
///     var batch = Batch()
///     batch.add(table)
///     batch.add(published)
///     batch.create([Element([.proto(.tcp), .service(8080)], to: [.ipv4(container), .service(80)])], in: published)
///     try socket.commit(batch)
public struct Batch: Sendable {
    enum Command: Sendable {
        case table(Table, Verb)
        case deleteTable(Table.Reference)
        case chain(Chain, Verb)
        case deleteChain(Chain.Reference)
        case rule(Rule, Placement)
        /// Without a handle all rules of the chain; without a chain all rules of the table.
        case deleteRule(Table.Reference, chain: String?, handle: UInt64?)
        case set(NamedSet, Verb)
        case deleteSet(NamedSet)
        case elements([Element], NamedSet, Verb)
        case deleteElements([Element], NamedSet)
        case flushSet(NamedSet)
    }

    enum Verb: Sendable { case add, create }

    enum Placement: Sendable {
        case last
        case first
        case before(UInt64)
        case after(UInt64)
        case instead(UInt64)
    }

    private(set) var commands: [Command] = []

    public init() {}

    public var isEmpty: Bool { commands.isEmpty }
    public var count: Int { commands.count }

    /// Appends everything of another batch.
    public mutating func append(_ other: Batch) { commands += other.commands }
}

// MARK: Tables

extension Batch {
    /// Equivalent to `nft add table`.
    public mutating func add(_ table: Table) { commands.append(.table(table, .add)) }
    /// Equivalent to `nft create table`.
    public mutating func create(_ table: Table) { commands.append(.table(table, .create)) }
    /// Deletes a table with all that is in it. Equivalent to `nft delete table`.
    public mutating func delete(_ table: Table) { commands.append(.deleteTable(table.reference)) }
    /// Deletes all rules of a table and keeps its chains and sets. Equivalent to `nft flush table`.
    public mutating func flush(_ table: Table) {
        commands.append(.deleteRule(table.reference, chain: nil, handle: nil))
    }
}

// MARK: Chains

extension Batch {
    /// Equivalent to `nft add chain`.
    public mutating func add(_ chain: Chain) { commands.append(.chain(chain, .add)) }
    /// Equivalent to `nft create chain`.
    public mutating func create(_ chain: Chain) { commands.append(.chain(chain, .create)) }
    /// Deletes a chain that no rule jumps to. Equivalent to `nft delete chain`.
    public mutating func delete(_ chain: Chain) { commands.append(.deleteChain(chain.reference)) }
    /// Deletes all rules of a chain. Equivalent to `nft flush chain`.
    public mutating func flush(_ chain: Chain) {
        commands.append(.deleteRule(chain.table, chain: chain.name, handle: nil))
    }
}

// MARK: Rules

extension Batch {
    /// Puts a rule at the end of its chain. Equivalent to `nft add rule`.
    public mutating func add(_ rule: Rule) { commands.append(.rule(rule, .last)) }
    /// Puts a rule behind the one with a handle. Equivalent to `nft add rule … handle N …`.
    public mutating func add(_ rule: Rule, after handle: UInt64) { commands.append(.rule(rule, .after(handle))) }
    /// Puts a rule at the beginning of its chain. Equivalent to `nft insert rule`.
    public mutating func insert(_ rule: Rule) { commands.append(.rule(rule, .first)) }
    /// Puts a rule before the one with a handle. Equivalent to `nft insert rule … handle N …`.
    public mutating func insert(_ rule: Rule, before handle: UInt64) { commands.append(.rule(rule, .before(handle))) }
    /// Puts a rule in the place of the one with a handle. Equivalent to `nft replace rule … handle N …`.
    public mutating func replace(handle: UInt64, with rule: Rule) { commands.append(.rule(rule, .instead(handle))) }
    /// Deletes one rule. Equivalent to `nft delete rule … handle N`.
    public mutating func deleteRule(handle: UInt64, of chain: Chain) {
        commands.append(.deleteRule(chain.table, chain: chain.name, handle: handle))
    }
}

// MARK: Sets, maps and their elements

extension Batch {
    /// Equivalent to `nft add set`, `nft add map`.
    public mutating func add(_ set: NamedSet) { commands.append(.set(set, .add)) }
    /// Equivalent to `nft create set`, `nft create map`.
    public mutating func create(_ set: NamedSet) { commands.append(.set(set, .create)) }
    /// Deletes a set that no rule looks up. Equivalent to `nft delete set`, `nft delete map`.
    public mutating func delete(_ set: NamedSet) { commands.append(.deleteSet(set)) }
    /// Deletes all elements of a set. Equivalent to `nft flush set`, `nft flush map`.
    public mutating func flush(_ set: NamedSet) { commands.append(.flushSet(set)) }

    /// Adds elements; one that is there with the same data already is fine. Equivalent to `nft add element`.
    public mutating func add(_ elements: [Element], to set: NamedSet) {
        if !elements.isEmpty { commands.append(.elements(elements, set, .add)) }
    }

    /// Adds elements; one that is there already is EEXIST, and the error names it. Equivalent to `nft create element`.
    public mutating func create(_ elements: [Element], in set: NamedSet) {
        if !elements.isEmpty { commands.append(.elements(elements, set, .create)) }
    }

    /// Deletes elements by their keys; one that is not there is ENOENT. Equivalent to `nft delete element`.
    public mutating func delete(_ elements: [Element], from set: NamedSet) {
        if !elements.isEmpty { commands.append(.deleteElements(elements, set)) }
    }
}

extension Batch.Command {
    /// What is tried and on what, for errors.
    var words: (operation: String, object: String) {
        switch self {
        case .table(let table, let verb): ("\(verb) table", "\(table.reference)")
        case .deleteTable(let table): ("delete table", "\(table)")
        case .chain(let chain, let verb): ("\(verb) chain", "\(chain.reference)")
        case .deleteChain(let chain): ("delete chain", "\(chain)")
        case .rule(let rule, .instead(let handle)): ("replace rule", "\(handle) by \(rule)")
        case .rule(let rule, .first), .rule(let rule, .before): ("insert", "\(rule)")
        case .rule(let rule, _): ("add", "\(rule)")
        case .deleteRule(let table, nil, _): ("flush table", "\(table)")
        case .deleteRule(let table, let chain?, nil): ("flush chain", "\(table) \(chain)")
        case .deleteRule(let table, let chain?, let handle?):
            ("delete rule", "handle \(handle) of chain \(table) \(chain)")
        case .set(let set, let verb): ("\(verb)", "\(set)")
        case .deleteSet(let set): ("delete", "\(set)")
        case .elements(let elements, let set, let verb):
            ("\(verb) element", elements.count == 1 ? "\(elements[0].key.text) in \(set)" : "in \(set)")
        case .deleteElements(let elements, let set):
            ("delete element", elements.count == 1 ? "\(elements[0].key.text) in \(set)" : "in \(set)")
        case .flushSet(let set): ("flush", "\(set)")
        }
    }

    /// What else than the object itself may be missing when the kernel says that there is no such thing.
    var missing: String? {
        switch self {
        case .rule(let rule, _):
            guard let expressions = try? RuleCompiler.compile(rule) else { return nil }
            var names: [String] = []
            for expression in expressions where !names.contains(expression.name) { names.append(expression.name) }
            return "a set or chain that it names is missing, or the kernel lacks one of its expressions: "
                + names.joined(separator: ", ")
        case .chain(let chain, _):
            return chain.base.map {
                "its table is missing, or the kernel lacks chains of type \($0.type.rawValue) in family \(chain.table.family)"
            }
        default: return nil
        }
    }

    /// The set and the elements, of commands about them.
    var elements: (set: NamedSet, elements: [Element])? {
        switch self {
        case .elements(let elements, let set, _), .deleteElements(let elements, let set): (set, elements)
        default: nil
        }
    }
}
