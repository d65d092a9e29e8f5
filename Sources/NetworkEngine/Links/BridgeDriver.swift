import Addressing
import LinuxSystem
import Netlink
import NetworkModel
import Rtnetlink
import SystemPackage

/// What a network is in the host's kernel: its bridge, with addresses and kernel parameters, and its VXLAN.
///
/// Drivers that stand on an interface of the host have nothing of their own there; they need that interface.
struct BridgeDriver {
    let network: Network
    let mark: LinkMark

    private var alias: String { mark.alias(of: network) }

    /// Whether everything that the network needs of the host is there.
    ///
    /// - Throws: `NetworkError` when an interface of its name is not ours, or what it stands on is missing.
    func isPresent(_ links: inout Rtnetlink) throws -> Bool {
        if let parent = network.driver.parent, !network.driver.isHostDevice {
            try HostInterface.check(parent.text, for: network, &links)
        }
        guard network.driver.ownsBridge, let name = network.bridgeName else { return true }
        guard try find(name, "bridge", &links) != nil else { return false }
        guard case .vxlan = network.driver else { return true }
        return try find(network.vxlanName, "vxlan", &links) != nil
    }

    private func find(_ name: String, _ kind: String, _ links: inout Rtnetlink) throws -> Link? {
        guard let link = try links.link(named: name) else { return nil }
        guard link.kind == kind, link.alias == alias else {
            throw NetworkError(
                .taken,
                "network \(network.name): an interface \(name) exists that is not of this network "
                    + "(\(link.alias.map { "alias '\($0)'" } ?? "it has no alias"))")
        }
        return link
    }

    /// Makes the bridge with everything it needs. What is there already stays.
    func raise(_ links: inout Rtnetlink) throws {
        guard try !isPresent(&links), let name = network.bridgeName else { return }
        let bridge: Link
        if let found = try find(name, "bridge", &links) {
            bridge = found
        } else {
            bridge = try makeBridge(name, &links)
        }
        guard case .vxlan(let options) = network.driver, try find(network.vxlanName, "vxlan", &links) == nil else {
            return
        }
        do {
            try makeVXLAN(options, bridge, &links)
        } catch {
            _ = try? links.delete(.index(bridge.index))
            throw error
        }
    }

    private func makeBridge(_ name: String, _ links: inout Rtnetlink) throws -> Link {
        let link = try links.add(
            NewLink(
                name, .bridge(Self.settings), mtu: mtu, address: macAddress, up: false,
                alias: alias))
        do {
            try configure(link, isNew: true, &links)
        } catch {
            _ = try? links.delete(.index(link.index))
            throw error
        }
        return link
    }

    /// Ports are open at once: there is no loop that a spanning tree would have to find.
    private static let settings = NewLink.Bridge(stp: false, forwardDelay: 0)

    /// A fixed Ethernet address: else the bridge takes the lowest of its ports', and every endpoint's neighbour cache is
    /// wrong as soon as ports come and go. nil for a network without gateways, which nobody sends to.
    var macAddress: MACAddress? {
        network.subnets.lazy.compactMap(\.gateway).first.flatMap { AddressChoice.macAddress(for: $0) }
    }

    private func configure(_ bridge: Link, isNew: Bool, _ links: inout Rtnetlink) throws {
        try HostInterface.protect(bridge.name, hasIPv6: network.hasSubnet(.v6))
        for (parameter, value) in try HostInterface.forwarding(of: network) {
            try Sysctl.set(parameter.path(bridge.name), to: "\(value)")
        }
        var changes = network.hostAddresses.map { prefix in
            // There is nobody to ask yet whether the address is taken, and asking would delay its use by a second.
            Change.replaceAddress(
                InterfaceAddress(prefix, link: bridge.index, flags: prefix.family == .v6 ? .noDuplicateDetection : []))
        }
        try isNew ? FirewallGate.set(new: bridge.index, &links) : FirewallGate.set(bridge.index, &links)
        changes.append(.set(.index(bridge.index), LinkSettings(up: true, mtu: mtu)))
        try links.apply(changes)
    }

    /// Makes what is missing and sets up again what is there.
    func restore(_ links: inout Rtnetlink) throws {
        try raise(&links)
        guard network.driver.ownsBridge, let name = network.bridgeName,
            let bridge = try find(name, "bridge", &links)
        else { return }
        // With less than 1280 the kernel gives up IPv6 there, and its parameters come back with their usual values.
        if let mtu, bridge.mtu != mtu { try links.set(.index(bridge.index), LinkSettings(mtu: mtu)) }
        if bridge.hasSpanningTree {
            // First: the kernel allows no delay as short as that in a spanning tree.
            try links.set(.index(bridge.index), LinkSettings(kind: .bridge(.init(stp: false))))
            try links.set(.index(bridge.index), LinkSettings(kind: .bridge(Self.settings)))
        }
        if bridge.filtersVLANs {
            try links.set(.index(bridge.index), LinkSettings(kind: .bridge(.init(vlanFiltering: false))))
        }
        if let macAddress, bridge.address != macAddress {
            try links.set(.index(bridge.index), LinkSettings(address: macAddress))
            tellOwnAddress(macAddress, bridge)
        }
        try configure(bridge, isNew: false, &links)
        try restoreLinkLocal(name, &links)
        // Those of IPv6 come back with their address, those of IPv4 do not.
        try links.apply(
            network.hostAddresses.filter { $0.family == .v4 }.compactMap {
                Route.subnet(of: $0, link: bridge.index).map(Change.replaceRoute)
            })
        guard case .vxlan(let options) = network.driver, let vxlan = try find(network.vxlanName, "vxlan", &links) else {
            return
        }
        try links.set(.index(vxlan.index), LinkSettings(up: true, mtu: mtu, master: bridge.index))
        var port = BridgePort.usual
        port.isolated = vxlanPort.isolated
        try links.set(.index(vxlan.index), LinkSettings(port: port))
        try links.openPort(vxlan.index)
        let present = try links.peers(of: vxlan)
        try links.apply(Self.everybody(try others(options, &links).filter { !present.contains($0) }, vxlan))
    }

