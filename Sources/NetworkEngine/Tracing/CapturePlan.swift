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
    /// - Parameter interface: Only this one of them, or another of the same place: a port of the bridge, the loopback of
    ///   a sandbox. The host's own are none of a network's business.
    /// - Throws: `NetworkError` when there is neither, or when nothing of it is to be seen.
    public func capturePlan(of name: String, interface: String? = nil) throws -> CapturePlan {
        try operate("capture \(name)", isReading: true) { session in
            let isName = (try? NetworkName.check(name)) != nil
            let network = isName ? try session.store.network(name) : nil
            var plan: CapturePlan
            if let network {
                try session.requireBridge(of: network)
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
            if let interface { plan = try session.choose(interface, of: plan, network, name) }
            guard !plan.interfaces.isEmpty else {
                throw NetworkError(.notFound, "capture \(name): it has no interface where packets are to be seen")
            }
            return plan
        }
    }
}

extension Session {
    /// A bridge of ours is not there from the start of the machine on.
    fileprivate mutating func requireBridge(of network: Network) throws {
        guard let bridge = network.bridgeName, try links.link(named: bridge) == nil else { return }
        if network.driver.ownsBridge && !store.isRaised(network.name) {
            throw NetworkError(
                .notFound, "nobody is on network \(network.name) yet: its bridge \(bridge) comes with the first sandbox"
            )
        }
        let remedy = network.driver.ownsBridge ? " (swnet repair)" : ""
        throw NetworkError(.notFound, "bridge \(bridge) of network \(network.name) is gone\(remedy)")
    }

    /// One interface of a network or a sandbox.
    fileprivate mutating func choose(
        _ interface: String, of plan: CapturePlan, _ network: Network?, _ name: String
    ) throws -> CapturePlan {
        let chosen = plan.interfaces.filter { [$0.name, $0.label].contains(interface) }
        if !chosen.isEmpty { return CapturePlan(interfaces: chosen) }
        let kind = network == nil ? "sandbox" : "network"
        let place = network == nil ? plan.interfaces.first?.sandbox : nil
        var others = plan.interfaces.map(\.label)
        if let place {
            var inside = try Rtnetlink(in: Namespace(path: place.path))
            others = try inside.links().map(\.name)
        } else if let bridge = try network?.bridgeName.flatMap({ try links.link(named: $0) }) {
            others += try links.links().filter { $0.master == bridge.index }.map(\.name)
        }
        guard others.contains(interface) else {
            let rest = others.count > 8 ? " and \(others.count - 8) more" : ""
            throw NetworkError(
                .notFound,
                "\(kind) \(name) has no interface \(interface) "
                    + "(it has \(others.prefix(8).joined(separator: ", "))\(rest))")
        }
        return CapturePlan(interfaces: [.init(interface, description: "\(kind) \(name)", sandbox: place)])
    }

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
