public import Addressing
public import JSONCoding

/// A network namespace with endpoints in networks: a container's, or any other (libnetwork's Container Network Model).
public struct Sandbox: Hashable, Sendable {
    public var name: String
    public var identity: SandboxIdentity
    /// In the order they were connected.
    public var endpoints: [Endpoint]
    /// What is published, ranges as they were asked for.
    public var ports: [PortMapping]
    /// Those of them whose host port was not asked for but chosen.
    public var chosenPorts: [ChosenPort]

    public init(
        name: String, identity: SandboxIdentity, endpoints: [Endpoint] = [], ports: [PortMapping] = [],
        chosenPorts: [ChosenPort] = []
    ) {
        self.name = name
        self.identity = identity
        self.endpoints = endpoints
        self.ports = ports
        self.chosenPorts = chosenPorts
    }

    /// The name of its record's file.
    public var key: String { SandboxReference.key(forName: name) }

    public var isEmpty: Bool { endpoints.isEmpty && ports.isEmpty }

    /// Its endpoint in a network, the first if there are several.
    public func endpoint(in network: String) -> Endpoint? { endpoints.first { $0.network == network } }

    public func endpoint(in network: String, interface: String) -> Endpoint? {
        endpoints.first { $0.network == network && $0.interface == interface }
    }

    /// The address that published ports of a family lead to: that of the endpoint which gives the default route.
    public func target(_ family: IPFamily) -> IPAddress? { published(family)?.address(family) }

    /// The ports that were published because of requests, and the first request because of which none was.
    public func ports(_ requests: [PortRequest]) -> (found: [PortMapping], unknown: PortRequest?) {
        let published = Set(ports)
        let chosen = Dictionary(grouping: chosenPorts, by: \.request)
        var found: [PortMapping] = []
        for request in requests {
            if let mapping = request.mapping, published.contains(mapping) {
                found.append(mapping)
            } else if let ports = chosen[request] {
                found += ports.map(\.mapping)
            } else {
                return (found, request)
            }
        }
        return (found, nil)
    }

    /// The firewall elements that publish its ports.
    public func elements(for ports: [PortMapping]) -> [FirewallElement] {
        // Once, and not for each of what may be thousands.
        let targets = IPFamily.allCases.compactMap(target)
        var elements: [FirewallElement] = []
        elements.reserveCapacity(ports.count * targets.count)
        for port in ports where !port.isRelayed {
            for target in targets where port.hostAddress == nil || port.hostAddress?.family == target.family {
                elements.append(.published(port, target: target, owner: name))
            }
        }
        return elements
    }

    /// The relays that the firewall cannot do without.
    public func relays(for ports: [PortMapping]) -> [PortRelay] {
        ports.filter(\.isRelayed).flatMap { port in
            targets(port).map { PortRelay(mapping: port, target: $0, owner: name) }
        }
    }

    /// Where a port leads: to one address of each family that it takes, or by a relay to one of either.
    public func targets(_ port: PortMapping) -> [IPAddress] {
        let all = port.families.compactMap(target)
        return port.isRelayed ? Array(all.prefix(1)) : all
    }
}

extension Sandbox: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        guard let identity = json["namespace"] else { throw JSONCodingError("namespace", "missing") }
        self.init(
            name: try json.string("name"), identity: try SandboxIdentity(json: identity),
            endpoints: try json.list("endpoints"), ports: try json.list("ports"),
            chosenPorts: try Self.chosenPorts(json))
    }

    private static func chosenPorts(_ json: JSONValue) throws(JSONCodingError) -> [ChosenPort] {
        let mappings: [PortMapping] = try json.list("chosenPorts")
        let requests: [PortRequest] = try json.list("chosenFor")
        var chosen: [ChosenPort] = []
        for (place, mapping) in mappings.enumerated() {
            // Who wrote a record before requests were kept left nothing but the port in the sandbox.
            let port = PortRequest(
                hostAddress: mapping.hostAddress, hostPorts: .any, sandboxPorts: mapping.sandboxPorts,
                transport: mapping.transport)
            chosen.append(ChosenPort(mapping, for: place < requests.count ? requests[place] : port))
        }
        return chosen
    }

    public var json: JSONValue {
        JSONValue([
            "name": .string(name), "namespace": identity.json, "endpoints": JSONValue(endpoints),
            "ports": JSONValue(ports),
            "chosenPorts": chosenPorts.isEmpty ? nil : JSONValue(chosenPorts.map(\.mapping)),
            "chosenFor": chosenPorts.isEmpty ? nil : JSONValue(chosenPorts.map(\.request)),
        ])
    }
}
