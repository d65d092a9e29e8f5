import Addressing
import NetworkModel

extension Session {
    /// Refuses ports that cannot be published, each with whose they are.
    mutating func checkPorts(_ ports: [PortMapping], of sandbox: Sandbox) throws {
        if let (port, other) = PortMapping.conflict(among: ports) {
            throw NetworkError(.invalid, "port '\(port)': it is asked for twice ('\(other)')")
        }
        var index = try PortIndex(store)
        let reached = IPFamily.allCases.filter { sandbox.target($0) != nil }
        for port in ports {
            guard port.families.contains(where: reached.contains) else {
                throw NetworkError(.invalid, "port '\(port)': \(Self.reason(port, sandbox))")
            }
            try checkNames(port)
        }
        try checkIndex(ports, sandbox, &index)
        try HostPorts.check(ports, index)
    }

    /// Port 53 of a gateway is where a network's names are asked for, and 61053 where they are answered.
    private func checkNames(_ port: PortMapping) throws {
        if port.transport != .sctp, port.hostPorts.ports.contains(Network.nameServerPort),
            port.hostAddress?.isLoopback != true
        {
            throw NetworkError(
                .taken,
                "port '\(port)': \(Network.nameServerPort)/\(port.transport.rawValue) is that of networks' name servers"
            )
        }
        guard let address = port.hostAddress, port.transport != .sctp, port.hostPorts.ports.contains(Network.namePort)
        else { return }
        for name in try store.routedNetworks() {
            guard let network = try store.network(name), network.hasNames,
                network.subnets.contains(where: { $0.gateway == address })
            else { continue }
            let asked = address.endpoint(port: Network.namePort)
            throw NetworkError(
                .taken, "port '\(port)': \(asked)/\(port.transport.rawValue) is taken by the names of \(name)")
        }
    }

    private static func reason(_ port: PortMapping, _ sandbox: Sandbox) -> String {
        if sandbox.endpoints.isEmpty { return "\(sandbox.name) is connected to no network" }
        let names = sandbox.endpoints.map(\.network).joined(separator: ", ")
        if sandbox.endpoints.allSatisfy({ !$0.takesPorts && !$0.isInternal }) {
            return
                "the host does not route for the networks of \(sandbox.name) (\(names)), where its ports are reached "
                + "directly"
        }
        if sandbox.endpoints.allSatisfy({ !$0.takesPorts }) {
            return "\(sandbox.name) is only on internal networks (\(names)), which nothing enters from outside"
        }
        let family = port.families.first?.word ?? ""
        return "\(sandbox.name) has no \(family) address for it to lead to"
    }

    private mutating func checkIndex(_ ports: [PortMapping], _ sandbox: Sandbox, _ index: inout PortIndex) throws {
        // Every round releases one dead owner, or leaves out one that no record knows, so it ends.
        while let (port, conflict) = index.conflict(of: ports, by: sandbox.key) {
            guard let owner = try store.sandbox(key: conflict.owner) else {
                if planned == nil { try PortIndex.rebuild(store) } else { store.pretendRelease(of: conflict.owner) }
                index = try PortIndex(store)
                index.leaveOut(conflict.owner)
                continue
            }
            let part = conflict.mapping.hostPart
            guard !owner.identity.isAlive || owner.name == sandbox.name else {
                throw NetworkError(
                    .taken, "port '\(port)': \(part)/\(port.transport.rawValue) is taken by \(owner.name) (swnet ports)"
                )
            }
            if owner.name == sandbox.name {
                throw NetworkError(
                    .taken, "port '\(port)': \(owner.name) publishes \(part)/\(port.transport.rawValue) already")
            }
            try release(owner)
            index = try PortIndex(store)
        }
    }
}
