import Addressing
import LinuxSystem
import NetworkModel
import Rtnetlink

/// What is compared with the kernel, and what was found.
struct NetworkCheck {
    /// Every raised network, by name.
    var networks: [String: Network] = [:]
    /// Every sandbox whose namespace lives.
    var sandboxes: [Sandbox] = []
    var differences: [NetworkDifference] = []

    mutating func report(_ object: String, _ problem: String, _ remedy: NetworkDifference.Remedy) {
        differences.append(NetworkDifference(object, problem, remedy))
    }
}

extension Session {
    /// Compares the records with the kernel: links, addresses, routes, kernel parameters, firewall, leases.
    mutating func check() throws -> [NetworkDifference] {
        var check = NetworkCheck()
        for name in try store.raisedNetworks() {
            if let network = try store.network(name) {
                check.networks[name] = network
            } else {
                check.report(
                    "network \(name)", "its definition is gone", .advice("swnet rm \(name), or write it again"))
            }
        }
        for sandbox in try store.sandboxes() {
            if sandbox.identity.isAlive {
                check.sandboxes.append(sandbox)
            } else {
                check.report("sandbox \(sandbox.name)", "its network namespace is gone", .release(sandbox.name))
            }
        }
        let all = try links.links()
        let byName = Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let addresses = Dictionary(grouping: try links.addresses(), by: \.link)
        for network in check.networks.values.sorted(by: { $0.name < $1.name }) {
            try checkNetwork(network, byName, addresses, &check)
        }
        for sandbox in check.sandboxes {
            for endpoint in sandbox.endpoints {
                checkHostEnd(endpoint, of: sandbox, byName, &check)
                try checkInside(endpoint, of: sandbox, &check)
            }
        }
        try checkRecords(&check)
        try checkForwarding(&check)
        try firewall.check(expecting: try recordedElements(), networks: check.networks, &check)
        return check.differences
    }

    // MARK: Networks

    private func checkNetwork(
        _ network: Network, _ links: [String: Link], _ addresses: [UInt32: [InterfaceAddress]],
        _ check: inout NetworkCheck
    ) throws {
        let object = "network \(network.name)"
        if let parent = network.driver.parent?.text, !network.driver.isHostDevice, links[parent] == nil {
            check.report(
                object, "the host's interface \(parent) is gone", .advice("nothing works on it until it is back"))
        }
        guard network.driver.ownsBridge, let name = network.bridgeName else { return }
        let remedy = NetworkDifference.Remedy.network(network.name)
        guard let bridge = links[name] else { return check.report(object, "the bridge \(name) is missing", remedy) }
        guard bridge.kind == "bridge", bridge.alias == network.alias else {
            return check.report(
                object, "the interface \(name) is not of this network",
                .advice("rename or remove it: ip link show \(name)"))
        }
        if !bridge.isUp { check.report(object, "the bridge \(name) is down", remedy) }
        if let mtu = network.mtu, bridge.mtu != UInt32(mtu) {
            check.report(object, "the bridge \(name) has mtu \(bridge.mtu) instead of \(mtu)", remedy)
        }
        let present = Set((addresses[bridge.index] ?? []).map(\.prefix))
        for subnet in network.subnets {
            guard let gateway = subnet.gateway, !present.contains(subnet.with(gateway)) else { continue }
            check.report(object, "the bridge \(name) lacks the address \(subnet.with(gateway))", remedy)
        }
        for (parameter, wanted) in HostInterface.parameters(name, hasIPv6: network.hasSubnet(.v6)) {
            let value = try Sysctl.read(parameter)
            if value != wanted {
                check.report(object, "\(parameter) is \(value ?? "missing") instead of \(wanted)", remedy)
            }
        }
        guard case .vxlan = network.driver else { return }
        guard let vxlan = links[network.vxlanName] else {
            return check.report(object, "the VXLAN \(network.vxlanName) is missing", remedy)
        }
        if vxlan.master != bridge.index { check.report(object, "the VXLAN is no port of \(name)", remedy) }
        if !vxlan.isUp { check.report(object, "the VXLAN \(network.vxlanName) is down", remedy) }
    }

    // MARK: Endpoints

