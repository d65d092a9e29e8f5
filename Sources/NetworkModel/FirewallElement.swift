public import Addressing
public import JSONCoding

/// One fact that the firewall has to know. Rules never change; only elements of their sets and maps come and go.
public enum FirewallElement: Hashable, Sendable {
    /// Ports of the host that lead to an address.
    case published(PortMapping, target: IPAddress, owner: String)
    /// A bridge of ours.
    case bridge(String)
    /// A bridge whose network is cut off from the outside.
    case internalBridge(String)
    /// A subnet of a bridge: traffic that comes back to it through the host's address is masqueraded.
    case hairpin(String, IPPrefix)
    /// A subnet whose outgoing traffic takes the host's address.
    case masquerade(IPPrefix)
    /// An interface that the host must not route between and others of its kind.
    case guarded(IPFamily, String)
}

extension FirewallElement: CustomStringConvertible {
    public var description: String {
        switch self {
        case .published(let mapping, let target, let owner): "published \(mapping) to \(target) of \(owner)"
        case .bridge(let name): "bridge \(name)"
        case .internalBridge(let name): "internal bridge \(name)"
        case .hairpin(let bridge, let prefix): "hairpin \(prefix) on \(bridge)"
        case .masquerade(let prefix): "masquerade \(prefix)"
        case .guarded(let family, let name): "guarded \(family.word) \(name)"
        }
    }
}

extension FirewallElement: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        switch try json.string("kind") {
        case "published":
            self = .published(
                try PortMapping(json: json.member("mapping")), target: try json.text("target"),
                owner: try json.string("owner"))
        case "bridge": self = .bridge(try json.string("bridge"))
        case "internal": self = .internalBridge(try json.string("bridge"))
        case "hairpin": self = .hairpin(try json.string("bridge"), try json.text("subnet"))
        case "masquerade": self = .masquerade(try json.text("subnet"))
        case "guarded":
            self = .guarded(try json.string("family") == IPFamily.v4.rawValue ? .v4 : .v6, try json.string("interface"))
        case let kind: throw JSONCodingError("kind", "'\(kind)' is not known")
        }
    }

    public var json: JSONValue {
        switch self {
        case .published(let mapping, let target, let owner):
            JSONValue([
                "kind": "published", "mapping": mapping.json, "target": .init(text: target), "owner": .string(owner),
            ])
        case .bridge(let name): JSONValue(["kind": "bridge", "bridge": .string(name)])
        case .internalBridge(let name): JSONValue(["kind": "internal", "bridge": .string(name)])
        case .hairpin(let bridge, let prefix):
            JSONValue(["kind": "hairpin", "bridge": .string(bridge), "subnet": .init(text: prefix)])
        case .masquerade(let prefix): JSONValue(["kind": "masquerade", "subnet": .init(text: prefix)])
        case .guarded(let family, let name):
            JSONValue(["kind": "guarded", "family": .string(family.rawValue), "interface": .string(name)])
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral {
    public init(stringLiteral text: String) { self = .string(text) }
}

extension Network {
    /// What the firewall has to know of the network as such; nothing where the host does not route for it.
    public var elements: [FirewallElement] {
        guard driver.isRoutedByHost else { return [] }
        var elements: [FirewallElement] = []
        if driver.ownsBridge, let bridgeName { elements += links(bridgeName) }
        if !isInternal { elements += subnets.map { .masquerade($0.prefix) } }
        if hasNames { elements += nameElements }
        return elements
    }

    /// The name server is asked at port 53 of a gateway and listens at another, so that sandboxes can publish port 53.
    private var nameElements: [FirewallElement] {
        subnets.compactMap(\.gateway).flatMap { gateway in
            [TransportProtocol.udp, .tcp].compactMap { transport in
                PortRange(53, 53).flatMap { asked in
                    PortRange(Self.nameServerPort, Self.nameServerPort).flatMap { listening in
                        PortMapping(
                            hostAddress: gateway, hostPorts: asked, sandboxPorts: listening, transport: transport)
                    }
                }.map { .published($0, target: gateway, owner: "names of \(name)") }
            }
        }
    }

    /// Above the ports that Linux gives to whoever asks for any (`ip_local_port_range`).
    public static let nameServerPort: UInt16 = 61053

    /// What the firewall has to know of an endpoint: a pair of its own is a network's link like a bridge.
    public func elements(of endpoint: Endpoint) -> [FirewallElement] {
        guard case .pointToPoint(let host) = endpoint.link else { return [] }
        return links(host)
    }

    private func links(_ name: String) -> [FirewallElement] {
        [.bridge(name)] + (isInternal ? [.internalBridge(name)] : []) + subnets.map { .hairpin(name, $0.prefix) }
    }
}
