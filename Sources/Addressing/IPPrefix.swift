/// An address with a prefix length: a subnet (`10.88.0.0/16`), or an interface's address in its subnet (`10.88.0.2/16`).
public struct IPPrefix: Hashable, Sendable {
    public var address: IPAddress
    /// 0 to 32 for IPv4, 0 to 128 for IPv6.
    public let length: Int

    /// - Returns: nil when the length is out of the family's range.
    public init?(address: IPAddress, length: Int) {
        guard (0...address.family.bitWidth).contains(length) else { return nil }
        self.address = address
        self.length = length
    }

    /// Every address of a family, 0.0.0.0/0 or ::/0: the destination of a default route.
    public static func everything(_ family: IPFamily) -> IPPrefix { IPPrefix(everything: family) }

    private init(everything family: IPFamily) {
        address = family == .v4 ? .v4(.any) : .v6(.any)
        length = 0
    }

    public var family: IPFamily { address.family }

    /// The subnet itself: the same prefix with every host bit zero.
    public var network: IPPrefix {
        var copy = self
        copy.address = address.masked(to: length)
        return copy
    }

    /// Whether every host bit is zero, as a subnet is written.
    public var isNetwork: Bool { self == network }

    /// The subnet's last address; for IPv4 the broadcast address when the length is below 31.
    public var last: IPAddress {
        switch network.address {
        case .v4(let address):
            .v4(IPv4Address(rawValue: address.rawValue | ~IPv4Address.mask(length)))
        case .v6(let address):
            .v6(
                IPv6Address(
                    high: address.high | ~IPv6Address.mask(length).high,
                    low: address.low | ~IPv6Address.mask(length).low))
        }
    }

    public func contains(_ other: IPAddress) -> Bool {
        other.family == family && other.masked(to: length) == network.address
    }

    /// Whether the two subnets have an address in common; of different families they never have.
    public func overlaps(_ other: IPPrefix) -> Bool {
        length <= other.length ? contains(other.address) : other.contains(address)
    }

    /// The address at an offset from the subnet's first; nil beyond the subnet.
    public func address(at offset: UInt64) -> IPAddress? {
        guard let candidate = network.address.advanced(by: offset), contains(candidate) else { return nil }
        return candidate
    }

    /// Whether a host may have this address: it is inside, and neither the network's own nor IPv4's broadcast address.
    ///
    /// A /31 and a /127 have two host addresses (RFC 3021, RFC 6164), a /32 and a /128 one.
    public func allowsHost(_ host: IPAddress) -> Bool {
        guard contains(host) else { return false }
        if length >= family.bitWidth - 1 { return true }
        return host != network.address && (family == .v6 || host != last)
    }
}

extension IPPrefix: LosslessStringConvertible {
    /// Parses `ADDRESS/LENGTH`; the length is required.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0])),
            let length = Int(decimal: Array(parts[1].utf8))
        else { return nil }
        self.init(address: address, length: length)
    }

    public var description: String { "\(address)/\(length)" }
}

extension IPAddress {
    func masked(to length: Int) -> IPAddress {
        switch self {
        case .v4(let address): .v4(IPv4Address(rawValue: address.rawValue & IPv4Address.mask(length)))
        case .v6(let address):
            .v6(
                IPv6Address(
                    high: address.high & IPv6Address.mask(length).high, low: address.low & IPv6Address.mask(length).low)
            )
        }
    }
}

extension IPv4Address {
    static func mask(_ length: Int) -> UInt32 { ~(UInt32.max >> length) }
}

extension IPv6Address {
    static func mask(_ length: Int) -> IPv6Address {
        // Swift's shifts by the full width give zero, so both ends of the range come out right.
        IPv6Address(high: ~(UInt64.max >> min(length, 64)), low: ~(UInt64.max >> max(length - 64, 0)))
    }
}
