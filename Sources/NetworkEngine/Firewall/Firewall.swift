import Addressing
import LinuxSystem
import NetworkModel
import Nftables
import SystemPackage

/// The private table of one host.
struct Firewall: ~Copyable {
    var socket: NftablesSocket
    /// What the table says of where the records are; nil for the usual place.
    var owner: String?

    /// The firewall of the calling thread's network namespace.
    init() throws { socket = try NftablesSocket() }

    /// Whether a table is there with a layout that this program knows, and in force.
    mutating func isBuilt(_ table: FirewallTable) throws -> Bool {
        guard let present = try socket.table(table.table.family, table.table.name), !present.isDormant else {
            return false
        }
        let comment = present.comment
        return switch table {
        case .networks: Ruleset.parts(comment: comment) != nil
        case .sources: comment == SourceGuard.table.comment
        }
    }

    /// The parts that the first table has; nil when it is missing, not in force, or of another layout.
    mutating func parts() throws -> Set<String>? {
        guard let present = try socket.table(Ruleset.table.family, Ruleset.table.name), !present.isDormant else {
            return nil
        }
        return Ruleset.parts(comment: present.comment)
    }

    /// The tables that a change needs and that are not there, or not with all that it needs.
    ///
    /// - Parameter isRouting: Whether the host routes for a network, and so needs the first in any case.
    mutating func missing(for change: FirewallChange, isRouting: () throws -> Bool) throws -> [FirewallTable] {
        let facts = change.removed + change.added
        return try FirewallTable.allCases.filter { table in
            let isConcerned = facts.contains(where: table.concerns)
            guard isConcerned || table == .networks else { return false }
            guard table == .networks else { return try !isBuilt(table) }
            if let parts = try parts() { return !Ruleset.parts(of: change.added).isSubset(of: parts) }
            return try isConcerned || facts.isEmpty || isRouting()
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
    /// A table that is missing, has another layout or lacks a part is built from what is recorded; so somebody else's flush
    /// of all rules is repaired by the next command, and there is no moment without protection.
    mutating func build(
        _ tables: [FirewallTable], recorded: [FirewallElement], _ change: FirewallChange = FirewallChange()
    ) throws {
        let gone = Set(change.removed)
        var seen = Set(change.added)
        let kept = recorded.filter { !gone.contains($0) && seen.insert($0).inserted }
        var batch = Batch()
        for table in tables {
            if let present = try socket.table(table.table.family, table.table.name) { batch.delete(present) }
            switch table {
            case .networks: batch.append(Ruleset.layout(Ruleset.parts(of: kept + change.added), owner: owner).creation)
            case .sources: batch.append(SourceGuard.layout(owner: owner).creation)
            }
        }
        let isNew = { (set: NamedSet) in tables.contains { $0.holds(set) } }
        // What is built has nothing that could be removed.
        for group in ElementGroups(change.removed).groups where !isNew(group.set) {
            batch.delete(group.elements, from: group.set)
        }
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
        let parts = try parts()
        let sources = try isBuilt(.sources)
        let isThere = { (set: NamedSet) in
            FirewallTable.sources.holds(set) ? sources : parts.map { Ruleset.layout($0).sets.contains(set) } ?? false
        }
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
    mutating func remove(_ table: FirewallTable) throws {
        guard let present = try socket.table(table.table.family, table.table.name) else { return }
        var batch = Batch()
        batch.delete(present)
        try socket.commit(batch)
    }
}
