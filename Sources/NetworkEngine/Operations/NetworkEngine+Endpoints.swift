public import Addressing
import LinuxSystem
public import NetworkModel
import Rtnetlink

/// Endpoints that are found by what they are, and not by the name of their sandbox.
extension NetworkEngine {
    /// Takes endpoints out of a network, each with the ports that came with it and with no other that stays. None at
    /// all is no error.
    ///
    /// What one failure leaves, the next call finds again; the others are taken out all the same.
    /// - Parameters:
    ///   - name: The sandbox that is looked at first; when an endpoint of it is chosen, the others are not looked at.
    ///   - ports: The ports that came with an endpoint.
    ///   - isChosen: Whether an endpoint goes.
    /// - Returns: The names of their sandboxes.
    @discardableResult
    public func disconnect(
        from network: String, first name: String? = nil, ports: (Endpoint) -> [PortMapping],
        where isChosen: (Endpoint) -> Bool
    ) throws -> [String] {
        try operate("disconnect from \(network)") { session in
            if let name, let sandbox = try session.store.sandbox(key: SandboxReference.key(forName: name)),
                try session.disconnect(sandbox, from: network, ports, isChosen)
            {
                return [name]
            }
            var names: [String] = []
            var failures: [String] = []
            for sandbox in try session.store.sandboxes() where sandbox.endpoint(in: network) != nil {
                do {
                    if try session.disconnect(sandbox, from: network, ports, isChosen) { names.append(sandbox.name) }
                } catch {
                    failures.append("\(error)")
                }
            }
            guard failures.isEmpty else { throw NetworkError(.failed, failures.joined(separator: "; ")) }
            return names
        }
    }

    /// A network that somebody has made; nil when nobody has, and none is made by asking.
    public func definition(of network: String) throws -> Network? {
        try operate(isReading: true) { session in try session.store.network(network) }
    }

    /// A driver as a network made with it has it: with the real name of the host's interface that it stands on.
    public func resolved(_ driver: NetworkDriver) -> NetworkDriver { Session.resolved(driver) }

    /// What stands between a network that is asked for and its next endpoint; nil when nothing does.
    ///
    /// - Throws: `NetworkError` when it cannot even be found out.
    public func obstacle(to request: NetworkRequest) throws -> NetworkError? {
        try operate(isReading: true) { session in
            do {
                return try session.obstacle(in: session.store.network(request.name) ?? session.design(request))
            } catch let error as NetworkError {
                return error
            }
        }
    }

    /// A link as the kernel tells it.
    public struct LinkFacts: Hashable, Sendable {
        public var name: String
        public var macAddress: MACAddress?
        /// Bytes.
        public var mtu: Int

        init(_ link: Link) {
            name = link.name
            macAddress = link.address
            mtu = Int(link.mtu)
        }
    }

    /// The links of an endpoint: the host's, which are the bridge and the other end of a pair, and the sandbox's.
    ///
    /// What is not there is left out.
    public func links(
        of endpoint: Endpoint, in sandbox: Sandbox
    ) throws -> (host: [LinkFacts], inside: LinkFacts?) {
        var links = try Rtnetlink()
        let names = [endpoint.link.bridge, endpoint.link.hostInterface].compactMap(\.self)
        let host = try names.compactMap { try links.link(named: $0).map(LinkFacts.init) }
        let inside = try Namespace(path: sandbox.identity.path).withLinks { links in
            try links.link(named: endpoint.interface).map(LinkFacts.init)
        }
        return (host, inside)
    }
}

extension Session {
    fileprivate mutating func disconnect(
        _ sandbox: Sandbox, from network: String, _ ports: (Endpoint) -> [PortMapping],
        _ isChosen: (Endpoint) -> Bool
    ) throws -> Bool {
        let leaving = sandbox.endpoints.filter { $0.network == network && isChosen($0) }
        if leaving.isEmpty { return false }
        let staying = Set(sandbox.endpoints.filter { !leaving.contains($0) }.flatMap(ports))
        try carryOut(
            removal(
                "disconnect \(sandbox.name) from \(network)", of: leaving,
                and: leaving.flatMap(ports).filter { !staying.contains($0) }, from: sandbox))
        return true
    }

    fileprivate mutating func obstacle(in network: Network) throws -> NetworkError? {
        _ = try BridgeDriver(network: network, mark: mark).isPresent(&links)
        if let kind = try missingKind(of: network) {
            return NetworkError(.failed, "this kernel has no links of kind \(kind)")
        }
        guard store.isRaised(network.name) else { return nil }
        let leases = try store.leases(network: network.name).compactMap { IPAddress($0) }
        let taken = Set(leases)
        for choice in network.choices {
            if choice.contains(where: { AddressChoice.next(in: $0, after: 0, isTaken: taken.contains) != nil }) {
                continue
            }
            let isLost = try leases.contains { address in
                guard choice.contains(where: { $0.prefix.contains(address) }) else { return false }
                guard let owner = try store.owner(of: address, network: network.name) else { return true }
                return try store.sandbox(key: owner)?.identity.isAlive != true
            }
            if !isLost { return choice.exhausted(of: network) }
        }
        return nil
    }
}
