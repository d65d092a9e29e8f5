import Addressing
import LinuxSystem
import NetworkModel
import Rtnetlink

/// A connection that is being planned.
private struct Connection {
    /// As it will be.
    var sandbox: Sandbox
    var plan: NetworkPlan
    var change = FirewallChange()
    var forwarding = HostForwarding()
    /// The addresses that were chosen: the next search goes on behind them.
    var cursors: [(network: String, subnet: Subnet, address: IPAddress)] = []
    /// A table that somebody has removed is put back by who needs it.
    var needsFirewall: Bool
    /// Whether nothing was connected or published before, so that it is time to say what is in the way.
    var isFirst: Bool
    /// A network that is made with it.
    var made: Network?
}

extension Session {
    /// Connects a sandbox to networks and publishes its ports in one transaction.
    ///
    /// - Parameter definition: A network that is not there, and comes to be with the connection to it.
    mutating func connect(_ request: ConnectRequest, making definition: NetworkRequest? = nil) throws -> Sandbox {
        let found = try find(request.sandbox)
        var connection = Connection(
            sandbox: found.record ?? Sandbox(name: found.name, identity: found.identity),
            plan: NetworkPlan(request.operation), needsFirewall: !request.ports.isEmpty,
            isFirst: try !request.ports.isEmpty && PortIndex(store).isEmpty)
        if let definition {
            let network = try design(definition)
            connection.plan.steps.append(.define(network))
            connection.made = network
        }
        let interfaces = request.attachments.isEmpty ? [] : try interfaces(of: found, request.attachments)
        for attachment in request.attachments { try plan(attachment, interfaces, &connection) }
        let joined = request.attachments.count
        let present = Array(connection.sandbox.endpoints.dropLast(joined))
        connection.sandbox.orderDefaultRoutes()
        let (ports, chosen) = try choosePorts(request.ports)
        if !ports.isEmpty { try checkPorts(ports, of: connection.sandbox) }
        connection.sandbox.ports += ports
        connection.sandbox.chosenPorts += chosen

        let sandbox = connection.sandbox
        var plan = connection.plan
        var change = connection.change
        // A further network may give ports that are published already a family that they did not have, or be the one
        // that they lead to from now on.
        let republished = FirewallChange(
            from: found.record.map { $0.elements(for: $0.ports) } ?? [], to: sandbox.elements(for: sandbox.ports))
        change.removed += republished.removed
        // Those of ports are unique among themselves, and may be thousands.
        change.added = change.added.isEmpty ? republished.added : unique(change.added + republished.added)
        if connection.needsFirewall || !change.isEmpty { plan.steps.append(.firewall(change)) }
        if !connection.forwarding.isEmpty { plan.steps.append(.forward(connection.forwarding)) }
        plan.steps += adjustment(present, sandbox)
        plan.steps += sandbox.endpoints.suffix(joined).map {
            .attach($0, sandbox: found.name, identity: found.identity)
        }
        let relays = relaySteps(
            from: found.record.map { $0.relays(for: $0.ports) } ?? [], to: sandbox.relays(for: sandbox.ports))
        plan.steps += relays.stop + relays.start
        plan.steps.append(.record(name: found.name, before: found.record, after: sandbox))
        try carryOut(plan)
        guard planned == nil else { return sandbox }
        for attachment in request.attachments { noticeDown(try network(attachment.network)) }
        if !connection.forwarding.isEmpty { announce(connection.forwarding) }
        if connection.isFirst { announceObstacles() }
        announceDetours(of: sandbox, before: ports.isEmpty ? found.record : nil)
        for (network, subnet, address) in connection.cursors {
            guard let offset = subnet.prefix.offset(of: address) else { continue }
            // It says where to look for the next one; without it the search begins where it last began.
            try? store.setCursor(subnet, network: network, to: offset)
        }
        return sandbox
    }

