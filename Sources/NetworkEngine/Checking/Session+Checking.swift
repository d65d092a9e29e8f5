import Addressing
import LinuxSystem
import NetworkModel
import Rtnetlink

extension Session {
    /// Compares the records with the kernel: links, addresses, routes, kernel parameters, firewall, leases, names.
    mutating func check() throws -> [NetworkDifference] {
        try firewall.checkOwner()
        let strange = try store.strangeFolders()
        // Everything that belongs there would seem to be gone.
        guard strange.isEmpty else { return strange.map { store.difference(ofFolder: $0) } }
        var check = NetworkCheck(host: try HostState(&links))
        for name in try store.raisedNetworks() {
            do {
                check.networks[name] = try store.network(name)
            } catch let error as NetworkError {
                check.reportUnreadable(network: name, error)
            }
        }
        for name in try store.networkNames() where check.networks[name] == nil && !check.unknownNetworks.contains(name)
        {
            // It has nothing in the kernel.
            do { _ = try store.network(name) } catch let error as NetworkError {
                check.report("network \(name)", "its definition cannot be read", .person("\(error)"))
            }
        }
        check.records = try store.sandboxes { check.reportUnreadable(sandbox: $0, $1) }
        let forgotten = try store.forgottenNetworks(check.records)
        guard forgotten.isEmpty else {
            // Everything of theirs would seem to be nobody's.
            for name in forgotten {
                check.report("network \(name)", "its record of this boot is gone", .network(name))
            }
            return check.differences
        }
        try checkRemains(&check)
        for network in check.networks.values.sorted(by: { $0.name < $1.name }) { try checkNetwork(network, &check) }
        let home = try Namespace.current(.net)
        for sandbox in check.records {
            guard let namespace = sandbox.identity.living else {
                check.report("sandbox \(sandbox.name)", sandbox.identity.loss, .release(sandbox.name))
                continue
            }
            check.sandboxes.append(sandbox)
            for endpoint in sandbox.endpoints {
                try checkHostEnd(endpoint, of: sandbox, &check)
                try checkInside(endpoint, of: sandbox, namespace, from: home, &check) {
                    $0.problems(endpoint) + $0.subnetProblems(endpoint) + $0.parameterProblems(endpoint)
                }
                try checkLeases(endpoint.addresses.map(\.address), endpoint, of: sandbox, &check)
            }
        }
        try checkRecords(&check)
        checkHostAddresses(&check)
        checkDetours(&check)
        try checkWays(&check)
        try checkRelays(&check)
        try checkRivals(&check)
        try checkForwarding(&check)
        // What belongs to what cannot be read cannot be told from what belongs to nobody.
        if check.unknownSandboxes.isEmpty && check.unknownNetworks.isEmpty {
            try firewall.check(expecting: try recordedElements(of: check.records), networks: check.networks, &check)
            try checkForeign(&check)
            try checkNames(&check)
        }
        return check.differences
    }

    /// Compares one endpoint with the kernel, and all that it stands on.
    ///
    /// - Parameters:
    ///   - endpoint: As it is recorded, or as somebody expects it to be.
    ///   - leases: The addresses that are recorded.
    ///   - ports: Those of the sandbox's that are looked at.
    mutating func check(
        _ endpoint: Endpoint, of sandbox: Sandbox, leases: [IPAddress], ports: [PortMapping]
    ) throws -> [NetworkDifference] {
        var check = NetworkCheck(host: try HostState(&links))
        guard let namespace = sandbox.identity.living else {
            check.report("sandbox \(sandbox.name)", sandbox.identity.loss, .release(sandbox.name))
            return check.differences
        }
        var facts = sandbox.elements(for: ports)
        if let network = try store.network(endpoint.network) {
            check.networks[network.name] = network
            try checkNetwork(network, &check)
            facts += network.elements + network.elements(of: endpoint, sandbox.name)
        }
        try checkHostEnd(endpoint, of: sandbox, &check)
        try checkInside(endpoint, of: sandbox, namespace, from: try Namespace.current(.net), &check) {
            $0.problems(endpoint)
        }
        try checkLeases(leases, endpoint, of: sandbox, &check)
        if !facts.isEmpty { try firewall.check(holding: facts, &check) }
        return check.differences
    }

    // MARK: Remains

