public import Addressing

/// Ports of the host that lead to ports of the sandbox: the capability `portMappings` (CONVENTIONS.md).
public struct CNIPortMapping: Hashable, Sendable {
    /// nil for all addresses of both families.
    public var hostAddress: IPAddress?
    public var hostPorts: PortRange
    /// As many as the host's.
    public var sandboxPorts: PortRange
    /// `tcp`, `udp` or `sctp`.
    public var transport: String

    static let transports = ["tcp", "udp", "sctp"]

    static func read(_ field: Field) throws(CNIError) -> [CNIPortMapping] {
        var mappings: [CNIPortMapping] = []
        for element in try field.list() ?? [] { mappings.append(try CNIPortMapping(element.object())) }
        return mappings
    }

    private init(_ field: Field) throws(CNIError) {
        hostPorts = try Self.port(field["hostPort"])
        sandboxPorts = try Self.port(field["containerPort"])
        let name = try field["protocol"].string() ?? ""
        transport = name.isEmpty ? "tcp" : name.lowercased()
        guard Self.transports.contains(transport) else {
            throw field["protocol"].invalid("'\(name)' is none of \(Self.transports.joined(separator: ", "))")
        }
        hostAddress = try field["hostIP"].parsed("an IP address")
    }

    private static func port(_ field: Field) throws(CNIError) -> PortRange {
        guard let number = try field.number(1...65535) else { throw field.missing }
        guard let port = UInt16(exactly: number), let range = PortRange(port) else { throw field.missing }
        return range
    }

    /// The same ports in as few mappings as can be: runtimes list them one by one.
    static func joined(_ mappings: [CNIPortMapping]) -> [CNIPortMapping] {
        var joined: [CNIPortMapping] = []
        for mapping in mappings {
            if let last = joined.last, last.hostAddress == mapping.hostAddress, last.transport == mapping.transport,
                last.hostPorts.last < .max, last.hostPorts.last + 1 == mapping.hostPorts.first,
                last.sandboxPorts.last < .max, last.sandboxPorts.last + 1 == mapping.sandboxPorts.first,
                let host = PortRange(last.hostPorts.first, mapping.hostPorts.last),
                let inside = PortRange(last.sandboxPorts.first, mapping.sandboxPorts.last)
            {
                joined[joined.count - 1].hostPorts = host
                joined[joined.count - 1].sandboxPorts = inside
            } else {
                joined.append(mapping)
            }
        }
        return joined
    }
}
