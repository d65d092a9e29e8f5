import Nftables

/// A table of ours as it is made: everything but its elements, which are all that changes.
struct TableLayout: Sendable {
    /// Its comment is the layout's version: a table with another one is replaced, whatever made it.
    let table: Table
    let sets: [NamedSet]
    let chains: [Chain]
    let rules: [Rule]

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