    /// What there is of networks and endpoints that no record knows.
    private func checkRemains(_ check: inout NetworkCheck) throws {
        let users = Dictionary(
            check.records.flatMap { sandbox in sandbox.endpoints.map { ($0.network, sandbox.name) } },
            uniquingKeysWith: { first, _ in first })
        for name in try store.raisedNetworks()
        where check.networks[name] == nil && !check.unknownNetworks.contains(name) {
            if let user = users[name] {
                check.reportUndefined(network: name, user: user)
            } else {
                check.report("network \(name)", "it has been removed, and not all of it", .remains(name))
            }
        }
        var known = Set(check.records.flatMap { $0.endpoints.flatMap(\.link.hostInterfaces) })
        for network in check.networks.values {
            if let bridge = network.bridgeName { known.insert(bridge) }
            known.insert(network.vxlanName)
        }
        for link in check.host.links.values.sorted(by: { $0.name < $1.name })
        where mark.isOn(link) && ["veth", "ifb", "bridge", "vxlan"].contains(link.kind) && !known.contains(link.name)
            && !check.isUnknown(link)
        {
            if let network = check.networks.values.first(where: { mark.alias(of: $0) == link.alias }),
                link.kind == "bridge", let name = network.bridgeName, check.host.links[name] != nil
            {
                check.report(
                    "network \(network.name)", "its bridge is called \(link.name)",
                    .person("rename whatever is called \(name), then ip link set \(link.name) name \(name)"))
                continue
            }
            check.report("interface \(link.name)", "it carries our mark and belongs to nobody", .stray(link.name))
        }
    }

    // MARK: Endpoints

    private func checkLeases(
        _ addresses: [IPAddress], _ endpoint: Endpoint, of sandbox: Sandbox, _ check: inout NetworkCheck
    ) throws {
        // Those that others give are not ours to lease.
        if endpoint.isLeased || endpoint.configuresItself { return }
        for address in addresses where try store.owner(of: address, network: endpoint.network) != sandbox.key {
            check.report(sandbox.words(for: endpoint), "the lease of \(address) is missing", .records)
        }
    }

    private mutating func checkHostEnd(
        _ endpoint: Endpoint, of sandbox: Sandbox, _ check: inout NetworkCheck
    ) throws {
        guard let name = endpoint.link.hostInterface else { return }
        let object = sandbox.words(for: endpoint)
        let all = check.host.links
        guard let link = all[name] else {
            return check.report(
                object, "the host's end \(name) is missing",
                .endpoint(sandbox.name, network: endpoint.network, interface: endpoint.interface))
        }
        let driver = EndpointDriver(endpoint: endpoint, sandbox: sandbox.name, mark: mark)
        guard driver.owns(link) else {
            return check.report(
                object, "the interface \(name) is not this endpoint's",
                .person("rename or remove it: ip link show \(name)"))
        }
        let remedy = NetworkDifference.Remedy.interface(
            sandbox.name, network: endpoint.network, interface: endpoint.interface)
        if !link.isUp { check.report(object, "the host's end \(name) is down", remedy) }
        if link.alias != driver.alias {
            check.report(object, "the host's end \(name) does not carry the mark '\(driver.alias)'", remedy)
        }
        let bridge = endpoint.link.bridge.flatMap { all[$0] }
        // A bridge of ours that has another is told by itself, and is no measure then.
        let network = check.networks[endpoint.network]
        let wanted = network?.driver.ownsBridge == true ? network?.mtu : nil
        if let mtu = wanted.map(UInt32.init(clamping:)) ?? bridge?.mtu ?? endpoint.mtu.map(UInt32.init(clamping:)),
            link.mtu != mtu
        {
            check.report(object, "the host's end \(name) has mtu \(link.mtu) instead of \(mtu)", remedy)
        }
        if endpoint.options.hasLimits {
            let state = TrafficState(endpoint: endpoint, qdiscs: try check.listQdiscs(&links))
            for problem in try state.problems(link, all, &links) { check.report(object, problem, remedy) }
        }
        guard endpoint.link.bridge != nil else {
            for problem in try HostEnd(name: name, index: link.index, endpoint: endpoint).problems(link, check.host) {
                check.report(object, problem, remedy)
            }
            if !endpoint.isHandedOn, let (problem, advice) = try FirewallGate.problem(link, &links) {
                check.report(object, problem, advice.map { .person($0) } ?? remedy)
            }
            for neighbour in try strangeNeighbours(of: [endpoint], on: link) {
                check.report(object, "the host takes \(neighbour.address) to be at \(neighbour.owner)", remedy)
            }
            return
        }
        // A bridge of somebody else's that has the name has been told.
        if let network, network.driver.ownsBridge, let bridge, try !isOwnBridge(bridge, of: network) { return }
        if let problem = driver.portProblem(link, bridge: bridge) { check.report(object, problem, remedy) }
    }

