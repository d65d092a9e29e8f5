import NetworkModel
import Nftables

/// One of our private tables.
enum FirewallTable: CaseIterable {
    /// `inet swnet`: who reaches whom, and published ports.
    case networks
    /// `bridge swnet`: what endpoints send, while a network asks for that.
    case sources

    var table: Table.Reference {
        switch self {
        case .networks: Ruleset.table.reference
        case .sources: SourceGuard.table.reference
        }
    }

    func holds(_ set: NamedSet) -> Bool { set.table == table }

    /// Whether a fact is for this table.
    func concerns(_ fact: FirewallElement) -> Bool {
        if case .nameServer = fact { return self == .networks }
        return fact.set?.table == table
    }
}
