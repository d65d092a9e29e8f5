public import Addressing

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

    /// Whether a relay has to carry its traffic: the kernel cannot translate ::1, because that source never leaves by
    /// another interface (net/ipv6/addrconf.c has no route_localnet).
    public var isRelayed: Bool { hostAddress == .v6(.loopback) }

    /// The families of the addresses that it can lead to. A relay makes connections of its own, so it has the choice.
    public var families: [IPFamily] {
        isRelayed ? [.v6, .v4] : hostAddress.map { [$0.family] } ?? [.v4, .v6]
    }

    /// The one host address it is limited to; nil when it takes all addresses of its families.
    public var singleAddress: IPAddress? { hostAddress.flatMap { $0.isAny ? nil : $0 } }

    /// Two of a list that cannot be published at the same time; nil when all can. Lists are long where every port is
    /// asked for by itself.
    public static func conflict(among mappings: [PortMapping]) -> (PortMapping, PortMapping)? {
        var open: [PortMapping] = []
        for mapping in mappings.sorted(by: { $0.hostPorts.first < $1.hostPorts.first }) {
            open.removeAll { $0.hostPorts.last < mapping.hostPorts.first }
            if let other = open.first(where: { mapping.conflicts(with: $0) && !mapping.complements($0) }) {
                return (other, mapping)
            }
            open.append(mapping)
        }
        return nil
    }

    /// Whether a sandbox may publish both although they conflict: what is published on all addresses leaves ::1 out.
    public func complements(_ other: PortMapping) -> Bool { isRelayed != other.isRelayed }

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
        let request = try PortRequest(parsing: text)
        if let mapping = request.mapping {
            self = mapping
            return
        }
        if case .oneOf(let ports) = request.hostPorts {
            throw NetworkError(
                .invalid, "port '\(text)': \(ports) is \(ports.count) ports and \(request.sandboxPorts) is 1")
        }
        throw NetworkError(.invalid, "port '\(text)': the host's port is missing (HOSTPORT:PORT)")
    }
}

extension PortMapping: PortText {
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
