import Addressing
import LinuxSystem
public import NetworkModel
import Rtnetlink

/// Where the packets of a network or a sandbox are seen.
public struct CapturePlan: Hashable, Sendable {
    public var interfaces: [Interface]

    public struct Interface: Hashable, Sendable {
        /// Its name where it is.
        public var name: String
        /// What it is called in the recording: two sandboxes may have an `eth0` each.
        public var label: String
        /// What it is: `web on lab`.
        public var description: String
        /// nil for the host's own.
        public var sandbox: SandboxIdentity?

        init(_ name: String, label: String? = nil, description: String, sandbox: SandboxIdentity? = nil) {
            self.name = name
            self.label = label ?? name
            self.description = description
            self.sandbox = sandbox
        }
    }
}

extension NetworkEngine {
    /// Where to listen for the packets of a network, or else of a sandbox of that name.
    ///
    /// A network is its bridge, or the host's ends of its pairs; where its packets do not pass the host, or pass it among
    /// those of others, it is the interfaces of its sandboxes. A sandbox is its interfaces, inside of it.
    /// - Parameter interface: Only this one.
    /// - Throws: `NetworkError` when there is neither, or when nothing of it is to be seen.
    public func capturePlan(of name: String, interface: String? = nil) throws -> CapturePlan {
        try operate("capture \(name)", isReading: true) { session in
            let isName = (try? NetworkName.check(name)) != nil
            let network = isName ? try session.store.network(name) : nil
            var plan: CapturePlan
            if let network {
                plan = CapturePlan(interfaces: try session.interfaces(of: network))
                guard !plan.interfaces.isEmpty else {
                    throw NetworkError(
                        .notFound,
                        "capture \(name): no sandbox is on it, and no packet of a network of the driver "
                            + "\(network.driver.name) is seen elsewhere")
                }
            } else {
                plan = try session.sandboxPlan(try SandboxReference(parsing: name))
            }
            if let interface {
                let place = plan.interfaces.first
                plan.interfaces.removeAll { $0.name != interface }
                // Any other of the same place will do: the loopback of a sandbox, a port of a bridge.
                if plan.interfaces.isEmpty {
                    plan.interfaces = [.init(interface, description: name, sandbox: place?.sandbox)]
                }
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
        if let name = network.bridgeName { return [.init(name, description: "network \(network.name)")] }
        return try store.sandboxes().filter(\.identity.isAlive).flatMap { sandbox in
            sandbox.endpoints.filter { $0.network == network.name }.map { endpoint in
                let description = "\(sandbox.name) on \(network.name)"
                if let host = endpoint.link.hostInterface { return .init(host, description: description) }
                return .init(
                    endpoint.interface, label: "\(sandbox.name)/\(endpoint.interface)", description: description,
                    sandbox: sandbox.identity)
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
            CapturePlan.Interface(
                $0.interface, description: "\(found.name) on \($0.network)", sandbox: found.identity)
        }
        if interfaces.isEmpty {
            // A namespace that is connected to nothing of ours: all that it has.
            let namespace = try Namespace(path: found.identity.path)
            var links = try Rtnetlink(in: namespace)
            interfaces = try links.links().map { .init($0.name, description: found.name, sandbox: found.identity) }
        }
        return CapturePlan(interfaces: interfaces)
    }
}
