import Addressing
import LinuxSystem
import NetworkModel
import Rtnetlink
import SystemPackage

/// A sandbox that was asked for: what is recorded of it, if anything, and which namespace it is.
struct FoundSandbox {
    var name: String
    var identity: SandboxIdentity
    var record: Sandbox?
}

extension Session {
    /// Finds the namespace that a person means, and its record.
    ///
    /// - Throws: `NetworkError` when there is none, or when it is the host's own.
    mutating func find(_ reference: SandboxReference) throws -> FoundSandbox {
        let recorded = try liveRecord(named: reference.name)
        let identity: SandboxIdentity
        switch reference.location {
        case .process(let process): identity = try SandboxIdentity(process: process)
        case .path(let path): identity = try Self.identity(path: path, reference.name)
        case .recorded:
            guard let recorded else { throw Self.unknown(reference) }
            identity = recorded.identity
        case .named:
            if let recorded {
                identity = recorded.identity
            } else {
                do {
                    identity = try SandboxIdentity(path: SandboxReference.namedNamespaces + reference.name)
                } catch let error as SystemError where error.errno == .noSuchFileOrDirectory {
                    throw Self.unknown(reference)
                }
            }
        }
        let own = try Namespace.current(.net).identity
        guard identity.inode != own.inode || identity.device != own.device else {
            throw NetworkError(.invalid, "sandbox \(reference.name) is the host's own network namespace")
        }
        if let recorded, recorded.identity.isSameNamespace(as: identity) {
            return FoundSandbox(name: recorded.name, identity: recorded.identity, record: recorded)
        }
        // The same namespace may be recorded under another name: a container's process, a namespace's path.
        if let key = try store.sandboxKey(namespace: identity.inode), let other = try store.sandbox(key: key) {
            if other.identity.isSameNamespace(as: identity) {
                if other.identity.isAlive {
                    return FoundSandbox(name: other.name, identity: other.identity, record: other)
                }
                if let heir = try inherit(other, by: identity) { return heir }
            }
            try release(other)
        }
        if recorded != nil {
            throw NetworkError(.taken, "the name \(reference.name) belongs to another sandbox")
        }
        return FoundSandbox(name: reference.name, identity: identity, record: nil)
    }

    /// Finds a sandbox again whose process has ended, or whose file is gone, and whose namespace lives on by another.
    ///
    /// An inode may be that of a later namespace by now. But it is given back when all interfaces of the former are gone,
    /// so that one of the record's own tells that it is the same.
    private mutating func inherit(_ record: Sandbox, by identity: SandboxIdentity) throws -> FoundSandbox? {
        let namespace = try Namespace(path: identity.path, kind: .net)
        let isSame = try record.endpoints.contains { endpoint in
            try EndpointDriver(endpoint: endpoint, sandbox: record.name, mark: mark).isAttached(&links, to: namespace)
        }
        guard isSame else { return nil }
        var heir = record
        heir.identity = identity
        if planned == nil && !store.isReadOnly { try store.record(key: record.key, before: record, after: heir) }
        return FoundSandbox(name: heir.name, identity: identity, record: heir)
    }

    private static func unknown(_ reference: SandboxReference) -> NetworkError {
        let hint =
            reference.location == .recorded ? "" : " (neither a container nor a namespace in /run/netns)"
        return NetworkError(.notFound, "there is no sandbox named \(reference.name)\(hint)")
    }

    private static func identity(path: String, _ name: String) throws -> SandboxIdentity {
        do {
            return try SandboxIdentity(path: path)
        } catch let error as SystemError {
            switch error.errno {
            case .noSuchFileOrDirectory: throw NetworkError(.notFound, "there is no namespace file \(path)")
            case .invalidArgument: throw NetworkError(.invalid, "\(path) is no network namespace")
            default: throw error
            }
        }
    }

