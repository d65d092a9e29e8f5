public import Addressing

/// What a packet is asked about: `tcp 127.0.0.1:6379`, `udp [::1]:53`, `icmp 10.0.0.2`.
public struct TraceTarget: Hashable, Sendable {
    public enum Transport: String, CaseIterable, Hashable, Sendable {
        case tcp, udp, icmp
    }

    public var transport: Transport
    public var address: IPAddress
    /// 0 for ICMP, which has none.
    public var port: UInt16

    public init(_ transport: Transport, _ address: IPAddress, port: UInt16 = 0) {
        self.transport = transport
        self.address = address
        self.port = port
    }

    /// Parses the two words of a command line.
    ///
    /// - Throws: `NetworkError` that names the piece that is wrong.
    public init(parsing transport: String, _ text: String) throws(NetworkError) {
        guard let known = Transport(rawValue: transport) else {
            throw NetworkError(.invalid, "protocol '\(transport)' is not known (tcp, udp or icmp)")
        }
        let refuse = { (what: String) in NetworkError(.invalid, "'\(text)': \(what)") }
        if known == .icmp {
            let plain = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
            guard let address = IPAddress(plain) else { throw refuse("this is no IP address (icmp has no ports)") }
            self.init(.icmp, address)
        } else {
            guard let colon = text.lastIndex(of: ":"), IPv6Address(text) == nil else {
                throw refuse("the port is missing (ADDRESS:PORT, [ADDRESS]:PORT)")
            }
            let number = text[text.index(after: colon)...]
            var host = text[..<colon]
            let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
            if isBracketed { host = host.dropFirst().dropLast() }
            guard let address = IPAddress(String(host)), isBracketed == (address.family == .v6) else {
                throw refuse("'\(host)' is no IP address (ADDRESS:PORT, [ADDRESS]:PORT)")
            }
            guard let range = PortRange(String(number)), range.count == 1 else {
                throw refuse("port '\(number)' is not a number from 1 to 65535")
            }
            self.init(known, address, port: range.first)
        }
        if address.isAny { throw refuse("a packet is sent to one address, not to all") }
        if address.isMulticast || address == .v4(IPv4Address(rawValue: .max)) {
            throw refuse("this is not the address of a host")
        }
        if case .v6(let address) = address, address.isIPv4Mapped {
            throw refuse("this is an IPv4 address (write it without ::ffff:)")
        }
    }
}

extension TraceTarget: CustomStringConvertible {
    public var description: String {
        "\(transport.rawValue) " + (transport == .icmp ? "\(address)" : address.endpoint(port: port))
    }
}
