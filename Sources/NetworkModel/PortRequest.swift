public import Addressing

/// Ports that somebody asks to be published; the host's may be left to be chosen:
/// `[HOSTIP:][HOSTPORT[-END]:]PORT[-END][/tcp|/udp|/sctp]`.
public struct PortRequest: Hashable, Sendable {
    /// As a mapping has it.
    public var hostAddress: IPAddress?
    public var hostPorts: HostPorts
    public var sandboxPorts: PortRange
    public var transport: TransportProtocol

    /// Which ports of the host.
    public enum HostPorts: Hashable, Sendable {
        /// As many as the sandbox's.
        case these(PortRange)
        /// A free one of these, for one port of the sandbox: `8000-8010:80`.
        case oneOf(PortRange)
        /// A free one for each port of the sandbox: `80`, `127.0.0.1::80`.
        case any
    }

    public init(
        hostAddress: IPAddress? = nil, hostPorts: HostPorts, sandboxPorts: PortRange,
        transport: TransportProtocol = .tcp
    ) {
        self.hostAddress = hostAddress
        self.hostPorts = hostPorts
        self.sandboxPorts = sandboxPorts
        self.transport = transport
    }

    /// Exactly these ports.
    public init(_ mapping: PortMapping) {
        self.init(
            hostAddress: mapping.hostAddress, hostPorts: .these(mapping.hostPorts), sandboxPorts: mapping.sandboxPorts,
            transport: mapping.transport)
    }

    /// What is to be published when nothing has to be chosen; nil when something has.
    public var mapping: PortMapping? {
        guard case .these(let ports) = hostPorts else { return nil }
        return PortMapping(
            hostAddress: hostAddress, hostPorts: ports, sandboxPorts: sandboxPorts, transport: transport)
    }

    /// How many ports of the host have to be chosen.
    public var choices: Int {
        switch hostPorts {
        case .these: 0
        case .oneOf: 1
        case .any: sandboxPorts.count
        }
    }

    /// The mapping with which one port of the sandbox leads to one of the host.
    public func mapping(_ hostPort: UInt16, to port: UInt16) -> PortMapping? {
        guard let hostPort = PortRange(hostPort), let port = PortRange(port) else { return nil }
        return PortMapping(hostAddress: hostAddress, hostPorts: hostPort, sandboxPorts: port, transport: transport)
    }
}

// MARK: - Text

extension PortRequest {
    /// Parses what a person typed; an IPv6 host address stands in brackets.
    ///
    /// - Throws: `NetworkError` that names the piece that is wrong.
    public init(parsing text: String) throws(NetworkError) {
        if let plain = Self(plain: text) {
            self = plain
            return
        }
        // None has 72 characters. What is longer was meant to be something else, and is not repeated in full.
        guard text.utf8.count <= 100 else {
            throw NetworkError(.invalid, "port '\(text.prefix(40))…' is too long for one (HOSTIP:HOSTPORT:PORT)")
        }
        let refuse = { (what: String) in NetworkError(.invalid, "port '\(text)': \(what)") }
        var rest = text[...]
        var transport = TransportProtocol.tcp
        if let slash = rest.lastIndex(of: "/") {
            let name = String(rest[rest.index(after: slash)...])
            guard let known = TransportProtocol(rawValue: name.lowercased()) else {
                throw refuse("protocol '\(name)' is not known (tcp, udp or sctp)")
            }
            transport = known
            rest = rest[..<slash]
        }
        let host = try Self.address(&rest, refuse)
        let parts = rest.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        switch parts.count {
        case 1 where host == nil:
            self.init(
                hostPorts: .any, sandboxPorts: try Self.ports(parts[0], "port", refuse), transport: transport)
        case 2:
            let hostPorts = parts[0].isEmpty ? nil : try Self.ports(parts[0], "host port", refuse)
            let sandboxPorts = try Self.ports(parts[1], "port", refuse)
            let choice: HostPorts
            switch hostPorts {
            case nil: choice = .any
            case let ports? where ports.count == sandboxPorts.count: choice = .these(ports)
            case let ports? where sandboxPorts.count == 1: choice = .oneOf(ports)
            case let ports?:
                throw refuse("\(ports) is \(ports.count) ports and \(sandboxPorts) is \(sandboxPorts.count)")
            }
            self.init(hostAddress: host, hostPorts: choice, sandboxPorts: sandboxPorts, transport: transport)
        default:
            throw refuse(
                parts.count == 1 ? "the port is missing after the host address" : "there is too much (HOSTPORT:PORT)")
        }
        try checkHostAddress(refuse)
    }

