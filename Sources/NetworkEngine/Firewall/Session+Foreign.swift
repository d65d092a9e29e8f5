import LinuxSystem
import NetworkModel
import Nftables

/// Firewalls of others: what stands in our way is said once, and done away with only when that is asked for.
extension Session {
    /// Chains of others in which packets of ours are dropped.
    mutating func obstacles() throws -> [ForeignChain] {
        let networks = try store.routedNetworks().compactMap { try store.network($0) }
        guard !networks.isEmpty else { return [] }
        let isAsked = NameService.isInstalled && networks.contains(where: \.hasNames)
        return try firewall.foreignDrops(isAsked ? [.forward, .input] : [.forward]).filter { !$0.isOpen }
    }

    /// Says what stands in the way, when a network is raised or the first port is published.
    mutating func announceObstacles() {
        guard planned == nil, let obstacles = try? obstacles() else { return }
        for chain in obstacles { notice("chain \(chain.base.reference): \(chain.problem) (\(ForeignChain.advice))") }
    }

    mutating func checkForeign(_ check: inout NetworkCheck) throws {
        let isWanted = store.opensForeign
        for chain in try obstacles() {
            check.report(
                "chain \(chain.base.reference)", chain.problem, isWanted ? .foreign : .advice(ForeignChain.advice))
        }
    }

    /// Lets our packets through the chains of others, from now on until the last network is removed.
    mutating func openForeign() throws {
        try store.setOpensForeign(true)
        for chain in try obstacles() { try firewall.open(chain) }
    }

    mutating func closeForeign() throws {
        guard store.opensForeign else { return }
        try firewall.closeForeign()
        try store.setOpensForeign(false)
    }
}

extension Store {
    private static let foreign = "foreign"

    /// Whether rules of ours are wanted in chains of others.
    var opensForeign: Bool { run.contains(Self.foreign) }

    borrowing func setOpensForeign(_ isWanted: Bool) throws {
        try run.remove(Self.foreign)
        if isWanted { try run.makeSymbolicLink(Self.foreign, to: "open") }
    }
}
