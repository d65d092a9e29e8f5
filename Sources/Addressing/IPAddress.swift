/// The two address families of the Internet Protocol.
public enum IPFamily: String, CaseIterable, Hashable, Sendable {
    case v4, v6

    /// 32 or 128.
    public var bitWidth: Int { self == .v4 ? 32 : 128 }
}

/// An address of either family.
public enum IPAddress: Hashable, Sendable {
    case v4(IPv4Address)
    case v6(IPv6Address)

    /// Four or sixteen bytes in network order.
    @inlinable public init?(bytes: some Collection<UInt8>) {
        if let address = IPv4Address(bytes: bytes) {
            self = .v4(address)
        } else if let address = IPv6Address(bytes: bytes) {
            self = .v6(address)
        } else {
            return nil
        }
    }

    public var family: IPFamily {
        switch self {
        case .v4: .v4
        case .v6: .v6
        }
    }

    public var bytes: [UInt8] {
        switch self {
        case .v4(let address): address.bytes
        case .v6(let address): address.bytes
        }
    }

    /// 0.0.0.0 or ::, "every address" where one is listened on.
    public var isAny: Bool { self == .v4(.any) || self == .v6(.any) }

    public var isLoopback: Bool {
        switch self {
        case .v4(let address): address.isLoopback
        case .v6(let address): address.isLoopback
        }
    }

    public var isMulticast: Bool {
        switch self {
        case .v4(let address): address.isMulticast
        case .v6(let address): address.isMulticast
        }
    }

    public var isLinkLocal: Bool {
        switch self {
        case .v4(let address): address.isLinkLocal
        case .v6(let address): address.isLinkLocal
        }
    }

    /// The address `distance` further on, or nil past the family's last one.
    public func advanced(by distance: UInt64) -> IPAddress? {
        switch self {
        case .v4(let address):
            guard let small = UInt32(exactly: distance) else { return nil }
            let (sum, overflow) = address.rawValue.addingReportingOverflow(small)
            return overflow ? nil : .v4(IPv4Address(rawValue: sum))
        case .v6(let address):
            let (low, carry) = address.low.addingReportingOverflow(distance)
            let (high, overflow) = address.high.addingReportingOverflow(carry ? 1 : 0)
            return overflow ? nil : .v6(IPv6Address(high: high, low: low))
        }
    }

    /// `[…]:port` for IPv6, `…:port` for IPv4, as in a URL (RFC 3986, section 3.2.2).
    public func endpoint(port: UInt16) -> String {
        switch self {
        case .v4(let address): "\(address):\(port)"
        case .v6(let address): "[\(address)]:\(port)"
        }
    }
}

extension IPAddress: LosslessStringConvertible {
    public init?(_ text: String) {
        if let address = IPv4Address(text) {
            self = .v4(address)
        } else if let address = IPv6Address(text) {
            self = .v6(address)
        } else {
            return nil
        }
    }

    public var description: String {
        switch self {
        case .v4(let address): address.description
        case .v6(let address): address.description
        }
    }
}

extension IPAddress: Comparable {
    /// IPv4 before IPv6, then by number.
    public static func < (a: Self, b: Self) -> Bool {
        switch (a, b) {
        case (.v4(let a), .v4(let b)): a < b
        case (.v6(let a), .v6(let b)): a < b
        case (.v4, .v6): true
        case (.v6, .v4): false
        }
    }
}
