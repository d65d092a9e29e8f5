import Addressing
import NetworkModel
import Rtnetlink

extension Session {
    /// Compares a network's bridge and what stands on it with what is recorded.
    mutating func checkNetwork(_ network: Network, _ check: inout NetworkCheck) throws {
        let object = "network \(network.name)"
        let links = check.host.links
        if let parent = network.driver.parent?.text, !network.driver.isHostDevice, links[parent] == nil {
            check.report(
                object, "the host's interface \(parent) is gone", .person("nothing works on it until it is back"))
        }
        guard let name = network.bridgeName else { return }
        guard network.driver.ownsBridge else {
            // Somebody else's: that it is there is all that can be asked of it.
            if let bridge = links[name], !bridge.isUp {
                check.report(object, "the bridge \(name) is down", .person("ip link set \(name) up"))
            }
            return
        }
        let remedy = NetworkDifference.Remedy.network(network.name)
        guard let bridge = links[name] else { return check.report(object, "the bridge \(name) is missing", remedy) }
        guard bridge.kind == "bridge", bridge.alias == mark.alias(of: network) else {
            return check.report(
                object, "the interface \(name) is not of this network",
                .person("rename or remove it: ip link show \(name)"))
        }
        if !bridge.isUp { check.report(object, "the bridge \(name) is down", remedy) }
        if let mtu = network.mtu, bridge.mtu != UInt32(mtu) {
            check.report(object, "the bridge \(name) has mtu \(bridge.mtu) instead of \(mtu)", remedy)
        }
        for problem in BridgeDriver(network: network, mark: mark).problems(bridge, check.host.addresses(of: bridge)) {
            check.report(object, problem, remedy)
        }
        let present = Set(check.host.addresses(of: bridge).map(\.prefix))
        for address in network.hostAddresses {
            guard present.contains(address) else {
                check.report(object, "the bridge \(name) lacks the address \(address)", remedy)
                continue
            }
            // A bridge that is down has none, and has been told.
            let routes = check.host.routes(by: bridge)
            if bridge.isUp, !routes.contains(where: { $0.destination == address.network && $0.gateway == nil }) {
                check.report(object, "the route to \(address.network) is missing", remedy)
            }
        }
        let problems =
            HostInterface.problems(bridge, hasIPv6: network.hasSubnet(.v6))
            + HostInterface.problems(bridge, try HostInterface.forwarding(of: network))
        for problem in problems { check.report(object, problem, remedy) }
        if case .vxlan(let options) = network.driver {
            try checkVXLAN(options, of: network, on: bridge, object, remedy, &check)
        }
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
