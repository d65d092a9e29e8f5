/// An Ethernet address (IEEE 802): six bytes in the low 48 bits of a number.
public struct MACAddress: Hashable, Sendable {
    public let rawValue: UInt64

    /// - Returns: nil when the number needs more than 48 bits.
    public init?(rawValue: UInt64) {
        guard rawValue >> 48 == 0 else { return nil }
        self.rawValue = rawValue
    }

    /// Inlinable, because the runtime looks for what a generic one needs at every start of a program.
    @inlinable public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 6 else { return nil }
        var value: UInt64 = 0
        for byte in bytes { value = value << 8 | UInt64(byte) }
        rawValue = value
    }

    public var bytes: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: rawValue >> (40 - 8 * $0)) } }

    /// Whether an interface may have it: the group bit is clear and it is not all zeros (the kernel's
    /// `is_valid_ether_addr`, include/linux/etherdevice.h).
    public var isUnicast: Bool { rawValue != 0 && rawValue >> 40 & 1 == 0 }
    /// Whether it was not assigned by a manufacturer.
    public var isLocallyAdministered: Bool { rawValue >> 41 & 1 == 1 }
}

extension MACAddress: LosslessStringConvertible {
    /// Parses six pairs of hexadecimal digits with colons or hyphens between them.
    public init?(_ text: String) {
        let separator: Character = text.contains("-") ? "-" : ":"
        let parts = text.split(separator: separator, omittingEmptySubsequences: false)
        guard parts.count == 6 else { return nil }
        var value: UInt64 = 0
        for part in parts {
            guard part.utf8.count == 2, part.utf8.allSatisfy(\.isHexadecimalDigit), let byte = UInt64(part, radix: 16)
            else { return nil }
            value = value << 8 | byte
        }
        rawValue = value
    }

    public var description: String {
        let digit = { (value: UInt8) in value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10 }
        var text: [UInt8] = []
        text.reserveCapacity(17)
        for byte in bytes {
            if !text.isEmpty { text.append(UInt8(ascii: ":")) }
            text.append(digit(byte >> 4))
            text.append(digit(byte & 0xf))
        }
        return String(decoding: text, as: UTF8.self)
    }
}
