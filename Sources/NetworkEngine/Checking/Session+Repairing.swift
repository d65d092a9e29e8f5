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
        let forgotten = try store.forgottenNetworks(try store.sandboxes { _, _ in })
        if !forgotten.isEmpty { found += try check() }
        for name in forgotten { try expose { try $0.store.markRaised(name) } }
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
        do { try expose { try $0.shrinkFirewall() } } catch { notice("repair firewall: \(error)") }
        for isInternal in [false, true] { NameService(runRoot: runRoot, isInternal: isInternal).endForgotten() }
        return finishRepair(found, left: try check())
    }

    private mutating func finishRepair(
        _ found: [NetworkDifference], left: [NetworkDifference]
    ) -> (repaired: [NetworkDifference], left: [NetworkDifference]) {
        let repaired = found.filter { $0.isOurs && !left.contains($0) }
        // That it cannot be written makes the repair no worse.
        if !repaired.isEmpty { try? expose { $0.noteRepair(repaired) } }
        return (repaired, left)
    }

    /// Removes what lies in the place of folders, and cleans up what waited for that.
    private mutating func restoreFolders() throws -> [NetworkDifference] {
        let found = try store.strangeFolders().map { store.difference(ofFolder: $0) }
        for case .folder(let name) in found.map(\.remedy) { try expose { try $0.store.restoreFolder(name) } }
        if !found.isEmpty && found.allSatisfy(\.isOurs) { try recover() }
        return found
    }

    /// For those who watch.
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
            guard let network = try store.network(name) else { break }
            try markBridge(of: network)
            try expose { try BridgeDriver(network: network, mark: $0.mark).restore(&$0.links) }
            try expose { try $0.noteBridge(of: network) }
            try forgetStrangeNeighbours(network)
        case .endpoint(let name, let network, let interface):
            try withEndpoint(name, network, interface) { driver, identity, links in
                try? driver.detach(&links, identity: identity)
            }
            try withEndpoint(name, network, interface) { driver, identity, links in
                var driver = driver
                driver.isRestored = true
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
        case .relays: try expose { try $0.restoreRelays() }
        case .foreign: try expose { try $0.openForeign() }
        case .remains(let name): try perform(.lower(Network(name: name, subnets: [])))
        case .stray(let name): try expose { try LinkRemoval.remove(name, &$0.links) }
        case .forwarding: try restoreForwarding()
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
        try expose { try $0.links.set(.index(bridge.index), LinkSettings(alias: $0.mark.alias(of: network))) }
    }

    private mutating func forgetStrangeNeighbours(_ network: Network) throws {
        guard network.driver.ownsBridge, let bridge = try network.bridgeName.flatMap({ try links.link(named: $0) })
        else { return }
        try forget(
            try strangeNeighbours(network, on: bridge, try store.sandboxes { _, _ in }).map(\.address), on: bridge)
    }

    private mutating func forget(_ neighbours: [IPAddress], on link: Link) throws {
        if neighbours.isEmpty { return }
        try expose { try $0.links.apply(neighbours.map { .deleteNeighbour(Neighbour($0, link: link.index)) }) }
    }

    private mutating func forgetStrangeNeighbours(ofPair name: String, _ network: String, _ interface: String) throws {
        guard
            let endpoint = try store.sandbox(key: SandboxReference.key(forName: name))?
                .endpoint(in: network, interface: interface),
            case .pointToPoint(let host) = endpoint.link, let link = try links.link(named: host)
        else { return }
        try forget(try strangeNeighbours(of: [endpoint], on: link).map(\.address), on: link)
    }

    private mutating func restoreForwarding() throws {
        let superfluous = try superfluousForwarding(among: store.raisedNetworks().compactMap { try store.network($0) })
        if !superfluous.isEmpty { try perform(.unforward(superfluous)) }
        for network in try store.routedNetworks() {
            guard let network = try store.network(network), network.needsForwarding,
                let needed = try neededForwarding(for: network)
            else { continue }
            try expose { try $0.noteForwarding { $0.merging(needed) } }
            try expose { try $0.commitWhatIsThere(FirewallChange(added: needed.elements)) }
            try expose { _ in try Forwarding.enable(needed) }
        }
        let deaf = try Forwarding.deaf(try forwarding())
        if !deaf.isEmpty {
            try expose { _ in try Forwarding.enable(HostForwarding(acceptsRouterAdvertisements: deaf)) }
        }
    }

    /// Builds the tables that are needed, and removes those that are not.
    mutating func restoreFirewall() throws {
        var tables: [FirewallTable] = []
        if try store.routedNetworks().isEmpty && forwarding().isEmpty {
            try expose { try $0.firewall.remove(.networks) }
        } else {
            tables.append(.networks)
        }
        if try store.isGuarding() {
            tables.append(.sources)
        } else {
            try expose { try $0.firewall.remove(.sources) }
        }
        let recorded = try recordedElements(of: try store.sandboxes())
        try expose { try $0.firewall.build(tables, recorded: recorded) }
    }

    private mutating func withEndpoint(
        _ name: String, _ network: String, _ interface: String,
        _ body: (EndpointDriver, SandboxIdentity, inout Rtnetlink) throws -> Void
    ) throws {
        guard let sandbox = try store.sandbox(key: SandboxReference.key(forName: name)),
            let endpoint = sandbox.endpoint(in: network, interface: interface)
        else { return }
        if let network = try store.network(network) { try checkBridge(of: network) }
        let driver = EndpointDriver(endpoint: endpoint, sandbox: sandbox.name, mark: mark)
        try expose { try body(driver, sandbox.identity, &$0.links) }
    }

    /// Refuses to put anything on a bridge that has the name of a network's and is somebody else's.
    private mutating func checkBridge(of network: Network) throws {
        guard network.driver.ownsBridge, let bridge = try network.bridgeName.flatMap({ try links.link(named: $0) }),
            try !isOwnBridge(bridge, of: network)
        else { return }
        throw NetworkError(.taken, "the interface \(bridge.name) is not of network \(network.name)")
    }

    /// Starts the DHCP client of an endpoint that has lost it, or whose interface is a new one.
    private mutating func restartClient(_ name: String, _ network: String, _ interface: String) throws {
        guard let sandbox = try store.sandbox(key: SandboxReference.key(forName: name)),
            let endpoint = sandbox.endpoint(in: network, interface: interface)
        else { return }
        for client in DHCPClient.all(of: endpoint, sandbox: name) {
            try expose {
                try client.stop($0.runRoot)
                try client.start($0.runRoot, $0.stateRoot, identity: sandbox.identity)
            }
        }
    }

    mutating func restoreNames() throws {
        let sandboxes = try store.sandboxes()
        var networks: [Network] = []
        for name in try store.raisedNetworks() {
            if let network = try store.network(name), network.hasNames { networks.append(network) }
        }
        for isInternal in [false, true] {
            let names = NameService(runRoot: runRoot, isInternal: isInternal)
            let served = networks.filter { $0.isInternal == isInternal }
            try expose { if let message = try names.restore(served, sandboxes) { $0.notice(message) } }
        }
    }

    mutating func restoreRecords() throws {
        if try forwardingProblem() != nil {
            let forwarding = try forwarding()
            try expose { try $0.store.setForwarding(forwarding) }
        }
        let sandboxes = try store.sandboxes()
        for name in try store.raisedNetworks() {
            if !store.isRaised(name) { try expose { try $0.store.markRaised(name) } }
            try noteMarkedBridge(ofNetwork: name)
            for (address, owner) in try orphanedLeases(name, sandboxes) {
                try expose { try $0.store.free(address, network: name, owner: owner) }
            }
        }
        for name in try store.orphanedNamespaces() { try expose { try $0.store.forgetNamespace(name) } }
        for sandbox in sandboxes {
            let identity = sandbox.identity
            if identity.isAlive, try store.sandboxKey(namespace: identity.inode) != sandbox.key {
                try expose { try $0.store.noteNamespace(identity.inode, of: sandbox.key) }
            }
            for endpoint in sandbox.endpoints where !endpoint.isLeased {
                try restoreLeases(of: endpoint, owner: sandbox.key)
                if !store.unknownStrangers(endpoint).isEmpty { try expose { try $0.store.noteStrangeOwner(endpoint) } }
            }
        }
        if try !PortIndex.matches(store, sandboxes) { try expose { try PortIndex.rebuild($0.store) } }
    }

    private mutating func noteMarkedBridge(ofNetwork name: String) throws {
        guard let network = try store.network(name),
            let bridge = try network.bridgeName.flatMap({ try links.link(named: $0) }),
            try lacksRecord(of: bridge, network)
        else { return }
        try expose { try $0.noteBridge(of: network) }
    }

    private mutating func restoreLeases(of endpoint: Endpoint, owner key: String) throws {
        for address in endpoint.addresses.map(\.address) {
            let owner = try store.owner(of: address, network: endpoint.network)
            if owner == key { continue }
            if let owner { try expose { try $0.store.free(address, network: endpoint.network, owner: owner) } }
            try expose { try $0.store.lease(address, network: endpoint.network, owner: key) }
        }
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
