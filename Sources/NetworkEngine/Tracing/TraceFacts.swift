import Addressing
import LinuxSystem
import NetworkModel
import Rtnetlink

/// What is known of the networks when a packet is traced.
struct TraceFacts {
    var networks: [Network]
    /// Those whose namespace lives.
    var sandboxes: [Sandbox]
    var sender: (name: String, path: String)?

    init(_ session: inout Session, _ request: TraceRequest) throws {
        networks = try session.networks()
        sandboxes = try session.store.sandboxes().filter(\.identity.isAlive)
        if let reference = request.sender {
            let found = try session.find(reference)
            sender = (found.name, found.identity.path)
        }
        if let input = request.input, try session.links.link(named: input) == nil {
            throw NetworkError(.notFound, "there is no interface \(input) on this host")
        }
    }

    /// Whose an address is.
    enum Owner {
        case host(interface: String)
        case sandbox(Sandbox, Endpoint)
        /// In a network's subnet, but nobody's.
        case nobody(Network)
        case elsewhere
    }

    func owner(of address: IPAddress) -> Owner {
        if var links = try? Rtnetlink(), let addresses = try? links.addresses(),
            let own = addresses.first(where: { $0.prefix.address == address })
        {
            return .host(interface: (try? links.link(index: own.link))?.name ?? "")
        }
        if address.isLoopback { return .host(interface: "lo") }
        for sandbox in sandboxes {
            for endpoint in sandbox.endpoints where endpoint.addresses.contains(where: { $0.address == address }) {
                return .sandbox(sandbox, endpoint)
            }
        }
        return networks.first { $0.subnet(of: address) != nil }.map(Owner.nobody) ?? .elsewhere
    }

    /// Whether an interface of the host is a bridge of ours, or an endpoint's.
    func hasInterface(_ name: String) -> Bool {
        networks.contains { $0.driver.ownsBridge && $0.bridgeName == name }
            || sandboxes.contains { $0.endpoints.contains { $0.link.hostInterface == name } }
    }

    func network(_ name: String) -> Network? { networks.first { $0.name == name } }

    /// The sandbox that a packet is going to come to, as far as the records say.
    func sandbox(at target: TraceTarget) -> Sandbox? {
        if case .sandbox(let sandbox, _) = owner(of: target.address) { return sandbox }
        return publisher(of: target)?.sandbox
    }

    /// Where a published port leads.
    func translated(_ target: TraceTarget) -> TraceTarget? {
        guard let (sandbox, mapping) = publisher(of: target), let address = sandbox.target(target.address.family) else {
            return nil
        }
        let port = mapping.sandboxPorts.first + (target.port - mapping.hostPorts.first)
        return TraceTarget(target.transport, address, port: port)
    }

    /// Who publishes a port of this host.
    func publisher(of target: TraceTarget) -> (sandbox: Sandbox, mapping: PortMapping)? {
        for sandbox in sandboxes {
            for mapping in sandbox.ports
            where mapping.transport.rawValue == target.transport.rawValue
                && mapping.hostPorts.ports.contains(target.port)
                && mapping.families.contains(target.address.family)
                && (mapping.singleAddress == nil || mapping.singleAddress == target.address)
            {
                return (sandbox, mapping)
            }
        }
        return nil
    }
}
