public import Addressing
public import JSONCoding

/// A process that carries the connections of published ports to a sandbox, where the kernel cannot translate them.
public struct PortRelay: Hashable, Sendable {
    /// What it listens to.
    public var mapping: PortMapping
    /// The sandbox's address.
    public var target: IPAddress
    /// The sandbox's name.
    public var owner: String

    public init(mapping: PortMapping, target: IPAddress, owner: String) {
        self.mapping = mapping
        self.target = target
        self.owner = owner
    }

    /// Where it is found: there is one relay at most of a port. `tcp-8080`, `udp-8000-8010`.
    public var name: String { "\(mapping.transport.rawValue)-\(mapping.hostPorts)" }
}

extension PortRelay: CustomStringConvertible {
    public var description: String { "\(mapping) to \(target) of \(owner)" }
}

extension PortRelay: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        self.init(
            mapping: try PortMapping(json: json.member("mapping")), target: try json.text("target"),
            owner: try json.string("owner"))
    }

    public var json: JSONValue {
        JSONValue(["mapping": mapping.json, "target": .init(text: target), "owner": .string(owner)])
    }
}
