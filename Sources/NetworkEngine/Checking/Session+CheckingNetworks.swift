import Addressing
import Netlink
import NetworkModel
import Rtnetlink
import SystemPackage

extension Session {
    /// Compares a network's bridge and what stands on it with what is recorded.
    mutating func checkNetwork(_ network: Network, _ check: inout NetworkCheck) throws {
        let object = "network \(network.name)"
        let links = check.host.links
        if let parent = network.driver.parent?.text, !network.driver.isHostDevice {
            if let link = check.host.link(named: parent) {
                if !link.isUp, parent != network.bridgeName {
                    check.report(
                        object, "the host's interface \(parent) is down", .person("ip link set \(parent) up"))
                }
            } else {
                check.report(
                    object, "the host's interface \(parent) is gone", .person("nothing works on it until it is back"))
            }
        }
        guard let name = network.bridgeName else { return }
        guard network.driver.ownsBridge else {
            // Somebody else's: that it is there is all that can be asked of it.
            if let bridge = check.host.link(named: name), !bridge.isUp {
                check.report(object, "the bridge \(name) is down", .person("ip link set \(name) up"))
            }
            return
        }
        let remedy = NetworkDifference.Remedy.network(network.name)
        guard let bridge = links[name] else { return check.report(object, "the bridge \(name) is missing", remedy) }
        guard try isOwnBridge(bridge, of: network) else {
            return check.report(
                object, "the interface \(name) is not of this network",
                .person("rename or remove it: ip link show \(name)"))
        }
        if bridge.alias != mark.alias(of: network) {
            check.report(object, "the bridge \(name) does not carry the mark '\(mark.alias(of: network))'", remedy)
        }
        if !bridge.isUp { check.report(object, "the bridge \(name) is down", remedy) }
        if let mtu = network.mtu, bridge.mtu != UInt32(mtu) {
            check.report(object, "the bridge \(name) has mtu \(bridge.mtu) instead of \(mtu)", remedy)
        }
        for problem in BridgeDriver(network: network, mark: mark).problems(bridge, check.host.addresses(of: bridge)) {
            check.report(object, problem, remedy)
        }
        let present = check.host.addresses(of: bridge)
        for address in network.hostAddresses {
            guard let own = present.first(where: { $0.prefix == address }) else {
                check.report(object, "the bridge \(name) lacks the address \(address)", remedy)
                continue
            }
            if own.expires {
                check.report(object, "the bridge \(name) has the address \(address) for a limited time", remedy)
            }
            // A bridge that is down has none, and has been told.
            let routes = check.host.routes(by: bridge)
            if bridge.isUp, !routes.contains(where: { $0.destination == address.network && $0.gateway == nil }) {
                check.report(object, "the route to \(address.network) is missing", remedy)
            }
        }
        if let (problem, advice) = try FirewallGate.problem(bridge, &self.links) {
            check.report(object, problem, advice.map { .person($0) } ?? remedy)
        }
        let problems =
            HostInterface.problems(bridge, hasIPv6: network.hasSubnet(.v6))
            + HostInterface.problems(bridge, try HostInterface.forwarding(of: network))
        for problem in problems { check.report(object, problem, remedy) }
        for neighbour in try strangeNeighbours(network, on: bridge, check.records) {
            check.report(object, "the host takes \(neighbour.address) to be at \(neighbour.owner)", remedy)
        }
        if case .vxlan(let options) = network.driver {
            try checkVXLAN(options, of: network, on: bridge, object, remedy, &check)
        }
    }

    /// Whether a bridge that has the name of a network's is that: it carries the mark, or was seen to do so.
    func isOwnBridge(_ bridge: Link, of network: Network) throws -> Bool {
        guard bridge.kind == "bridge" else { return false }
        if bridge.alias == mark.alias(of: network) { return true }
        return try store.bridgeIndex(network: network.name) == bridge.index
    }

    /// Whether a bridge is a network's, and no record would tell so when it lost its mark.
    func lacksRecord(of bridge: Link, _ network: Network) throws -> Bool {
        guard network.driver == .bridge(existing: nil), bridge.kind == "bridge", bridge.alias == mark.alias(of: network)
        else { return false }
        return try store.bridgeIndex(network: network.name) != bridge.index
    }