    /// Who has heard of another Ethernet address for the gateway would go on sending there for half a minute.
    private func tellOwnAddress(_ owner: MACAddress, _ bridge: Link) {
        guard let announcer = try? AddressAnnouncer() else { return }
        for prefix in network.hostAddresses { try? announcer.announce(prefix.address, of: owner, on: bridge.index) }
    }

    /// The kernel makes it only when the bridge comes up.
    private func restoreLinkLocal(_ name: String, _ links: inout Rtnetlink) throws {
        guard let bridge = try find(name, "bridge", &links),
            lacksLinkLocal(bridge, try links.addresses().filter { $0.link == bridge.index }),
            let prefix = bridge.address.flatMap(IPPrefix.init(linkLocalOf:))
        else { return }
        try links.apply([
            .replaceAddress(InterfaceAddress(prefix, link: bridge.index, flags: .noDuplicateDetection))
        ])
    }

    /// The peers that are other hosts, so that all hosts can be given one list. What a host sends to itself would come in
    /// by the VXLAN again, and the bridge would take everybody to be behind it.
    private func others(_ options: NetworkDriver.VXLANOptions, _ links: inout Rtnetlink) throws -> [IPAddress] {
        if options.peers.isEmpty { return [] }
        let own = try links.addresses().map(\.prefix.address)
        return options.peers.filter { !own.contains($0) }
    }

    /// Under the address of all zeros: what everybody should get goes to each of the peers.
    private static func everybody(_ peers: [IPAddress], _ vxlan: Link) -> [Change] {
        guard let everybody = MACAddress(bytes: [0, 0, 0, 0, 0, 0]) else { return [] }
        return peers.map { .appendForwarding(ForwardingEntry(everybody, link: vxlan.index, destination: $0)) }
    }

    private var mtu: UInt32? { network.mtu.map { UInt32($0) } }

    /// Isolated endpoints do not reach each other on another host either.
    private var vxlanPort: BridgePort { BridgePort(isolated: network.policy.isolatesPorts) }

    private func makeVXLAN(_ options: NetworkDriver.VXLANOptions, _ bridge: Link, _ links: inout Rtnetlink) throws {
        let parent = try options.parent.flatMap { try links.link(named: $0.text) }
        // Frames for everybody go to the group, or to each of the peers.
        // Peers alone do not tell the kernel that it is one of IPv6; an address of its own does, also none in particular.
        let local = options.local ?? (options.peers.first?.family == .v6 ? .v6(.any) : nil)
        let settings = NewLink.VXLAN(
            vni: UInt32(clamping: options.vni), port: UInt16(clamping: options.port), remote: options.group,
            local: local, device: parent?.index)
        let link: Link
        do throws(NetlinkError) {
            link = try links.add(
                NewLink(
                    network.vxlanName, .vxlan(settings), mtu: mtu, master: bridge.index, up: true, alias: alias,
                    port: vxlanPort))
        } catch {
            guard error.errno == .addressInUse else { throw error }
            throw NetworkError(
                .taken,
                "network \(network.name): UDP port \(options.port) is taken by \(Self.owner(ofPort: settings.port)) "
                    + "(--opt port=NUMBER)")
        }
        try links.apply(Self.everybody(others(options, &links), link))
    }

    /// A VXLAN takes its port on every address of its family.
    private static func owner(ofPort port: UInt16?) -> String {
        guard var diagnostics = try? SocketDiagnostics(), let sockets = try? diagnostics.boundSockets([.udp]),
            let socket = sockets.first(where: { $0.port == port })
        else { return "a process of the host" }
        return SocketOwner.description(inode: socket.inode)
    }

    /// Deletes the bridge; its ports stay, as ports of nothing.
    ///
    /// One without an alias is ours too here: the kernel takes the alias only after the bridge is made, so that is what
    /// a process leaves that is killed in between.
    func lower(_ links: inout Rtnetlink) throws {
        guard network.driver.ownsBridge, let name = network.bridgeName else { return }
        for (name, kind) in [(network.vxlanName, "vxlan"), (name, "bridge")] {
            guard let link = try links.link(named: name), link.kind == kind,
                link.alias == nil || link.alias == alias
            else { continue }
            try links.delete(.index(link.index))
        }
    }
}

extension Network {
    /// What the host's bridge has of it: its gateways.
    var hostAddresses: [IPPrefix] { subnets.compactMap { subnet in subnet.gateway.map(subnet.with) } }
}

extension Rtnetlink {
    /// Where a VXLAN sends what everybody should get. What it has learned of single machines is something else.
    mutating func peers(of vxlan: Link) throws -> Set<IPAddress> {
        let entries = try forwardingEntries(link: vxlan.index).filter { $0.address.rawValue == 0 }
        return Set(entries.compactMap(\.destination))
    }
}
