import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import Rtnetlink
import SystemPackage

/// The veth pair of an endpoint.
struct VethDriver {
    let endpoint: Endpoint
    let sandbox: String

    /// The mark that the host's end carries, so that it can be recognised as ours.
    var alias: String { "swnet \(endpoint.network) \(sandbox)" }

    /// Makes the pair and sets up the sandbox's end. When that fails, nothing of it is left.
    ///
    /// - Parameters:
    ///   - host: The host's links.
    ///   - namespace: The sandbox's network namespace.
    func attach(_ host: inout Rtnetlink, namespace: borrowing Namespace) throws {
        guard let bridge = try host.link(named: endpoint.bridge) else {
            throw NetworkError(.failed, "network \(endpoint.network): the bridge \(endpoint.bridge) is gone")
        }
        let mtu = endpoint.mtu.map { UInt32($0) }
        // One request with both names and the peer's namespace: nothing passes through the host under another name.
        // One queue: each further one costs the kernel files in /sys.
        let pair = NewLink(
            endpoint.hostInterface,
            .veth(
                peer: .init(
                    endpoint.interface, mtu: mtu, address: endpoint.macAddress,
                    namespaceDescriptor: namespace.descriptor.rawValue, queues: 1)),
            mtu: mtu, master: bridge.index, up: true, alias: alias,
            // With br_netfilter a sandbox that reaches its own published port is answered through the same port.
            hairpin: true, queues: 1)
        let link = try host.add(pair)
        do {
            try configure(link, namespace: namespace)
        } catch {
            _ = try? host.delete(.index(link.index))
            throw error
        }
    }

    /// Sets a parameter of a new interface. It is known to be different, so it is not read first, unless it cannot be
    /// written: then it may be right already.
    private static func write(_ parameter: String, _ value: String) throws {
        do throws(SystemError) {
            try Descriptor.open("/proc/sys/\(parameter)", O_WRONLY).write(text: value)
        } catch {
            try Sysctl.set(parameter, to: value)
        }
    }

    private func configure(_ link: Link, namespace: borrowing Namespace) throws {
        let isV6 = endpoint.address(.v6) != nil
        var inside = try namespace.enter(.net) {
            let name = endpoint.interface
            // Before the interface is up: no router's word from a neighbour (CVE-2020-10749).
            try Self.write("net/ipv6/conf/\(name)/accept_ra", "0")
            // Whoever remembers the address from its last owner hears who has it now (moby issue 36069).
            try Self.write("net/ipv4/conf/\(name)/arp_notify", "1")
            if isV6 {
                try Self.write("net/ipv6/conf/\(name)/ndisc_notify", "1")
                try Sysctl.set("net/ipv6/conf/\(name)/disable_ipv6", to: "0")
            }
            return try Rtnetlink()
        }
        let index: UInt32
        if let peer = link.peer {
            index = peer
        } else {
            guard let found = try inside.link(named: endpoint.interface) else {
                throw NetworkError(.failed, "interface \(endpoint.interface) of \(sandbox) is gone again")
            }
            index = found.index
        }
        var changes: [Change] = [.set(.name("lo"), LinkSettings(up: true))]
        for prefix in endpoint.addresses {
            // The address is ours alone by its lease; asking the link would make it useless for a second.
            changes.append(
                .addAddress(
                    InterfaceAddress(prefix, link: index, flags: prefix.family == .v6 ? .noDuplicateDetection : [])))
        }
        changes.append(.set(.index(index), LinkSettings(up: true)))
        for gateway in endpoint.gateways {
            let base: UInt32? = gateway.family == .v6 ? 1024 : nil
            let metric = endpoint.metric == 0 ? nil : (base ?? 0) + UInt32(endpoint.metric)
            changes.append(.addRoute(Route(defaultVia: gateway, link: index, metric: metric)))
        }
        try inside.apply(changes)
    }
}