    /// Compares what leads to other hosts.
    private mutating func checkVXLAN(
        _ options: NetworkDriver.VXLANOptions, of network: Network, on bridge: Link, _ object: String,
        _ remedy: NetworkDifference.Remedy, _ check: inout NetworkCheck
    ) throws {
        guard let vxlan = check.host.links[network.vxlanName] else {
            return check.report(object, "the VXLAN \(network.vxlanName) is missing", remedy)
        }
        guard vxlan.kind == "vxlan", vxlan.alias == mark.alias(of: network) else {
            return check.report(
                object, "the interface \(vxlan.name) is not of this network",
                .person("rename or remove it: ip link show \(vxlan.name)"))
        }
        if vxlan.master != bridge.index { check.report(object, "the VXLAN is no port of \(bridge.name)", remedy) }
        if vxlan.master == bridge.index, (vxlan.port?.isolated ?? false) != network.policy.isolatesPorts {
            check.report(
                object, "the VXLAN's port is \(network.policy.isolatesPorts ? "not isolated" : "isolated")", remedy)
        }
        if vxlan.master == bridge.index, let problem = vxlan.port?.closedWay(vxlan, of: bridge) {
            check.report(object, problem, remedy)
        }
        if let mtu = network.mtu, vxlan.mtu != UInt32(mtu) {
            check.report(object, "the VXLAN \(network.vxlanName) has mtu \(vxlan.mtu) instead of \(mtu)", remedy)
        }
        if !vxlan.isUp { check.report(object, "the VXLAN \(network.vxlanName) is down", remedy) }
        if let local = options.local, !local.isAny, !check.host.has(local) {
            check.report(
                object, "the address \(local) of the VXLAN \(network.vxlanName) is gone",
                .person("nothing gets to other hosts until it is back"))
        }
        let peers = try links.peers(of: vxlan)
        for peer in options.peers where !peers.contains(peer) && !check.host.has(peer) {
            check.report(object, "the VXLAN \(network.vxlanName) does not send to \(peer)", remedy)
        }
        for peer in peers where !options.peers.contains(peer) && peer != options.group {
            let line = "bridge fdb del 00:00:00:00:00:00 dev \(network.vxlanName) dst \(peer)"
            check.report(
                object, "the VXLAN \(network.vxlanName) sends to \(peer), which nothing asks for", .person(line))
        }
    }
}

// MARK: - What leads elsewhere

extension Session {
    /// Neighbours that somebody has written down for ever, and that are not who has the address.
    mutating func strangeNeighbours(
        _ network: Network, on bridge: Link, _ sandboxes: [Sandbox]
    ) throws -> [(address: IPAddress, owner: MACAddress)] {
        try strangeNeighbours(of: sandboxes.flatMap(\.endpoints).filter { $0.network == network.name }, on: bridge)
    }

    mutating func strangeNeighbours(
        of endpoints: [Endpoint], on link: Link
    ) throws -> [(address: IPAddress, owner: MACAddress)] {
        let fixed = try links.neighbours(link: link.index).filter { !$0.state.isDisjoint(with: [.permanent, .noARP]) }
        if fixed.isEmpty { return [] }
        var owners: [IPAddress: MACAddress] = [:]
        for endpoint in endpoints {
            for prefix in endpoint.addresses { owners[prefix.address] = endpoint.macAddress }
        }
        return fixed.compactMap { neighbour in
            guard let owner = owners[neighbour.address], let other = neighbour.linkAddress, other != owner else {
                return nil
            }
            return (neighbour.address, other)
        }
    }

    /// Asks the kernel which way it takes to sandboxes, where rules or routes of somebody else's may lead elsewhere.
    mutating func checkWays(_ check: inout NetworkCheck) throws {
        for network in check.networks.values.sorted(by: { $0.name < $1.name }) where network.driver.isRoutedByHost {
            var ways: [(endpoint: Endpoint, link: Link)] = []
            for endpoint in check.sandboxes.flatMap(\.endpoints) where endpoint.network == network.name {
                guard
                    let link = (endpoint.link.bridge ?? endpoint.link.hostInterface).flatMap({ check.host.links[$0] }),
                    link.isUp
                else { continue }
                ways.append((endpoint, link))
            }
            let own = Set(ways.map(\.link.index))
            for subnet in network.subnets.compactMap({ $0.gateway == nil ? nil : $0.prefix })
            where check.host.hasOwnRules || check.host.hasRoutes(within: subnet, notBy: own)
                || check.host.hasAddresses(within: subnet, notOf: own)
            {
                try checkWays(ways, subnet, "network \(network.name)", &check)
            }
        }
    }

    private mutating func checkWays(
        _ ways: [(endpoint: Endpoint, link: Link)], _ subnet: IPPrefix, _ object: String, _ check: inout NetworkCheck
    ) throws {
        var lost: [(address: IPAddress, way: String)] = []
        for (endpoint, link) in ways {
            for address in endpoint.addresses.map(\.address) where subnet.contains(address) {
                // A route of ours that is missing has been told.
                guard check.host.routes(by: link).contains(where: { $0.destination.contains(address) }) else {
                    continue
                }
                do throws(NetlinkError) {
                    let route = try links.route(to: address)
                    if route.link == link.index && route.gateway == nil { continue }
                    if check.host.has(address) {
                        lost.append((address, "stays here, it has the address itself"))
                        continue
                    }
                    let name = check.host.links.values.first { $0.index == route.link }?.name
                    lost.append((address, name.map { "goes out by \($0)" } ?? "goes elsewhere"))
                } catch {
                    // As the kernel says it of a blackhole (`fib_props`, net/ipv4/fib_semantics.c).
                    let reason = error.errno == .invalidArgument ? "is thrown away" : "is refused: \(error.errno)"
                    lost.append((address, reason))
                }
            }
        }
        guard let first = lost.first else { return }
        let others = lost.count == 1 ? "" : ", and so for \(lost.count - 1) more"
        check.report(
            object, "what the host has for \(first.address) \(first.way)\(others)",
            .person("a rule or route of somebody else's says so: ip rule; ip route get \(first.address)"))
    }
}