    /// Plans one network of a connection: the network's own part of the host, the addresses, the endpoint.
    private mutating func plan(
        _ attachment: ConnectRequest.Attachment, _ interfaces: [String], _ connection: inout Connection
    ) throws {
        let made = connection.made.flatMap { $0.name == attachment.network ? $0 : nil }
        let network = try made ?? self.network(attachment.network)
        guard attachment.aliases.isEmpty || network.hasNames || !attachment.needsNames else {
            throw NetworkError(
                .invalid,
                "alias \(attachment.aliases[0]): nobody serves names on network \(network.name) (only on bridges and "
                    + "VXLANs of swnet create)")
        }
        let sandbox = connection.sandbox
        guard attachment.mayBeFurther || sandbox.endpoint(in: network.name) == nil else {
            throw NetworkError(.taken, "\(sandbox.name) is connected to \(network.name) already")
        }
        let raising = try self.raising(network)
        connection.plan.steps += raising.steps
        if !raising.steps.isEmpty && network.driver.isRoutedByHost {
            connection.isFirst = true
            try announceCollisions(of: network)
        }
        connection.change.added += raising.elements
        if let needed = raising.forwarding { connection.forwarding = connection.forwarding.merging(needed) }
        let addresses = try chooseAddresses(attachment, network, owner: sandbox.key)
        let endpoint = try self.endpoint(
            attachment, network.reached(from: addresses), addresses, of: sandbox, present: interfaces)
        connection.change.added += network.elements(of: endpoint, sandbox.name)
        if network.driver.isRoutedByHost { connection.needsFirewall = true }
        for prefix in endpoint.addresses {
            connection.plan.steps.append(.lease(network: network.name, address: prefix.address, owner: sandbox.key))
            if !attachment.addresses.contains(prefix.address), let subnet = network.subnet(of: prefix.address) {
                connection.cursors.append((network.name, subnet, prefix.address))
            }
        }
        connection.sandbox.endpoints.append(endpoint)
    }

    /// Says what the host has begun to use since a network got its subnets: a network is made long after that, when it is
    /// the default one, or was defined before a reboot.
    private mutating func announceCollisions(of network: Network) throws {
        let routes = try HostRoutes(&links)
        for subnet in network.subnets.map(\.prefix) {
            guard let use = routes.collision(with: subnet) else { continue }
            notice(
                "subnet \(subnet) of network \(network.name) overlaps \(use), so that one of them is not reached: take "
                    + "that away, or the network, and make it again with another subnet (swnet rm \(network.name))")
        }
    }

    /// Says that published ports are not answered, unless it was so before.
    private func announceDetours(of sandbox: Sandbox, before: Sandbox?) {
        let detours = IPFamily.allCases.filter { before?.detour($0) == nil }.compactMap(sandbox.detour)
        guard let (ports, answers) = detours.first else { return }
        notice(
            "clients elsewhere get no answer from the ports of \(sandbox.name), which lead to \(ports.network): its default "
                + "route goes by \(answers.network), which the host does not route for "
                + "(\(ports.network) needs the higher --gw-priority)")
    }

    private func unique(_ elements: [FirewallElement]) -> [FirewallElement] {
        var seen: Set<FirewallElement> = []
        return elements.filter { seen.insert($0).inserted }
    }

    /// Those names of interfaces that new ones might get, and that are taken in a sandbox now.
    ///
    /// They are asked for one by one: a list would wait for the lock that every change of a link takes.
    private func interfaces(of found: FoundSandbox, _ attachments: [ConnectRequest.Attachment]) throws -> [String] {
        let gone = store.detachedInterfaces(of: found.identity)
        return try Namespace(path: found.identity.path).enter(.net) {
            let isThere = { (name: String) in HostInterface.index(of: name) != nil && !gone.contains(name) }
            var taken = attachments.compactMap(\.interface?.text).filter(isThere)
            var free = 0
            var number = 0
            while free < attachments.count {
                let name = "eth\(number)"
                if isThere(name) { taken.append(name) } else { free += 1 }
                number += 1
            }
            return taken
        }
    }

