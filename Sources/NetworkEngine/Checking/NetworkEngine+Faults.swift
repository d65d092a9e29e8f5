public import Addressing
import LinuxSystem
public import NetworkModel
import Rtnetlink

/// What somebody was told about an endpoint, and still expects of it.
public struct ExpectedEndpoint: Hashable, Sendable {
    public var network: String
    public var interface: String
    /// nil when any will do.
    public var macAddress: MACAddress?
    /// Bytes; nil when any will do.
    public var mtu: Int?
    public var addresses: [Address]
    /// Every route that is told, whoever made it; without a gateway or a metric any will do.
    public var routes: [RouteRequest]
    /// What is published for the endpoint, as it is recorded.
    public var ports: [PortMapping]
    /// What has to be published besides, however it is grouped.
    public var furtherPorts: [PortMapping]
    /// The limits; nil when any will do.
    public var limits: EndpointOptions?
    /// The Ethernet addresses of the host's interfaces.
    public var hostAddresses: [String: MACAddress]
    /// Whom the sandbox asks for names.
    public var nameServers: [IPAddress]

    public init(
        network: String, interface: String, macAddress: MACAddress? = nil, mtu: Int? = nil, addresses: [Address] = [],
        routes: [RouteRequest] = [], ports: [PortMapping] = [], furtherPorts: [PortMapping] = [],
        limits: EndpointOptions? = nil, hostAddresses: [String: MACAddress] = [:], nameServers: [IPAddress] = []
    ) {
        self.network = network
        self.interface = interface
        self.macAddress = macAddress
        self.mtu = mtu
        self.addresses = addresses
        self.routes = routes
        self.ports = ports
        self.furtherPorts = furtherPorts
        self.limits = limits
        self.hostAddresses = hostAddresses
        self.nameServers = nameServers
    }

    public struct Address: Hashable, Sendable {
        public var prefix: IPPrefix
        /// nil when any will do.
        public var gateway: IPAddress?

        public init(_ prefix: IPPrefix, gateway: IPAddress? = nil) {
            self.prefix = prefix
            self.gateway = gateway
        }
    }
}

extension NetworkEngine {
    /// How an endpoint, and what it stands on, differ in the kernel from what is recorded and expected.
    ///
    /// - Throws: `NetworkError` of the kind `notFound` when there is no such endpoint.
    public func faults(of sandbox: Sandbox, expecting expected: ExpectedEndpoint) throws -> [String] {
        try operate("check \(sandbox.name)", isReading: true) { session in
            guard let sandbox = try session.store.sandbox(key: sandbox.key),
                let endpoint = sandbox.endpoint(in: expected.network, interface: expected.interface)
            else {
                throw NetworkError(
                    .notFound, "\(sandbox.name) is not connected to \(expected.network) by \(expected.interface)")
            }
            let leases = endpoint.addresses.map(\.address)
            let published = Set(sandbox.ports)
            let ports = expected.ports.filter(published.contains)
            var faults = expected.recordFaults(endpoint, of: sandbox)
            faults += try session.check(expected.applied(to: endpoint), of: sandbox, leases: leases, ports: ports).map(
                \.description)
            faults += try session.faults(inside: endpoint, of: sandbox, expecting: expected)
            faults += try session.faults(around: endpoint, of: sandbox, ports, expecting: expected)
            return faults
        }
    }
}

extension ExpectedEndpoint {
    /// What was asked for and is not recorded.
    fileprivate func recordFaults(_ endpoint: Endpoint, of sandbox: Sandbox) -> [String] {
        let (told, published, table) = (Set(ports), Set(sandbox.ports), PortTable(sandbox.ports))
        var faults = ports.filter { !published.contains($0) }.map { "port \($0) is not published" }
        for port in furtherPorts where !told.contains(port) && !sandbox.publishes(port, table) {
            faults.append("port \(port) is not published")
        }
        guard let limits else { return faults }
        for (wanted, own, verb) in [
            (limits.egress, endpoint.options.egress, "sends"), (limits.ingress, endpoint.options.ingress, "receives"),
        ] where wanted != own {
            let words = { (limit: RateLimit?) in limit.map { "at most \($0)" } ?? "without limit" }
            faults.append("\(endpoint.interface) \(verb) \(words(own)) instead of \(words(wanted))")
        }
        return faults
    }

    /// The endpoint as it has to be: plugins behind ours may have given addresses, and taken routes away.
    fileprivate func applied(to endpoint: Endpoint) -> Endpoint {
        var endpoint = endpoint
        let isTold = { (destination: IPPrefix, gateway: IPAddress?) in
            routes.contains { $0.destination == destination && ($0.gateway == nil || $0.gateway == gateway) }
        }
        endpoint.addresses = addresses.map(\.prefix)
        endpoint.gateways.removeAll { !isTold(.everything($0.family), $0) }
        endpoint.deviceRoutes.removeAll { !isTold(.everything($0), nil) }
        endpoint.routes.removeAll { $0.gateway != nil && !isTold($0.destination, $0.gateway) }
        if let macAddress { endpoint.macAddress = macAddress }
        endpoint.mtu = nil
        endpoint.isHandedOn = false
        return endpoint
    }
}

