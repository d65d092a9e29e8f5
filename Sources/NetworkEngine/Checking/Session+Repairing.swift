import Addressing
import JSONCoding
import LinuxSystem
import NetworkModel
import Rtnetlink

extension Session {
    /// Makes right what is wrong, without touching what is right.
    ///
    /// - Returns: What was repaired, and what is still different afterwards.
    mutating func repair() throws -> (repaired: [NetworkDifference], left: [NetworkDifference]) {
        try firewall.checkOwner()
        // Until these are made good, more cannot be found out.
        var found = try restoreFolders()
        guard found.allSatisfy(\.isOurs) else { return finishRepair(found, left: try check()) }
        let forgotten = try forgottenNetworks(try store.sandboxes { _, _ in })
        if !forgotten.isEmpty { found += try check() }
        for name in forgotten { try store.markRaised(name) }
        found += try check()
        var done: Set<NetworkDifference.Remedy> = []
        for difference in found.sorted(by: { $0.remedy.order < $1.remedy.order })
        where difference.isOurs && done.insert(difference.remedy).inserted {
            do {
                try apply(difference.remedy)
            } catch {
                notice("repair \(difference.object): \(error)")
            }
        }
        do { try shrinkFirewall() } catch { notice("repair firewall: \(error)") }
        for isInternal in [false, true] { NameService(runRoot: runRoot, isInternal: isInternal).endForgotten() }
        return finishRepair(found, left: try check())
    }

    private func finishRepair(
        _ found: [NetworkDifference], left: [NetworkDifference]
    ) -> (repaired: [NetworkDifference], left: [NetworkDifference]) {
        let repaired = found.filter { $0.isOurs && !left.contains($0) }
        if !repaired.isEmpty { noteRepair(repaired) }
        return (repaired, left)
    }

    /// Removes what lies in the place of folders, and cleans up what waited for that.
    private mutating func restoreFolders() throws -> [NetworkDifference] {
        let found = try store.strangeFolders().map { store.difference(ofFolder: $0) }
        for case .folder(let name) in found.map(\.remedy) { try store.restoreFolder(name) }
        if !found.isEmpty && found.allSatisfy(\.isOurs) { try recover() }
        return found
    }

    /// For those who watch. That it cannot be written makes the repair no worse.
    private func noteRepair(_ repaired: [NetworkDifference]) {
        let last = (try? store.run.readFile("repaired")).flatMap(\.self).flatMap { bytes -> RepairRecord? in
            try? RepairRecord(json: JSONValue(parsing: bytes))
        }
        let record = RepairRecord(repaired, number: (last?.number ?? 0) &+ 1)
        try? store.replace("repaired", with: record.json.bytes)
    }

    private mutating func apply(_ remedy: NetworkDifference.Remedy) throws {
        switch remedy {
        case .release(let name):
            if let sandbox = try store.sandbox(key: SandboxReference.key(forName: name)) { try release(sandbox) }
        case .network(let name):
            if let network = try store.network(name) {
                try markBridge(of: network)
                try BridgeDriver(network: network, mark: mark).restore(&links)
                try noteBridge(of: network)
                try forgetStrangeNeighbours(network)
            }
        case .endpoint(let name, let network, let interface):
            try withEndpoint(name, network, interface) { driver, identity, links in
                var driver = driver
                driver.isRestored = true
                try? driver.detach(&links, identity: identity)
                try driver.attach(&links, namespace: try Namespace(path: identity.path, kind: .net))
            }
            try restartClient(name, network, interface)
        case .interface(let name, let network, let interface):
            try withEndpoint(name, network, interface) { driver, identity, links in
                try driver.restore(&links, namespace: try Namespace(path: identity.path, kind: .net))
            }
            try forgetStrangeNeighbours(ofPair: name, network, interface)
            try restartClient(name, network, interface)
        case .records: try restoreRecords()
        case .relays: try restoreRelays()
        case .foreign: try openForeign()
        case .remains(let name): try execute(.lower(Network(name: name, subnets: [])))
        case .stray(let name): try LinkRemoval.remove(name, &links)
        case .forwarding:
            let superfluous = try superfluousForwarding(
                among: store.raisedNetworks().compactMap { try store.network($0) })
            if !superfluous.isEmpty { try execute(.unforward(superfluous)) }
            for network in try store.routedNetworks() {
                guard let network = try store.network(network), network.needsForwarding,
                    let needed = try neededForwarding(for: network)
                else { continue }
                try noteForwarding { $0.merging(needed) }
                try commitWhatIsThere(FirewallChange(added: needed.elements))
                try Forwarding.enable(needed)
            }
        case .firewall: try restoreFirewall()
        case .names: try restoreNames()
        // Before all else.
        case .folder, .person, .advice: break
        }
    }

    /// Puts our mark back on a bridge that is known by its index.
    private mutating func markBridge(of network: Network) throws {
        guard network.driver.ownsBridge, let bridge = try network.bridgeName.flatMap({ try links.link(named: $0) }),
            try isOwnBridge(bridge, of: network), bridge.alias != mark.alias(of: network)
        else { return }
        try links.set(.index(bridge.index), LinkSettings(alias: mark.alias(of: network)))
    }