    /// The commonest, `8080:80` and `8080:80/tcp`, without a look at all that it could be: there may be thousands.
    private init?(plain text: String) {
        let bytes = text.utf8
        let slash = bytes.firstIndex(of: UInt8(ascii: "/"))
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon < slash ?? bytes.endIndex,
            let hostPorts = PortRange(port: bytes[..<colon]),
            let sandboxPorts = PortRange(port: bytes[bytes.index(after: colon)..<(slash ?? bytes.endIndex)])
        else { return nil }
        self.init(hostPorts: .these(hostPorts), sandboxPorts: sandboxPorts)
        guard let slash else { return }
        let name = bytes[bytes.index(after: slash)...]
        guard let known = TransportProtocol.allCases.first(where: { name.elementsEqual($0.rawValue.utf8) }) else {
            return nil
        }
        transport = known
    }

    private static func address(
        _ rest: inout Substring, _ refuse: (String) -> NetworkError
    ) throws(NetworkError) -> IPAddress? {
        if rest.hasPrefix("[") {
            guard let close = rest.firstIndex(of: "]") else { throw refuse("']' is missing after the host address") }
            let inside = String(rest[rest.index(after: rest.startIndex)..<close])
            guard !inside.contains("%") else { throw refuse(linkLocalRefusal(inside)) }
            guard let address = IPv6Address(inside) else { throw refuse("'\(inside)' is no IPv6 address") }
            rest = rest[rest.index(after: close)...]
            guard rest.hasPrefix(":") else { throw refuse("':' is missing after the host address") }
            rest = rest.dropFirst()
            return .v6(address)
        }
        let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 3 else { return nil }
        guard parts.count == 3 else {
            throw refuse("an IPv6 host address needs brackets ([ADDRESS]:HOSTPORT:PORT)")
        }
        guard let address = IPv4Address(String(parts[0])) else { throw refuse("'\(parts[0])' is no IPv4 address") }
        rest = rest[parts[1].startIndex...]
        return .v4(address)
    }

    /// Why nothing is published on an address that belongs to one link. The kernel would forward no answer: a packet whose
    /// source is such an address does not leave its link (RFC 4291, section 2.5.6).
    public static func linkLocalRefusal(_ address: String) -> String {
        "\(address) is link-local, and packets from such an address are never forwarded to a sandbox "
            + "(publish on another address of this host, or on all: HOSTPORT:PORT)"
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
            if address.isLoopback && transport == .sctp {
                throw refuse("sctp cannot be relayed from [::1] (publish on 127.0.0.1 instead)")
            }
            if address.isIPv4Mapped { throw refuse("\(address) is an IPv4 address (write it without ::ffff:)") }
        }
        if hostAddress.isMulticast || hostAddress == .v4(IPv4Address(rawValue: .max)) {
            throw refuse("\(hostAddress) is not the address of a host")
        }
    }
}

extension PortRequest: PortText {
    /// `8080:80/tcp`, `127.0.0.1::80/tcp`, `8000-8010:80/tcp`, `80/tcp`.
    public var description: String {
        let ports: String? =
            switch hostPorts {
            case .these(let ports), .oneOf(let ports): "\(ports)"
            case .any: hostAddress == nil ? nil : ""
            }
        let host: String? =
            switch hostAddress {
            case nil: nil
            case .v4(let address)?: "\(address)"
            case .v6(let address)?: "[\(address)]"
            }
        return [host, ports, "\(sandboxPorts)"].compactMap(\.self).joined(separator: ":") + "/\(transport.rawValue)"
    }
}
