import Addressing
import LinuxSystem
import NetworkModel
import Rtnetlink

/// Where the packets of a network or a sandbox are seen.
public struct CapturePlan: Hashable, Sendable {
    /// The namespace's file; nil for the host's own.
    public var namespace: String?
    /// Which namespace that has to be.
    public var inode: UInt64?
    public var interfaces: [Interface]

    public struct Interface: Hashable, Sendable {
        public var name: String
        /// What it is: `web on lab`.
        public var description: String
    }
}

extension NetworkEngine {
    /// Where to listen for the packets of a network, or else of a sandbox of that name.
    ///
    /// A network is its bridge, or the interface it stands on, or the host's ends of its pairs; a sandbox is its interfaces,
    /// inside of it.
    /// - Parameter interface: Only this one.
    /// - Throws: `NetworkError` when there is neither, or when nothing of it is to be seen.
    public func capturePlan(of name: String, interface: String? = nil) throws -> CapturePlan {
        try operate("capture \(name)") { session in
            let isName = (try? NetworkName.check(name)) != nil
            let network = isName ? try session.store.network(name) : nil
            var plan: CapturePlan
            if let network {
                plan = CapturePlan(interfaces: try session.interfaces(of: network))
            } else {
                plan = try session.sandboxPlan(try SandboxReference(parsing: name))
            }
            if let interface {
                plan.interfaces.removeAll { $0.name != interface }
                // Any other of the same place will do: the loopback of a sandbox, a port of a bridge.
                if plan.interfaces.isEmpty { plan.interfaces = [.init(name: interface, description: name)] }
            }
            guard !plan.interfaces.isEmpty else {
                throw NetworkError(.notFound, "capture \(name): it has no interface where packets are to be seen")
            }
            return plan
        }
    }
}

extension Session {
    fileprivate func interfaces(of network: Network) throws -> [CapturePlan.Interface] {
        if let name = network.bridgeName { return [.init(name: name, description: "network \(network.name)")] }
        switch network.driver {
        case .macvlan, .ipvlan, .vlan:
            return network.driver.parent.map { [.init(name: $0.text, description: "network \(network.name)")] } ?? []
        case .hostDevice, .dummy:
            throw NetworkError(
                .invalid, "packets of the driver \(network.driver.name) do not pass the host: capture on a sandbox")
        default:
            return try store.sandboxes().flatMap { sandbox in
                sandbox.endpoints.filter { $0.network == network.name }.compactMap { endpoint in
                    endpoint.link.hostInterface.map {
                        .init(name: $0, description: "\(sandbox.name) on \(network.name)")
                    }
                }
            }
        }
    }

    fileprivate mutating func sandboxPlan(_ reference: SandboxReference) throws -> CapturePlan {
        let found: FoundSandbox
        do {
            found = try find(reference)
        } catch let error as NetworkError where error.kind == .notFound {
            throw NetworkError(.notFound, "there is neither a network nor a sandbox named \(reference.name)")
        }
        let endpoints = found.record?.endpoints ?? []
        var interfaces = endpoints.map {
            CapturePlan.Interface(name: $0.interface, description: "\(found.name) on \($0.network)")
        }
        if interfaces.isEmpty {
            // A namespace that is connected to nothing of ours: all that it has.
            let namespace = try Namespace(path: found.identity.path)
            var links = try Rtnetlink(in: namespace)
            interfaces = try links.links().map { .init(name: $0.name, description: found.name) }
        }
        return CapturePlan(namespace: found.identity.path, inode: found.identity.inode, interfaces: interfaces)
    }
}
