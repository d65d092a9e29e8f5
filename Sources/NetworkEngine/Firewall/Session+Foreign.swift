import Addressing
import LinuxSystem
import NetworkModel
import Nftables
import Rtnetlink

/// Firewalls of others: what stands in our way is said once, and done away with only when that is asked for.
extension Session {
    /// Chains of others in which packets of ours are dropped.
    mutating func obstacles() throws -> [ForeignChain] {
        let networks = try store.raisedNetworks().compactMap { try store.network($0) }
        let routed = networks.filter(\.driver.isRoutedByHost)
        if routed.isEmpty && networks.allSatisfy({ $0.driver.parent == nil }) { return [] }
        let places = ForeignChain.Places(
            hooks: Self.hooks(of: routed), hasBridges: routed.contains(where: \.driver.ownsBridge),
            hasQuestions: routed.contains { $0.hasSubnet(.v4) }, asks: Self.questions(of: routed),
            bridges: Self.filteredBridges(of: networks))
        let chains = try firewall.foreignDrops(places).filter { !$0.isOpen }
        guard chains.contains(where: { !$0.devices.isEmpty }) else { return chains }
        let devices = try devicesOfOurs(networks)
        return chains.filter { $0.devices.isEmpty || !devices.isDisjoint(with: $0.devices) }
    }

    /// Bridges of others that networks are on, where br_netfilter hands their frames to the host's packet filters.
    private static func filteredBridges(of networks: [Network]) -> [String] {
        let bridges = networks.compactMap { network -> String? in
            if case .bridge(let existing?) = network.driver { existing.text } else { nil }
        }
        // Without the module there is no such parameter.
        return bridges.isEmpty || (try? Sysctl.read("net/bridge/bridge-nf-call-iptables")) != "1" ? [] : bridges
    }

    /// The host's interfaces that packets of our networks come in by.
    private mutating func devicesOfOurs(_ networks: [Network]) throws -> Set<String> {
        let all = try links.links()
        var devices = Set(all.filter(mark.isOn).map(\.name)).union(networks.compactMap(\.driver.parent?.text))
        guard networks.contains(where: \.driver.isRoutedByHost) else { return devices }
        let ways = Set(try links.routes(table: Route.mainTable).filter(\.isDefault).compactMap(\.link))
        devices.formUnion(all.filter { ways.contains($0.index) }.map(\.name))
        return devices
    }

    /// The same in tables of the old packet filter.
    func legacyObstacles() throws -> [ForeignLegacyChain] {
        let routed = try store.routedNetworks().compactMap { try store.network($0) }
        // Its table `filter` has no others.
        let hooks = Self.hooks(of: routed).filter { [.forward, .input, .output].contains($0) }
        return try ForeignLegacyChain.all(hooks, asks: Self.questions(of: routed)).filter { !$0.isOpen }
    }

    /// Where the host's own packet filters see packets of networks.
    private static func hooks(of routed: [Network]) -> [Chain.Hook] {
        if routed.isEmpty { return [] }
        let asks = questions(of: routed)
        return [.prerouting, .forward, .postrouting, .output] + (asks.names || asks.neighbours ? [.input] : [])
    }

    private static func questions(of routed: [Network]) -> ForeignChain.Questions {
        ForeignChain.Questions(
            names: NameService.isInstalled && routed.contains(where: \.hasNames),
            neighbours: routed.contains { $0.hasSubnet(.v6) })
    }

    /// Says what stands in the way, when a network is raised or the first port is published.
    mutating func announceObstacles() {
        guard planned == nil else { return }
        for chain in (try? obstacles()) ?? [] {
            notice("chain \(chain.base.reference): \(chain.problem) (\(chain.advice))")
        }
        for chain in (try? legacyObstacles()) ?? [] {
            notice("chain \(chain.object): \(ForeignChain.problem(chain.hook)) (\(chain.advice))")
        }
    }

    mutating func checkForeign(_ check: inout NetworkCheck) throws {
        let isWanted = opensForeign || store.opensForeign
        for chain in try obstacles() {
            let isDone = isWanted && !chain.wanted.isEmpty
            check.report(
                "chain \(chain.base.reference)", chain.problem, isDone ? .foreign : .advice(chain.advice))
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
        for chain in try obstacles() where !chain.wanted.isEmpty {
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
