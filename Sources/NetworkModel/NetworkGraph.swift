public import Addressing
public import JSONCoding

/// Networks, what joins them to the host, who is connected, and what is published: what a picture of a host shows.
///
/// The order of everything is that of the names, so that the same host is always the same picture. Renderers are
/// functions of this value alone; each escapes what its format would read as something else.
public struct NetworkGraph: Hashable, Sendable {
    public struct Network: Hashable, Sendable {
        public var name: String
        public var driver: String
        /// The bridge, or the interface of the host that it stands on; nil where there is none.
        public var interface: String?
        public var subnets: [IPPrefix]
        public var isInternal: Bool
        /// Whether the host routes for it, so that its sandboxes reach the outside through the host.
        public var isOpen: Bool
    }

    /// A sandbox's place in a network.
    public struct Endpoint: Hashable, Sendable {
        public var sandbox: String
        public var network: String
        /// In the sandbox.
        public var interface: String
        /// The other end, in the host.
        public var hostInterface: String?
        public var addresses: [IPAddress]
    }

    /// A port of the host that leads to a sandbox.
    public struct Port: Hashable, Sendable {
        public var sandbox: String
        /// `127.0.0.1:8080`.
        public var host: String
        /// `80`.
        public var inside: String
        public var transport: String
    }

    public var networks: [Network]
    /// Names, each once.
    public var sandboxes: [String]
    public var endpoints: [Endpoint]
    public var ports: [Port]

    public init(networks: [NetworkModel.Network], sandboxes: [Sandbox]) {
        self.networks = networks.sorted { $0.name < $1.name }.map { network in
            Network(
                name: network.name, driver: network.driver.name,
                interface: network.bridgeName ?? network.driver.parent?.text, subnets: network.subnets.map(\.prefix),
                isInternal: network.isInternal, isOpen: network.isOpen)
        }
        let sorted = sandboxes.sorted { $0.name < $1.name }
        self.sandboxes = sorted.map(\.name)
        endpoints = sorted.flatMap { sandbox in
            sandbox.endpoints.map { endpoint in
                Endpoint(
                    sandbox: sandbox.name, network: endpoint.network, interface: endpoint.interface,
                    hostInterface: endpoint.link.hostInterface, addresses: endpoint.addresses.map(\.address))
            }
        }
        ports = sorted.flatMap { sandbox in
            sandbox.ports.sorted { ($0.hostPorts.first, $0.description) < ($1.hostPorts.first, $1.description) }
                .map { port in
                    Port(
                        sandbox: sandbox.name, host: port.hostPart, inside: "\(port.sandboxPorts)",
                        transport: port.transport.rawValue)
                }
        }
    }

    func endpoints(of sandbox: String) -> [Endpoint] { endpoints.filter { $0.sandbox == sandbox } }
    func endpoints(on network: String) -> [Endpoint] { endpoints.filter { $0.network == network } }
    func ports(of sandbox: String) -> [Port] { ports.filter { $0.sandbox == sandbox } }
}

extension NetworkGraph.Network {
    /// What stands below the name: `bridge sw-lab`, `10.1.0.0/24`, `internal`.
    var facts: [String] {
        [interface.map { "\(driver) \($0)" } ?? driver] + subnets.map(\.description) + (isInternal ? ["internal"] : [])
    }
}

extension NetworkGraph.Endpoint {
    /// What stands at the line from a sandbox to a network: `eth0`, and the addresses.
    var label: [String] { [interface] + addresses.map(\.description) }
}

extension NetworkGraph.Port {
    /// `127.0.0.1:8080/tcp`.
    var label: String { "\(host)/\(transport)" }
}

extension NetworkGraph {
    /// For other programs: nodes and edges by name.
    public var json: JSONValue {
        let list = { (texts: [String]) in JSONValue.array(texts.map { .string($0) }) }
        return JSONValue([
            "networks": .array(
                networks.map { network in
                    JSONValue([
                        "name": .string(network.name), "driver": .string(network.driver),
                        "interface": network.interface.map { .string($0) },
                        "subnets": list(network.subnets.map(\.description)), "internal": .bool(network.isInternal),
                        "open": .bool(network.isOpen),
                    ])
                }),
            "sandboxes": list(sandboxes),
            "endpoints": .array(
                endpoints.map { endpoint in
                    JSONValue([
                        "sandbox": .string(endpoint.sandbox), "network": .string(endpoint.network),
                        "interface": .string(endpoint.interface),
                        "hostInterface": endpoint.hostInterface.map { .string($0) },
                        "addresses": list(endpoint.addresses.map(\.description)),
                    ])
                }),
            "ports": .array(
                ports.map { port in
                    JSONValue([
                        "sandbox": .string(port.sandbox), "host": .string(port.host), "inside": .string(port.inside),
                        "protocol": .string(port.transport),
                    ])
                }),
        ])
    }
}

extension String {
    /// Without what a picture cannot show: control characters, and the marks that reorder text.
    var drawable: String {
        String(
            String.UnicodeScalarView(
                unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
                        "\u{fffd}"
                    default: scalar
                    }
                }))
    }

    /// Escaped for XML 1.0, for text and for attributes.
    var xml: String {
        var result = ""
        for character in drawable {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.append(character)
            }
        }
        return result
    }
}