    private func checkInside(
        _ endpoint: Endpoint, of sandbox: Sandbox, _ namespace: borrowing Namespace, from home: borrowing Namespace,
        _ check: inout NetworkCheck, _ problems: (InsideState) -> [String]
    ) throws {
        let object = sandbox.words(for: endpoint)
        guard let state = try InsideState(endpoint, in: namespace, from: home) else {
            // The host's end goes with it, and has been told then.
            guard !check.differences.contains(where: { $0.object == object }) else { return }
            return check.report(
                object, "the interface \(endpoint.interface) is missing",
                .endpoint(sandbox.name, network: endpoint.network, interface: endpoint.interface))
        }
        for client in DHCPClient.all(of: endpoint, sandbox: sandbox.name) where client.running(runRoot) == nil {
            check.report(
                object, "the DHCP client\(client.family == .v6 ? " for IPv6" : "") is not running",
                .interface(sandbox.name, network: endpoint.network, interface: endpoint.interface))
        }
        for client in DHCPClient.all(of: endpoint, sandbox: sandbox.name)
        where endpoint.address(client.family) == nil && client.isOverdue(runRoot) {
            check.report(
                object, "it has no \(client.family.word) address: no DHCP server has answered",
                .person("wait for a server, or swnet disconnect \(endpoint.network) \(sandbox.name)"))
        }
        for problem in problems(state) {
            check.report(
                object, problem, .interface(sandbox.name, network: endpoint.network, interface: endpoint.interface))
        }
    }

    // MARK: Records and host

    /// Addresses that the host had when something was made that needs them.
    private func checkHostAddresses(_ check: inout NetworkCheck) {
        for network in check.networks.values.sorted(by: { $0.name < $1.name }) {
            for source in network.policy.sources where !check.host.has(source) {
                check.report(
                    "network \(network.name)",
                    "what goes out is to come from \(source), which is no address of this host",
                    .person("give it back: ip address add \(source) dev INTERFACE"))
            }
        }
        var seen: Set<IPAddress> = []
        for sandbox in check.sandboxes {
            for mapping in sandbox.ports {
                guard let address = mapping.singleAddress, seen.insert(address).inserted,
                    !HostPorts.hasAddress(mapping)
                else { continue }
                check.report(
                    "sandbox \(sandbox.name)", "port '\(mapping)' is published at what is no address of this host",
                    .person("give it back: ip address add \(address) dev INTERFACE; or swnet unpublish"))
            }
        }
    }

    /// Published ports whose answers do not come back.
    private func checkDetours(_ check: inout NetworkCheck) {
        for sandbox in check.sandboxes {
            guard let (ports, answers) = IPFamily.allCases.lazy.compactMap(sandbox.detour).first else { continue }
            check.report(
                "sandbox \(sandbox.name)",
                "clients elsewhere get no answer from its ports, which lead to \(ports.network): its default route goes by "
                    + "\(answers.network), which the host does not route for",
                .advice("connect it to \(ports.network) with the higher --gw-priority"))
        }
    }

    private func checkRecords(_ check: inout NetworkCheck) throws {
        for (path, problem) in store.openness() {
            guard let problem else { continue }
            check.report(
                "folder \(path)", "\(problem), and so say what is recorded",
                .person("look whether somebody has, then chown root \(path); chmod go-w \(path)"))
        }
        for network in check.networks.values.sorted(by: { $0.name < $1.name }) {
            let object = "network \(network.name)"
            if !store.isRaised(network.name) { check.report(object, "its record of leases is missing", .records) }
            if let bridge = network.bridgeName.flatMap({ check.host.links[$0] }), try lacksRecord(of: bridge, network) {
                check.report(object, "it is not recorded which interface its bridge \(bridge.name) is", .records)
            }
            for (address, owner) in try orphanedLeases(network.name, check.records)
            where !check.unknownSandboxes.contains(owner) {
                check.report(object, "the lease of \(address) is nobody's", .records)
            }
        }
        for name in try store.orphanedNamespaces() {
            check.report("namespace \(name)", "it is recorded as a sandbox that nobody knows", .records)
        }
        for sandbox in check.sandboxes {
            for endpoint in sandbox.endpoints where !store.unknownStrangers(endpoint).isEmpty {
                check.report(
                    sandbox.words(for: endpoint),
                    "it is not recorded that it has an Ethernet address of its own choice",
                    .records)
            }
        }
        for sandbox in check.sandboxes where try store.sandboxKey(namespace: sandbox.identity.inode) != sandbox.key {
            check.report("sandbox \(sandbox.name)", "its network namespace is not recorded as its own", .records)
        }
        if try !PortIndex.matches(store, check.records, unknown: check.unknownSandboxes) {
            check.report("ports", "the index does not match the records", .records)
        }
    }