extension Session {
    /// What is told of the sandbox and is not so.
    fileprivate func faults(
        inside endpoint: Endpoint, of sandbox: Sandbox, expecting expected: ExpectedEndpoint
    ) throws -> [String] {
        // That it is gone has been told.
        guard let namespace = sandbox.identity.living else { return [] }
        var inside = try Rtnetlink(in: namespace, from: try Namespace.current(.net).descriptor)
        guard let link = try inside.link(named: endpoint.interface) else { return [] }
        var faults: [String] = []
        // The plugin tuning changes the size of packets and does not tell. So what is told is wrong for certain only where
        // nobody has changed anything.
        if let told = expected.mtu, Int(link.mtu) != told, Int(link.mtu) == endpoint.mtu {
            faults.append("\(endpoint.interface) has mtu \(link.mtu) instead of \(told)")
        }
        let routes = try inside.routes(table: Route.mainTable)
        for route in expected.routes where !routes.contains(where: route.isMet) {
            // One of the endpoint's own that is not there at all has been told.
            let any = RouteRequest(to: route.destination, via: route.gateway)
            if any.isOwn(of: endpoint), !routes.contains(where: any.isMet) { continue }
            faults.append("the route to \(route) is missing")
        }
        let network = try store.network(endpoint.network)
        for address in expected.addresses {
            guard let gateway = address.gateway, gateway != network?.subnet(of: address.prefix.address)?.gateway,
                !endpoint.gateways.contains(gateway), !routes.contains(where: { $0.hasGateway(gateway) })
            else { continue }
            faults.append("\(gateway) is not the gateway of \(address.prefix)")
        }
        return faults
    }

    /// What an endpoint needs of the host besides its links and the firewall.
    fileprivate mutating func faults(
        around endpoint: Endpoint, of sandbox: Sandbox, _ ports: [PortMapping], expecting expected: ExpectedEndpoint
    ) throws -> [String] {
        let relays = sandbox.relays(for: ports)
        var faults =
            relays.isEmpty
            ? [] : try RelaySurvey(store).problems(of: relays).map { "port \($0.relay.mapping): \($0.problem)" }
        if let name = endpoint.link.hostInterface, let told = expected.hostAddresses[name],
            let own = try links.link(named: name)?.address, own != told
        {
            faults.append("the host's end \(name) has the Ethernet address \(own) instead of \(told)")
        }
        guard let network = try store.network(endpoint.network) else { return faults }
        if network.needsForwarding {
            for family in IPFamily.allCases where endpoint.address(family) != nil {
                guard try !Forwarding.isOn(family) else { continue }
                faults.append("the host does not forward \(family.word)")
            }
        }
        if network.hasNames, endpoint.nameServers.contains(where: expected.nameServers.contains) {
            faults += try names(of: network).silence(of: network)
        }
        return faults
    }
}

extension RouteRequest {
    /// Whether it is one that an endpoint has of its own.
    fileprivate func isOwn(of endpoint: Endpoint) -> Bool {
        let isThis = { (other: IPAddress) in gateway == nil || gateway == other }
        guard isDefault else {
            return endpoint.routes.contains { $0.destination == destination && $0.gateway.map(isThis) == true }
        }
        return endpoint.gateways.contains { $0.family == family && isThis($0) }
            || gateway == nil && endpoint.deviceRoutes.contains(family)
    }

    /// Whether a route that the kernel has is what was told.
    fileprivate func isMet(by route: Route) -> Bool {
        guard route.destination == destination, gateway.map(route.hasGateway) != false else { return false }
        return metric.map { $0 == route.metric ?? 0 } != false
    }
}

extension Route {
    fileprivate func hasGateway(_ other: IPAddress) -> Bool {
        gateway == other || nextHops.contains { $0.gateway == other }
    }
}

extension Sandbox {
    /// Whether ports are published to where they should lead, however they are grouped.
    ///
    /// - Parameter table: Of its ports.
    fileprivate func publishes(_ wanted: PortMapping, _ table: PortTable) -> Bool {
        zip(wanted.hostPorts.ports, wanted.sandboxPorts.ports).allSatisfy { host, inside in
            table.contains(host, host) { place in
                let port = ports[place]
                return port.hostAddress == wanted.hostAddress && port.transport == wanted.transport
                    && Int(host) - Int(port.hostPorts.first) == Int(inside) - Int(port.sandboxPorts.first)
            }
        }
    }
}
