public import Addressing
import LinuxSystem
public import NetworkModel
import Nftables
import Rtnetlink

/// What somebody was told about an endpoint, and still expects of it.
public struct ExpectedEndpoint: Hashable, Sendable {
    public var network: String
    public var interface: String
    /// nil when any will do.
    public var macAddress: MACAddress?
    public var addresses: [IPPrefix]
    /// The routers of default routes.
    public var gateways: [IPAddress]
    public var ports: [PortMapping]

    public init(
        network: String, interface: String, macAddress: MACAddress? = nil, addresses: [IPPrefix] = [],
        gateways: [IPAddress] = [], ports: [PortMapping] = []
    ) {
        self.network = network
        self.interface = interface
        self.macAddress = macAddress
        self.addresses = addresses
        self.gateways = gateways
        self.ports = ports
    }
}

extension NetworkEngine {
    /// How an endpoint differs from what is recorded and expected of it, in the kernel on both sides; empty when not.
    ///
    /// - Throws: `NetworkError` of the kind `notFound` when there is no such endpoint.
    public func faults(of sandbox: Sandbox, expecting expected: ExpectedEndpoint) throws -> [String] {
        try operate("check \(sandbox.name)") { session in
            guard let sandbox = try session.store.sandbox(key: sandbox.key),
                let endpoint = sandbox.endpoint(in: expected.network, interface: expected.interface)
            else {
                throw NetworkError(
                    .notFound, "\(sandbox.name) is not connected to \(expected.network) by \(expected.interface)")
            }
            var faults = try session.hostFaults(endpoint, sandbox)
            faults += try session.sandboxFaults(endpoint, sandbox, expected)
            faults += try session.firewallFaults(endpoint, sandbox, expected)
            return faults
        }
    }
}

extension Session {
    /// The bridge, the host's end of the pair, and the leases.
    fileprivate mutating func hostFaults(_ endpoint: Endpoint, _ sandbox: Sandbox) throws -> [String] {
        var faults: [String] = []
        var bridge: Link?
        if let name = endpoint.link.bridge {
            bridge = try links.link(named: name)
            faults += try bridgeFaults(name, bridge, endpoint)
        }
        if let name = endpoint.link.hostInterface {
            let link = try links.link(named: name)
            if link == nil { faults.append("interface \(name) of the host is gone") }
            if link?.isUp == false { faults.append("interface \(name) of the host is down") }
            if let link, let bridge, link.master != bridge.index {
                faults.append("interface \(name) is no port of \(bridge.name)")
            }
        }
        for prefix in endpoint.addresses {
            if try store.owner(of: prefix.address, network: endpoint.network) != sandbox.key {
                faults.append("address \(prefix.address) is not leased to \(sandbox.name)")
            }
        }
        return faults
    }

    private mutating func bridgeFaults(_ name: String, _ bridge: Link?, _ endpoint: Endpoint) throws -> [String] {
        guard let bridge else { return ["bridge \(name) is gone"] }
        var faults: [String] = []
        if !bridge.isUp { faults.append("bridge \(name) is down") }
        // A bridge of somebody else's has their addresses.
        guard let network = try store.network(endpoint.network), network.driver.ownsBridge else { return faults }
        let present = try links.addresses(link: bridge.index).map(\.prefix.address)
        for gateway in network.subnets.compactMap(\.gateway) where !present.contains(gateway) {
            faults.append("bridge \(name) does not have the gateway's address \(gateway)")
        }
        return faults
    }

    /// The sandbox's end of the pair, its addresses and default routes.
    fileprivate func sandboxFaults(
        _ endpoint: Endpoint, _ sandbox: Sandbox, _ expected: ExpectedEndpoint
    ) throws -> [String] {
        guard sandbox.identity.isAlive else { return ["the network namespace of \(sandbox.name) is gone"] }
        let namespace = try Namespace(path: sandbox.identity.path)
        var inside = try Rtnetlink(in: namespace)
        guard let link = try inside.link(named: endpoint.interface) else {
            return ["interface \(endpoint.interface) of \(sandbox.name) is gone"]
        }
        var faults: [String] = []
        if !link.isUp { faults.append("interface \(link.name) of \(sandbox.name) is down") }
        if let mac = expected.macAddress, link.address != mac {
            let found = link.address.map(\.description) ?? "nothing"
            faults.append("interface \(link.name) of \(sandbox.name) has the address \(found) and not \(mac)")
        }
        let present = try inside.addresses(link: link.index).map(\.prefix)
        for prefix in expected.addresses where !present.contains(prefix) {
            faults.append("interface \(link.name) of \(sandbox.name) does not have the address \(prefix)")
        }
        let routes = try inside.routes(table: Route.mainTable)
        for gateway in expected.gateways
        where !routes.contains(where: { $0.isDefault && $0.gateway == gateway && $0.link == link.index }) {
            faults.append("\(sandbox.name) has no default route via \(gateway)")
        }
        return faults
    }

    /// What the firewall has to know of the network, and the published ports.
    fileprivate mutating func firewallFaults(
        _ endpoint: Endpoint, _ sandbox: Sandbox, _ expected: ExpectedEndpoint
    ) throws -> [String] {
        let network = try store.network(endpoint.network)
        guard network?.driver.isRoutedByHost != false else { return [] }
        guard try firewall.isBuilt() else { return ["the firewall's table inet swnet is gone"] }
        var faults = expected.ports.filter { !sandbox.ports.contains($0) }.map { "port \($0) is not published" }
        var elements = sandbox.elements(for: expected.ports.filter(sandbox.ports.contains))
        if let network { elements += network.elements + network.elements(of: endpoint) }
        faults += try firewall.missing(elements).map { "the firewall lacks: \($0)" }
        return faults
    }
}

extension Firewall {
    /// The elements that the table does not hold, or holds with another content.
    fileprivate mutating func missing(_ elements: [FirewallElement]) throws -> [FirewallElement] {
        var present: [String: [[Value]: Element]] = [:]
        return try elements.filter { fact in
            try ElementGroups([fact]).groups.contains { group in
                if present[group.set.name] == nil {
                    present[group.set.name] = Dictionary(
                        try elementsPresent(in: group.set).map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first }
                    )
                }
                return group.elements.contains { present[group.set.name]?[$0.key]?.content != $0.content }
            }
        }
    }
}