    /// Leases of a network whose owner does not have the address, or is not known.
    func orphanedLeases(_ network: String, _ sandboxes: [Sandbox]) throws -> [(address: IPAddress, owner: String)] {
        var owners: [IPAddress: String] = [:]
        for sandbox in sandboxes {
            for endpoint in sandbox.endpoints where endpoint.network == network {
                for prefix in endpoint.addresses { owners[prefix.address] = sandbox.key }
            }
        }
        return try store.leases(network: network).compactMap { text in
            guard let address = IPAddress(text), owners[address] == nil,
                let owner = try store.owner(of: address, network: network)
            else { return nil }
            return (address, owner)
        }
    }

    /// Nobody holds a published port, so a process may still come to it, and wonder why nobody does.
    private mutating func checkRivals(_ check: inout NetworkCheck) throws {
        let ports = check.sandboxes.flatMap(\.ports)
        // Of a damaged index it is said elsewhere.
        guard !ports.isEmpty, let index = try? PortIndex(store) else { return }
        // Where the kernel translates nothing, a relay of its own listens.
        for (mapping, socket) in try HostPorts.holders(of: ports)
        where !HostPorts.isRelay(socket, mapping, index) && mapping.hostAddress != .v6(.loopback) {
            let owner = check.sandboxes.first { $0.ports.contains(mapping) }?.name ?? ""
            check.report(
                "port \(socket.port)/\(mapping.transport.rawValue)",
                "\(SocketOwner.description(inode: socket.inode)) has it too, where \(owner) is reached",
                .advice("swnet unpublish \(owner) \(mapping)"))
        }
    }

    private mutating func checkForwarding(_ check: inout NetworkCheck) throws {
        if let problem = try forwardingProblem() { check.report("host", problem, .records) }
        let open = check.networks.values.filter(\.needsForwarding)
        // A network that cannot be read may need it.
        let isKnown = check.unknownNetworks.isEmpty
        for family in isKnown ? try superfluousForwarding(among: Array(open)).families : [] {
            check.report("host", "forwarding of \(family.word) is on for nobody", .forwarding)
        }
        if isKnown, open.isEmpty {
            let forwarding = try self.forwarding()
            let left = forwarding.removing(try restorable(forwarding))
            if let later = try comers(since: left) {
                check.report(
                    "host",
                    "forwarding of \(left.families.map(\.word).joined(separator: " and ")) is left on for \(later)",
                    .advice(Forwarding.adviceToEnd(left)))
            }
        }
        for family in IPFamily.allCases where open.contains(where: { $0.hasSubnet(family) }) {
            guard try !Forwarding.isOn(family) else { continue }
            check.report("host", "forwarding of \(family.word) is off", .forwarding)
        }
        if !open.isEmpty { try checkSwitched(&check) }
    }

    /// What came on at the host's other interfaces with the switch.
    private mutating func checkSwitched(_ check: inout NetworkCheck) throws {
        let forwarding = try self.forwarding()
        for (family, parameter) in [(IPFamily.v4, LinkParameter.forwarding), (.v6, .forwardingIPv6)]
        where try Forwarding.isOn(family) {
            for link in (forwarding[family] ?? []).compactMap({ check.host.links[$0] }) where link[parameter] == 0 {
                let path = parameter.path(link.name)
                check.report(
                    "host", "what comes in by \(link.name) reaches no sandbox: \(path) is 0",
                    .advice("sysctl -w \(path)=1"))
            }
        }
        for name in try Forwarding.deaf(forwarding) {
            let path = LinkParameter.acceptRouterAdvertisements.path(name)
            check.report("host", "\(path) is 1, which means no routers while the host forwards", .forwarding)
        }
    }

    /// What was switched on for networks that are not there any more.
    mutating func superfluousForwarding(among networks: [Network]) throws -> HostForwarding {
        networks.contains(where: \.needsForwarding) ? HostForwarding() : try restorable(try forwarding())
    }

    private func checkNames(_ check: inout NetworkCheck) throws {
        for network in check.networks.values.filter(\.hasNames).sorted(by: { $0.name < $1.name }) {
            let problems = try names(of: network).problems(of: network, check.records)
            for problem in problems { check.report("names of \(network.name)", problem, .names) }
        }
    }
}

extension Sandbox {
    /// An endpoint in words: `web on lab`, and by which interface when there are several.
    fileprivate func words(for endpoint: Endpoint) -> String {
        let isAlone = endpoints.filter { $0.network == endpoint.network }.count < 2
        return "\(name) on \(endpoint.network)" + (isAlone ? "" : " by \(endpoint.interface)")
    }
}
