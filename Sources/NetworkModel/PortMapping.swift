public import Addressing
public import JSONCoding

/// Ports of the host that lead to ports of a sandbox: `[HOSTIP:]HOSTPORT[-END]:PORT[-END][/tcp|/udp|/sctp]`.
public struct PortMapping: Hashable, Sendable {
    /// The host address it is published on: nil for all of both families, 0.0.0.0 for all of IPv4, :: for all of IPv6.
    public var hostAddress: IPAddress?
    public var hostPorts: PortRange
    /// As many as the host's.
    public var sandboxPorts: PortRange
    public var transport: TransportProtocol

    /// - Returns: nil when the two ranges differ in length.
    public init?(
        hostAddress: IPAddress? = nil, hostPorts: PortRange, sandboxPorts: PortRange,
        transport: TransportProtocol = .tcp
    ) {
        guard hostPorts.count == sandboxPorts.count else { return nil }
        self.hostAddress = hostAddress
        self.hostPorts = hostPorts
        self.sandboxPorts = sandboxPorts
        self.transport = transport
    }

    /// The families whose traffic it can take.
    public var families: [IPFamily] { hostAddress.map { [$0.family] } ?? [.v4, .v6] }

    /// The one host address it is limited to; nil when it takes all addresses of its families.
    public var singleAddress: IPAddress? { hostAddress.flatMap { $0.isAny ? nil : $0 } }

    /// Two of a list that cannot be published at the same time; nil when all can. Lists are long where every port is
    /// asked for by itself.
    public static func conflict(among mappings: [PortMapping]) -> (PortMapping, PortMapping)? {
        var open: [PortMapping] = []
        for mapping in mappings.sorted(by: { $0.hostPorts.first < $1.hostPorts.first }) {
            open.removeAll { $0.hostPorts.last < mapping.hostPorts.first }
            if let other = open.first(where: mapping.conflicts) { return (other, mapping) }
            open.append(mapping)
        }
        return nil
    }

    /// Whether the two cannot be published at the same time: some packet would belong to both.
    public func conflicts(with other: PortMapping) -> Bool {
        guard transport == other.transport, hostPorts.overlaps(other.hostPorts) else { return false }
        guard let mine = hostAddress, let others = other.hostAddress else { return true }
        return mine.family == others.family && (mine == others || mine.isAny || others.isAny)
    }
}

// MARK: - Text

extension PortMapping {
    /// Parses `[HOSTIP:]HOSTPORT[-END]:PORT[-END][/tcp|/udp|/sctp]`; an IPv6 host address stands in brackets.
    ///
    /// - Throws: `NetworkError` that names the piece that is wrong.
    public init(parsing text: String) throws(NetworkError) {
        let refuse = { (what: String) in NetworkError(.invalid, "port '\(text)': \(what)") }
        var rest = text[...]
        var transport = TransportProtocol.tcp
        if let slash = rest.lastIndex(of: "/") {
            let name = String(rest[rest.index(after: slash)...])
            guard let known = TransportProtocol(rawValue: name) else {
                throw refuse("protocol '\(name)' is not known (tcp, udp or sctp)")
            }
            transport = known
            rest = rest[..<slash]
        }

        var host: IPAddress?
        if rest.hasPrefix("[") {
            guard let close = rest.firstIndex(of: "]") else { throw refuse("']' is missing after the host address") }
            let inside = String(rest[rest.index(after: rest.startIndex)..<close])
            guard let address = IPv6Address(inside) else { throw refuse("'\(inside)' is no IPv6 address") }
            host = .v6(address)
            rest = rest[rest.index(after: close)...]
            guard rest.hasPrefix(":") else { throw refuse("':' is missing after the host address") }
            rest = rest.dropFirst()
        }
        var parts = rest.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        if host == nil && parts.count == 3 {
            guard let address = IPv4Address(parts[0]) else { throw refuse("'\(parts[0])' is no IPv4 address") }
            host = .v4(address)
            parts.removeFirst()
        }
        if host == nil && parts.count > 3 {
            throw refuse("an IPv6 host address needs brackets ([ADDRESS]:HOSTPORT:PORT)")
        }
        guard parts.count == 2 else {
            throw refuse(
                parts.count == 1 ? "the host's port is missing (HOSTPORT:PORT)" : "there is too much (HOSTPORT:PORT)")
        }
        let hostPorts = try Self.ports(parts[0], "host port", refuse)
        let sandboxPorts = try Self.ports(parts[1], "port", refuse)
        guard
            let mapping = PortMapping(
                hostAddress: host, hostPorts: hostPorts, sandboxPorts: sandboxPorts, transport: transport)
        else {
            throw refuse("\(hostPorts) is \(hostPorts.count) ports and \(sandboxPorts) is \(sandboxPorts.count)")
        }
        try mapping.checkHostAddress(refuse)
        self = mapping
    }

    private static func ports(
        _ text: String, _ what: String, _ refuse: (String) -> NetworkError
    ) throws(NetworkError) -> PortRange {
        if let range = PortRange(text) { return range }
        if text.isEmpty { throw refuse("the \(what) is missing") }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        if ends.count == 2, let first = UInt16(ends[0]), let last = UInt16(ends[1]), first > last, last > 0 {
            throw refuse("the \(what)s '\(text)' run backwards")
        }
        throw refuse("\(what) '\(text)' is not a number from 1 to 65535, or two with '-' between them")
    }

    private func checkHostAddress(_ refuse: (String) -> NetworkError) throws(NetworkError) {
        guard let hostAddress else { return }
        if case .v6(let address) = hostAddress {
            // net/ipv6: the source ::1 cannot leave through another interface, and there is no route_localnet.
            if address.isLoopback {
                throw refuse("the kernel cannot translate [::1] (publish on 127.0.0.1 instead)")
            }
            if address.isIPv4Mapped { throw refuse("\(address) is an IPv4 address (write it without ::ffff:)") }
        }
        if hostAddress.isMulticast || hostAddress == .v4(IPv4Address(rawValue: .max)) {
            throw refuse("\(hostAddress) is not the address of a host")
        }
    }
}

extension PortMapping: LosslessStringConvertible {
    public init?(_ text: String) {
        do throws(NetworkError) { try self.init(parsing: text) } catch { return nil }
    }

    public var description: String { "\(hostPart):\(sandboxPorts)/\(transport.rawValue)" }

    /// `127.0.0.1:8080`, `[fd00::1]:8080`, `8080-8090`.
    public var hostPart: String {
        switch hostAddress {
        case nil: "\(hostPorts)"
        case .v4(let address)?: "\(address):\(hostPorts)"
        case .v6(let address)?: "[\(address)]:\(hostPorts)"
        }
    }
}

extension PortMapping: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        guard case .string(let text) = json else { throw JSONCodingError("", "a port is not a string") }
        do throws(NetworkError) {
            try self.init(parsing: text)
        } catch {
            throw JSONCodingError("", error.message)
        }
    }

    public var json: JSONValue { .string(description) }
}
