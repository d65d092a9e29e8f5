import Nftables

/// A table of ours as it is made: everything but its elements, which are all that changes.
///
/// What is in it is put together when somebody asks: nearly every command only has to know whether the table is there.
struct TableLayout: Sendable {
    /// Its comment is the layout's version: a table with another one is replaced, whatever made it.
    let table: Table
    private let listSets: @Sendable () -> [NamedSet]
    private let listChains: @Sendable () -> [Chain]
    private let listRules: @Sendable () -> [Rule]

    init(
        table: Table, sets: @escaping @Sendable @autoclosure () -> [NamedSet],
        chains: @escaping @Sendable @autoclosure () -> [Chain], rules: @escaping @Sendable @autoclosure () -> [Rule]
    ) {
        self.table = table
        listSets = sets
        listChains = chains
        listRules = rules
    }

    var sets: [NamedSet] { listSets() }
    var chains: [Chain] { listChains() }
    var rules: [Rule] { listRules() }

    /// For a table that does not exist yet.
    var creation: Batch {
        var batch = Batch()
        batch.create(table)
        for set in sets { batch.add(set) }
        for chain in chains { batch.add(chain) }
        for rule in rules { batch.add(rule) }
        return batch
    }

    func holds(_ set: NamedSet) -> Bool { set.table == table.reference }
}
