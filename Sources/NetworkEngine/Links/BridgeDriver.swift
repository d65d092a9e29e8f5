import Addressing
import LinuxSystem
import NetworkModel
import Rtnetlink
import SystemPackage

/// The bridge of a network: the link, the host's addresses on it, and its kernel parameters.
struct BridgeDriver {
    let network: Network

    /// The bridge's link; nil when there is none.
    ///
    /// - Throws: `NetworkError` when an interface of that name is not ours.
    func find(_ links: inout Rtnetlink) throws -> Link? {
        guard let link = try links.link(named: network.bridgeName) else { return nil }
        guard link.kind == "bridge", link.alias == network.alias else {
            throw NetworkError(
                .taken,
                "network \(network.name): an interface \(network.bridgeName) exists that is not of this network "
                    + "(\(link.alias.map { "alias '\($0)'" } ?? "it has no alias"))")
        }
        return link
    }

    /// Makes the bridge with everything it needs. What is there already stays.
    @discardableResult
    func raise(_ links: inout Rtnetlink) throws -> Link {
        if let link = try find(&links) { return link }
        // A fixed Ethernet address: else the bridge takes the lowest of its ports', and every endpoint's neighbour
        // cache is wrong as soon as ports come and go.
        let address = network.subnets.first.flatMap { AddressChoice.macAddress(for: $0.gateway) }
        let link = try links.add(
            NewLink(
                network.bridgeName, .bridge(.init(stp: false, forwardDelay: 0)), mtu: network.mtu.map { UInt32($0) },
                address: address, up: false, alias: network.alias))
        do {
            try configure(link, &links)
        } catch {
            _ = try? links.delete(.index(link.index))
            throw error
        }
        return link
    }

    private func configure(_ link: Link, _ links: inout Rtnetlink) throws {
        let name = network.bridgeName
        // Before the bridge is up: it must not take a router's word from a container (CVE-2020-13401).
        try Sysctl.set("net/ipv6/conf/\(name)/accept_ra", to: "0")
        // Lets 127.0.0.1 be published. The firewall drops what comes from outside and says it is loopback.
        try Sysctl.set("net/ipv4/conf/\(name)/route_localnet", to: "1")
        if network.subnet(.v6) != nil {
            // The bridge asks for its sandboxes' hardware addresses under its link-local address. While the kernel looks
            // for duplicates of that one, for a second after the first sandbox came, it asks nothing and drops packets.
            try Sysctl.set("net/ipv6/conf/\(name)/accept_dad", to: "0")
            try Sysctl.set("net/ipv6/conf/\(name)/disable_ipv6", to: "0")
        }
        var changes = network.subnets.map { subnet in
            // There is nobody to ask yet whether the address is taken, and asking would delay its use by a second.
            Change.addAddress(
                InterfaceAddress(
                    subnet.gatewayPrefix, link: link.index, flags: subnet.isV6 ? .noDuplicateDetection : []))
        }
        changes.append(.set(.index(link.index), LinkSettings(up: true)))
        try links.apply(changes)
    }

    /// Deletes the bridge; its ports stay, as ports of nothing.
    ///
    /// One without an alias is ours too here: the kernel takes the alias only after the bridge is made, so that is what
    /// a process leaves that is killed in between.
    func lower(_ links: inout Rtnetlink) throws {
        guard let link = try links.link(named: network.bridgeName), link.kind == "bridge",
            link.alias == nil || link.alias == network.alias
        else { return }
        try links.delete(.index(link.index))
    }
}

extension Subnet {
    var isV6: Bool { prefix.family == .v6 }
}
