import Addressing
import LinuxSystem
import NetworkModel
import Nftables
import SystemPackage

/// The private table of one host.
struct Firewall: ~Copyable {
    var socket: NftablesSocket

    /// The firewall of the calling thread's network namespace.
    init() throws { socket = try NftablesSocket() }

    private static let layouts = [Ruleset.layout, SourceGuard.layout]

    /// Whether the table is there with the layout that this program knows.
    mutating func isBuilt(_ layout: TableLayout = Ruleset.layout) throws -> Bool {
        let table = layout.table
        return try socket.table(table.family, table.name)?.comment == table.comment
    }

    /// The tables that a change needs and that are not there.
    ///
    /// - Parameter isRouting: Whether the host routes for a network, and so needs the first in any case.
    mutating func missing(for change: FirewallChange, isRouting: () throws -> Bool) throws -> [TableLayout] {
        let groups = ElementGroups(change.removed + change.added).groups
        return try Self.layouts.filter { layout in
            let isConcerned = groups.contains { layout.holds($0.set) }
            guard isConcerned || layout.table == Ruleset.table else { return false }
            if try isBuilt(layout) { return false }
            return try isConcerned || groups.isEmpty || isRouting()
        }
    }

    /// Makes a change in one batch.
    mutating func commit(_ change: FirewallChange) throws {
        var batch = Batch()
        for group in ElementGroups(change.removed).groups { batch.delete(group.elements, from: group.set) }
        Self.add(change.added, to: &batch)
        do throws(NftablesError) {
            try socket.commit(batch)
        } catch {
            // Something has been taken out behind our back. The rest of the change still has to happen.
            guard error.errno == .noSuchFileOrDirectory, !change.removed.isEmpty else { throw error }
            try commitWhatIsThere(change)
        }
    }

    /// Builds tables and makes a change, in one batch.
    ///
    /// A table that is missing, or has another layout, is built from what is recorded; so somebody else's flush of all
    /// rules is repaired by the next command, and there is no moment without protection.
    mutating func build(
        _ layouts: [TableLayout], recorded: [FirewallElement], _ change: FirewallChange = FirewallChange()
    ) throws {
        var batch = Batch()
        for layout in layouts {
            let table = layout.table
            if let present = try socket.table(table.family, table.name) { batch.delete(present) }
            batch.append(layout.creation)
        }
        let isNew = { (set: NamedSet) in layouts.contains { $0.holds(set) } }
        // What is built has nothing that could be removed.
        for group in ElementGroups(change.removed).groups where !isNew(group.set) {
            batch.delete(group.elements, from: group.set)
        }
        let gone = Set(change.removed)
        var seen = Set(change.added)
        let kept = recorded.filter { !gone.contains($0) && seen.insert($0).inserted }
        for group in ElementGroups(kept).groups where isNew(group.set) { batch.add(group.elements, to: group.set) }
        Self.add(change.added, to: &batch)
        try socket.commit(batch)
    }

    /// A port that leads somewhere already is an error; a bridge that is known already is not.
    private static func add(_ facts: [FirewallElement], to batch: inout Batch) {
        for group in ElementGroups(facts).groups {
            if group.set.content == .nothing {
                batch.add(group.elements, to: group.set)
            } else {
                batch.create(group.elements, in: group.set)
            }
        }
    }

    /// Makes a change of which some elements may have been removed, or added, already.
    ///
    /// An element that leads somewhere else by now belongs to somebody else and stays.
    mutating func commitWhatIsThere(_ change: FirewallChange) throws {
        let built = try Self.layouts.filter { try isBuilt($0) }
        let isThere = { (set: NamedSet) in built.contains { $0.holds(set) } }
        var batch = Batch()
        for group in ElementGroups(change.removed).groups where isThere(group.set) {
            var present: [[Value]: Element] = [:]
            for element in try socket.elements(of: group.set) { present[element.key] = element }
            let ours = group.elements.filter { element in
                guard let found = present[element.key] else { return false }
                return found.content == element.content
            }
            batch.delete(ours, from: group.set)
        }
        for group in ElementGroups(change.added).groups where isThere(group.set) {
            batch.add(group.elements, to: group.set)
        }
        try socket.commit(batch)
    }

    /// The elements that a set or map holds now.
    mutating func elementsPresent(in set: NamedSet) throws -> [Element] { try socket.elements(of: set) }

    /// Removes a table with all that is in it. Equivalent to `nft delete table inet swnet`.
    mutating func remove(_ layout: TableLayout = Ruleset.layout) throws {
        guard let table = try socket.table(layout.table.family, layout.table.name) else { return }
        var batch = Batch()
        batch.delete(table)
        try socket.commit(batch)
    }
}