    /// The record of a sandbox that must have one.
    mutating func recorded(_ reference: SandboxReference) throws -> Sandbox {
        if let record = try store.sandbox(key: SandboxReference.key(forName: reference.name)) { return record }
        if let record = try find(reference).record { return record }
        throw NetworkError(.notFound, "\(reference.name) is connected to no network")
    }

    /// The record of a name, unless its namespace is gone: then what is left of it is cleaned up.
    private mutating func liveRecord(named name: String) throws -> Sandbox? {
        guard let record = try store.sandbox(key: SandboxReference.key(forName: name)) else { return nil }
        if record.identity.isAlive { return record }
        try release(record)
        return nil
    }

    /// Takes down everything that a sandbox has. Its namespace need not exist any more.
    mutating func release(_ sandbox: Sandbox) throws {
        try carryOut(
            removal("release \(sandbox.name)", of: sandbox.endpoints, and: sandbox.ports, from: sandbox))
    }

    /// The plan that takes endpoints and ports from a sandbox: the firewall first, the links last.
    func removal(
        _ operation: String, of endpoints: [Endpoint], and ports: [PortMapping], from sandbox: Sandbox
    ) -> NetworkPlan {
        var rest = sandbox
        rest.endpoints.removeAll { endpoints.contains($0) }
        let left = rest.endpoints
        rest.orderDefaultRoutes()
        let reached = IPFamily.allCases.filter { rest.target($0) != nil }
        let leaving = Set(ports)
        rest.ports.removeAll { port in leaving.contains(port) || !port.families.contains(where: reached.contains) }
        let staying = Set(rest.ports)
        rest.chosenPorts.removeAll { !staying.contains($0.mapping) }
        var change = FirewallChange(
            from: sandbox.elements(for: sandbox.ports), to: rest.elements(for: rest.ports))
        for endpoint in endpoints {
            // A definition that cannot be read keeps nobody from leaving.
            if let network = try? store.network(endpoint.network) {
                change.removed += network.elements(of: endpoint, sandbox.name)
            }
        }
        var plan = NetworkPlan(operation, interruption: .complete)
        if !change.isEmpty { plan.steps.append(.firewall(change)) }
        let relays = relaySteps(from: sandbox.relays(for: sandbox.ports), to: rest.relays(for: rest.ports))
        plan.steps += relays.stop
        for endpoint in endpoints {
            plan.steps.append(.detach(endpoint, sandbox: sandbox.name, identity: sandbox.identity))
        }
        plan.steps += adjustment(left, rest)
        plan.steps += relays.start
        for endpoint in endpoints {
            for prefix in endpoint.addresses {
                plan.steps.append(.free(network: endpoint.network, address: prefix.address, owner: sandbox.key))
            }
        }
        plan.steps.append(.record(name: sandbox.name, before: sandbox, after: rest.isEmpty ? nil : rest))
        return plan
    }

    /// Releases every sandbox whose namespace is gone, and every lease of nobody.
    ///
    /// - Returns: Their names.
    @discardableResult
    mutating func collect() throws -> [String] {
        var collected: [String] = []
        for sandbox in try store.sandboxes() where !sandbox.identity.isAlive {
            try release(sandbox)
            collected.append(sandbox.name)
        }
        let keys = Set(try store.sandboxKeys())
        for network in try store.raisedNetworks() {
            for text in try store.leases(network: network) {
                guard let address = IPAddress(text), let owner = try store.owner(of: address, network: network),
                    !keys.contains(owner)
                else { continue }
                guard planned == nil else {
                    store.pretendRelease(of: owner)
                    continue
                }
                try store.free(address, network: network, owner: owner)
            }
        }
        guard planned == nil else { return collected }
        try firewall.checkOwner()
        let known = Set(try store.sandboxes().flatMap { $0.endpoints.flatMap(\.link.hostInterfaces) })
        for link in try links.links()
        where mark.isOn(link) && ["veth", "ifb"].contains(link.kind) && !known.contains(link.name) {
            try LinkRemoval.remove(link.name, &links)
        }
        return collected
    }
}