    private func checkHostEnd(
        _ endpoint: Endpoint, of sandbox: Sandbox, _ links: [String: Link], _ check: inout NetworkCheck
    ) {
        guard let name = endpoint.link.hostInterface else { return }
        let object = "\(sandbox.name) on \(endpoint.network)"
        guard let link = links[name] else {
            return check.report(
                object, "the host's end \(name) is missing", .endpoint(sandbox.name, network: endpoint.network))
        }
        let remedy = NetworkDifference.Remedy.interface(sandbox.name, network: endpoint.network)
        if !link.isUp { check.report(object, "the host's end \(name) is down", remedy) }
        guard let bridge = endpoint.link.bridge else { return }
        if link.master == nil || link.master != links[bridge]?.index {
            check.report(object, "the host's end \(name) is no port of \(bridge)", remedy)
        }
    }

    private func checkInside(_ endpoint: Endpoint, of sandbox: Sandbox, _ check: inout NetworkCheck) throws {
        let object = "\(sandbox.name) on \(endpoint.network)"
        let state: InsideState?
        do {
            state = try InsideState(endpoint, in: try Namespace(path: sandbox.identity.path, kind: .net))
        } catch {
            // It may end while we look.
            guard sandbox.identity.isAlive else { return }
            throw error
        }
        guard let state else {
            // The host's end goes with it, and has been told then.
            guard !check.differences.contains(where: { $0.object == object }) else { return }
            return check.report(
                object, "the interface \(endpoint.interface) is missing",
                .endpoint(sandbox.name, network: endpoint.network))
        }
        for problem in state.problems(endpoint) {
            check.report(object, problem, .interface(sandbox.name, network: endpoint.network))
        }
    }

    // MARK: Records and host

    private func checkRecords(_ check: inout NetworkCheck) throws {
        let keys = Set(try store.sandboxKeys())
        for sandbox in check.sandboxes {
            for endpoint in sandbox.endpoints {
                for prefix in endpoint.addresses
                where try store.owner(of: prefix.address, network: endpoint.network) != sandbox.key {
                    check.report(
                        "\(sandbox.name) on \(endpoint.network)", "the lease of \(prefix.address) is missing", .records)
                }
            }
        }
        for network in check.networks.keys.sorted() {
            for text in try store.leases(network: network) {
                guard let address = IPAddress(text), let owner = try store.owner(of: address, network: network),
                    !keys.contains(owner)
                else { continue }
                check.report("network \(network)", "the lease of \(address) is nobody's", .records)
            }
        }
        if try !PortIndex.matches(store) { check.report("ports", "the index does not match the records", .records) }
    }

    private func checkForwarding(_ check: inout NetworkCheck) throws {
        let open = check.networks.values.filter(\.isOpen)
        for family in IPFamily.allCases where open.contains(where: { $0.hasSubnet(family) }) {
            guard try !Forwarding.isOn(family) else { continue }
            check.report("host", "forwarding of \(family.word) is off", .forwarding)
        }
    }
}

/// What an endpoint's interface is like, seen from inside of its sandbox.
private struct InsideState {
    let link: Link
    let addresses: Set<IPPrefix>
    let defaults: [Route]

    /// nil when there is no interface of the name.
    init?(_ endpoint: Endpoint, in namespace: borrowing Namespace) throws {
        var inside = try Rtnetlink(in: namespace)
        guard let link = try inside.link(named: endpoint.interface) else { return nil }
        self.link = link
        addresses = Set(try inside.addresses(link: link.index).map(\.prefix))
        let hasRoutes = !endpoint.gateways.isEmpty || !endpoint.deviceRoutes.isEmpty
        defaults =
            hasRoutes
            ? try inside.routes(table: Route.mainTable).filter { $0.isDefault && $0.link == link.index } : []
    }

    func problems(_ endpoint: Endpoint) -> [String] {
        var problems: [String] = []
        let name = endpoint.interface
        if !link.isUp { problems.append("\(name) is down") }
        if let mac = endpoint.macAddress, let own = link.address, own != mac {
            problems.append("\(name) has the Ethernet address \(own) instead of \(mac)")
        }
        for prefix in endpoint.addresses where !addresses.contains(prefix) {
            problems.append("\(name) lacks the address \(prefix)")
        }
        for gateway in endpoint.gateways where !defaults.contains(where: { $0.gateway == gateway }) {
            problems.append("the default route via \(gateway) is missing")
        }
        for family in endpoint.deviceRoutes where !defaults.contains(where: { $0.family == family }) {
            problems.append("the default route by \(name) is missing")
        }
        return problems
    }
}
