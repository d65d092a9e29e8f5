/// An IPv4 address as the 32-bit number that it is, in host order.
public struct IPv4Address: Hashable, Sendable {
    public var rawValue: UInt32

    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The four bytes in network order.
    @inlinable public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 4 else { return nil }
        self.init(rawValue: 0)
        for byte in bytes { rawValue = rawValue << 8 | UInt32(byte) }
    }

    public var bytes: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: rawValue >> (24 - 8 * $0)) } }

    public static let any = IPv4Address(rawValue: 0)
    public static let loopback = IPv4Address(rawValue: 0x7f00_0001)

    /// Whether the address is in 127.0.0.0/8 (RFC 1122, section 3.2.1.3).
    public var isLoopback: Bool { rawValue >> 24 == 127 }
    /// Whether the address is in 224.0.0.0/4 (RFC 5771).
    public var isMulticast: Bool { rawValue >> 28 == 0xe }
    /// Whether the address is in 169.254.0.0/16 (RFC 3927).
    public var isLinkLocal: Bool { rawValue >> 16 == 0xa9fe }
}

extension IPv4Address: LosslessStringConvertible {
    /// Parses four decimal numbers from 0 to 255 with dots between them.
    ///
    /// A leading zero is refused: some programs read it as octal, so `010.0.0.1` would mean two addresses
    /// (RFC 6943, section 3.1.1).
    public init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard let byte = UInt8(decimal: part) else { return nil }
            value = value << 8 | UInt32(byte)
        }
        rawValue = value
    }

    public var description: String {
        "\(rawValue >> 24).\(rawValue >> 16 & 0xff).\(rawValue >> 8 & 0xff).\(rawValue & 0xff)"
    }
}

extension IPv4Address: Comparable {
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}