    private mutating func endpoint(
        _ attachment: ConnectRequest.Attachment, _ network: Network, _ addresses: [IPPrefix], of sandbox: Sandbox,
        present: [String]
    ) throws -> Endpoint {
        let taken = present + sandbox.endpoints.map(\.interface)
        let interface: String
        if let wanted = attachment.interface?.text {
            guard !taken.contains(wanted) else {
                throw NetworkError(.taken, "an interface \(wanted) exists in \(sandbox.name) already (--ifname)")
            }
            interface = wanted
        } else {
            var number = 0
            while taken.contains("eth\(number)") { number += 1 }
            interface = "eth\(number)"
        }
        let isAlone = network.driver == .pointToPoint
        let routes = try self.routes(attachment, network, of: sandbox)
        var attachment = attachment
        if let metric = routes.metric { attachment.options.metric = metric }
        return Endpoint(
            network: network.name, interface: interface, link: try link(attachment, network),
            macAddress: try macAddress(attachment, network, addresses),
            // Behind a pair of its own there is no subnet, only the host.
            addresses: isAlone ? addresses.map(\.alone) : addresses,
            gateways: routes.gateways, deviceRoutes: routes.deviceRoutes,
            mtu: try mtu(attachment, network), isInternal: network.isInternal,
            isIsolated: network.policy.isolatesPorts, takesPorts: network.isOpen,
            aliases: network.hasNames ? attachment.aliases : [],
            nameServers: network.hasNames && NameService.isInstalled ? network.subnets.compactMap(\.gateway) : [],
            labels: attachment.labels, options: try options(attachment, network, of: sandbox),
            routes: routes.others, leases: network.leases,
            configuresItself: network.providers.contains(.slaac), isHandedOn: attachment.isHandedOn)
    }

    /// What the endpoint's interface will be.
    private mutating func link(
        _ attachment: ConnectRequest.Attachment, _ network: Network
    ) throws -> EndpointLink {
        let host = try hostInterface(attachment, network)
        // What was no interface's name when the network was made, or was another's, may be a further name by now.
        switch Self.resolved(network.driver) {
        case .bridge, .vxlan:
            guard let bridge = network.bridgeName else {
                throw NetworkError(.failed, "network \(network.name) has no bridge")
            }
            return .port(host: host, bridge: bridge)
        case .pointToPoint: return .pointToPoint(host: host)
        case .macvlan(let parent, let mode):
            return try checked(.macvlan(parent: parent.text, mode: mode))
        case .ipvlan(let parent, let mode): return try checked(.ipvlan(parent: parent.text, mode: mode))
        case .vlan(let parent, let identifier):
            return try checked(.vlan(parent: parent.text, identifier: identifier))
        case .hostDevice(let device): return try checkedDevice(device.text, for: network)
        case .dummy: return .dummy
        }
    }

    private mutating func macAddress(
        _ attachment: ConnectRequest.Attachment, _ network: Network, _ addresses: [IPPrefix]
    ) throws -> MACAddress? {
        if let wanted = attachment.macAddress {
            if case .ipvlan(let parent, _) = network.driver {
                throw NetworkError(.invalid, "mac \(wanted): an ipvlan has the address of its parent \(parent) (--mac)")
            }
            guard wanted.isUnicast else {
                throw NetworkError(.invalid, "mac \(wanted) is no interface's address (--mac)")
            }
            let gateway = try network.bridgeName.flatMap { try links.link(named: $0)?.address }
            guard wanted != gateway else {
                throw NetworkError(.taken, "mac \(wanted) is that of the gateway of \(network.name) (--mac)")
            }
            for other in try store.sandboxes() {
                if other.endpoint(in: network.name)?.macAddress == wanted, other.identity.isAlive {
                    throw NetworkError(.taken, "mac \(wanted) is taken by \(other.name) on \(network.name)")
                }
            }
            try checkApart(wanted, network.driver)
            return wanted
        }
        switch network.driver {
        case .ipvlan, .vlan, .hostDevice: return nil
        case .macvlan(_, mode: .passthru): return nil
        default:
            let derived = addresses.first.flatMap { AddressChoice.macAddress(for: $0.address) }
            if let derived { try checkApart(derived, network.driver) }
            return derived
        }
    }
}

extension ConnectRequest {
    /// What is asked for, in words.
    var operation: String {
        guard let first = attachments.first else {
            return ports.isEmpty ? "connect \(sandbox.name)" : "publish ports of \(sandbox.name)"
        }
        return attachments.dropFirst().reduce("connect \(sandbox.name) to \(first.network)") { $0 + ", \($1.network)" }
    }
}

extension IPPrefix {
    /// The same address alone: with a prefix as long as its family has bits.
    fileprivate var alone: IPPrefix { IPPrefix(address: address, length: family.bitWidth) ?? self }
}
