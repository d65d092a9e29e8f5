import Addressing
import LinuxSystem
import NetworkModel
import Rtnetlink

extension BridgeDriver {
    /// How the bridge differs from what it was made as; its addresses, parameters and routes are looked at by themselves.
    func problems(_ bridge: Link, _ addresses: [InterfaceAddress]) -> [String] {
        var problems: [String] = []
        if let macAddress, let present = bridge.address, present != macAddress {
            problems.append("the bridge \(bridge.name) has the address \(present) instead of \(macAddress)")
        }
        if bridge.hasSpanningTree {
            problems.append("the bridge \(bridge.name) runs a spanning tree")
        }
        if bridge.filtersVLANs {
            problems.append("the bridge \(bridge.name) filters VLANs")
        }
        if lacksLinkLocal(bridge, addresses) {
            problems.append("the bridge \(bridge.name) lacks its link-local address")
        }
        return problems
    }

    /// Whether the host cannot ask for its sandboxes' Ethernet addresses. A bridge gets such an address when the first of
    /// its ports is up, unless the machine's owner wants none (`addr_gen_mode`).
    func lacksLinkLocal(_ bridge: Link, _ addresses: [InterfaceAddress]) -> Bool {
        guard network.hasSubnet(.v6), bridge.isUp, bridge.operationalState == .up,
            !addresses.contains(where: { $0.prefix.family == .v6 && $0.prefix.address.isLinkLocal })
        else { return false }
        return (try? Sysctl.read("net/ipv6/conf/\(bridge.name)/addr_gen_mode")) != "1"
    }
}

extension Link {
    /// Whether it looks for loops, and closes ports meanwhile.
    var hasSpanningTree: Bool {
        if case .bridge(let settings)? = details { settings.stp == true } else { false }
    }

    /// Whether its ports pass on what is of their VLANs alone.
    var filtersVLANs: Bool {
        if case .bridge(let settings)? = details { settings.vlanFiltering == true } else { false }
    }
}
