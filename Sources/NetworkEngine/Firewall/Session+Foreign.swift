import LinuxSystem
import NetworkModel
import Nftables

/// Firewalls of others: what stands in our way is said once, and done away with only when that is asked for.
extension Session {
    /// Chains of others in which packets of ours are dropped.
    mutating func obstacles() throws -> [ForeignChain] {
        let hooks = try hooksOfOurs()
        if hooks.isEmpty { return [] }
        let hasBridges = try store.routedNetworks().contains { try store.network($0)?.driver.ownsBridge == true }
        return try firewall.foreignDrops(hooks, ofBridges: hasBridges).filter { !$0.isOpen }
    }

    /// The same in tables of the old packet filter.
    func legacyObstacles() throws -> [ForeignLegacyChain] {
        let hooks = try hooksOfOurs()
        // Its table `filter` has no others.
        let chains = try ForeignLegacyChain.all(hooks.filter { $0 == .forward || $0 == .input })
        return chains.filter { !$0.isOpen }
    }

    /// Where the host's own packet filters see packets of our networks.
    private func hooksOfOurs() throws -> [Chain.Hook] {
        let networks = try store.routedNetworks().compactMap { try store.network($0) }
        guard !networks.isEmpty else { return [] }
        let isAsked = NameService.isInstalled && networks.contains(where: \.hasNames)
        return [.prerouting, .forward, .postrouting] + (isAsked ? [.input] : [])
    }

    /// Says what stands in the way, when a network is raised or the first port is published.
    mutating func announceObstacles() {
        guard planned == nil else { return }
        for chain in (try? obstacles()) ?? [] {
            notice("chain \(chain.base.reference): \(chain.problem) (\(ForeignChain.advice))")
        }
        for chain in (try? legacyObstacles()) ?? [] {
            notice("chain \(chain.object): \(ForeignChain.problem(chain.hook)) (\(chain.advice))")
        }
    }

    mutating func checkForeign(_ check: inout NetworkCheck) throws {
        let isWanted = opensForeign || store.opensForeign
        for chain in try obstacles() {
            check.report(
                "chain \(chain.base.reference)", chain.problem, isWanted ? .foreign : .advice(ForeignChain.advice))
        }
        for chain in try legacyObstacles() {
            check.report(
                "chain \(chain.object)", ForeignChain.problem(chain.hook), isWanted ? .foreign : .advice(chain.advice))
        }
    }

    /// Lets our packets through the chains of others, from now on until the last network is removed.
    mutating func openForeign() throws {
        try store.setOpensForeign(true)
        // Each by itself: one that cannot be opened keeps no other shut.
        for chain in try obstacles() {
            do {
                try firewall.open(chain)
            } catch {
                let isBridge = chain.base.table.family == .bridge
                notice(
                    "open chain \(chain.base.reference): \(error)"
                        + (isBridge ? " (\(ForeignChain.adviceForBridge))" : ""))
            }
        }
        for chain in try legacyObstacles() {
            do { try chain.open() } catch { notice("open chain \(chain.object): \(error)") }
        }
    }

    mutating func closeForeign() throws {
        guard store.opensForeign else { return }
        try firewall.closeForeign()
        try ForeignLegacyChain.closeAll()
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
