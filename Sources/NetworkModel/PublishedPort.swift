public import Addressing
public import JSONCoding

/// A published port as it is listed: whose it is and where it leads.
public struct PublishedPort: Hashable, Sendable {
    public var mapping: PortMapping
    public var sandbox: String
    /// Where its packets go, one for each family that it takes.
    public var targets: [IPAddress]

    public init(mapping: PortMapping, sandbox: String, targets: [IPAddress]) {
        self.mapping = mapping
        self.sandbox = sandbox
        self.targets = targets
    }
}

extension PublishedPort {
    public var json: JSONValue {
        JSONValue([
            "sandbox": .string(sandbox),
            "protocol": .string(mapping.transport.rawValue),
            "hostAddress": mapping.hostAddress.map { .init(text: $0) } ?? .null,
            "hostPorts": .init(text: mapping.hostPorts),
            "ports": .init(text: mapping.sandboxPorts),
            "targets": .array(targets.map { .init(text: $0) }),
        ])
    }
}