    private mutating func forgetStrangeNeighbours(_ network: Network) throws {
        guard network.driver.ownsBridge, let bridge = try network.bridgeName.flatMap({ try links.link(named: $0) })
        else { return }
        let strange = try strangeNeighbours(network, on: bridge, try store.sandboxes { _, _ in })
        try links.apply(strange.map { .deleteNeighbour(Neighbour($0.address, link: bridge.index)) })
    }

    private mutating func forgetStrangeNeighbours(ofPair name: String, _ network: String, _ interface: String) throws {
        guard
            let endpoint = try store.sandbox(key: SandboxReference.key(forName: name))?
                .endpoint(in: network, interface: interface),
            case .pointToPoint(let host) = endpoint.link, let link = try links.link(named: host)
        else { return }
        let strange = try strangeNeighbours(of: [endpoint], on: link)
        try links.apply(strange.map { .deleteNeighbour(Neighbour($0.address, link: link.index)) })
    }

    /// Builds the tables that are needed, and removes those that are not.
    mutating func restoreFirewall() throws {
        var tables: [FirewallTable] = []
        if try store.routedNetworks().isEmpty && forwarding().isEmpty {
            try firewall.remove(.networks)
        } else {
            tables.append(.networks)
        }
        if try isGuarding() { tables.append(.sources) } else { try firewall.remove(.sources) }
        try firewall.build(tables, recorded: try recordedElements(of: try store.sandboxes()))
    }

    private mutating func withEndpoint(
        _ name: String, _ network: String, _ interface: String,
        _ body: (EndpointDriver, SandboxIdentity, inout Rtnetlink) throws -> Void
    ) throws {
        guard let sandbox = try store.sandbox(key: SandboxReference.key(forName: name)),
            let endpoint = sandbox.endpoint(in: network, interface: interface)
        else { return }
        if let network = try store.network(network) { try checkBridge(of: network) }
        try body(EndpointDriver(endpoint: endpoint, sandbox: sandbox.name, mark: mark), sandbox.identity, &links)
    }

    /// Refuses to put anything on a bridge that has the name of a network's and is somebody else's.
    private mutating func checkBridge(of network: Network) throws {
        guard network.driver.ownsBridge, let bridge = try network.bridgeName.flatMap({ try links.link(named: $0) }),
            try !isOwnBridge(bridge, of: network)
        else { return }
        throw NetworkError(.taken, "the interface \(bridge.name) is not of network \(network.name)")
    }

    /// Starts the DHCP client of an endpoint that has lost it, or whose interface is a new one.
    private func restartClient(_ name: String, _ network: String, _ interface: String) throws {
        guard let sandbox = try store.sandbox(key: SandboxReference.key(forName: name)),
            let endpoint = sandbox.endpoint(in: network, interface: interface)
        else { return }
        for client in DHCPClient.all(of: endpoint, sandbox: name) {
            try client.stop(runRoot)
            try client.start(runRoot, stateRoot, identity: sandbox.identity)
        }
    }

    func restoreNames() throws {
        let sandboxes = try store.sandboxes()
        var networks: [Network] = []
        for name in try store.raisedNetworks() {
            if let network = try store.network(name), network.hasNames { networks.append(network) }
        }
        for isInternal in [false, true] {
            let names = NameService(runRoot: runRoot, isInternal: isInternal)
            let served = networks.filter { $0.isInternal == isInternal }
            if let message = try names.restore(served, sandboxes) { notice(message) }
        }
    }

    mutating func restoreRecords() throws {
        if try forwardingProblem() != nil { try store.setForwarding(try forwarding()) }
        let sandboxes = try store.sandboxes()
        for network in try store.raisedNetworks() {
            for (address, owner) in try orphanedLeases(network, sandboxes) {
                try store.free(address, network: network, owner: owner)
            }
        }
        for name in try store.orphanedNamespaces() { try store.forgetNamespace(name) }
        for sandbox in sandboxes {
            if sandbox.identity.isAlive { try store.noteNamespace(sandbox.identity.inode, of: sandbox.key) }
            for endpoint in sandbox.endpoints where !endpoint.isLeased {
                for prefix in endpoint.addresses {
                    let owner = try store.owner(of: prefix.address, network: endpoint.network)
                    if let owner, owner != sandbox.key {
                        try store.free(prefix.address, network: endpoint.network, owner: owner)
                    }
                    try store.lease(prefix.address, network: endpoint.network, owner: sandbox.key)
                }
            }
        }
        try PortIndex.rebuild(store)
    }
}

extension NetworkDifference.Remedy {
    /// What others stand on comes first: bridges before their ports, the firewall when everything is there.
    fileprivate var order: Int {
        switch self {
        case .folder, .release: 0
        case .remains, .stray, .records: 1
        case .network: 2
        case .endpoint: 3
        case .interface: 4
        case .firewall: 5
        case .forwarding: 6
        case .names: 7
        case .relays: 8
        case .foreign: 9
        case .person: 10
        case .advice: 11
        }
    }
}
