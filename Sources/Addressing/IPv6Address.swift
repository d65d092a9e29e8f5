/// An IPv6 address as two 64-bit numbers in host order: the routing prefix and the interface identifier.
public struct IPv6Address: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64

    @inlinable public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The sixteen bytes in network order.
    @inlinable public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        self.init(high: 0, low: 0)
        for byte in bytes { (high, low) = (high << 8 | low >> 56, low << 8 | UInt64(byte)) }
    }

    public var bytes: [UInt8] {
        [high, low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * $0)) } }
    }

    public static let any = IPv6Address(high: 0, low: 0)
    public static let loopback = IPv6Address(high: 0, low: 1)

    public var isLoopback: Bool { self == .loopback }
    /// Whether the address is in ff00::/8 (RFC 4291, section 2.7).
    public var isMulticast: Bool { high >> 56 == 0xff }
    /// Whether the address is in fe80::/10 (RFC 4291, section 2.5.6).
    public var isLinkLocal: Bool { high >> 54 == 0x3fa }
    /// Whether the address is in ::ffff:0:0/96, an IPv4 address in disguise (RFC 4291, section 2.5.5.2).
    public var isIPv4Mapped: Bool { high == 0 && low >> 32 == 0xffff }

    var groups: [UInt16] {
        [high, low].flatMap { half in (0..<4).map { UInt16(truncatingIfNeeded: half >> (48 - 16 * $0)) } }
    }
}

extension IPv6Address: LosslessStringConvertible {
    /// Parses the text forms of RFC 4291, section 2.2: groups, one `::`, and an IPv4 address in the last two groups.
    /// A zone (`%eth0`) is refused: it is not part of an address.
    public init?(_ text: String) {
        var head: [UInt16] = []
        var tail: [UInt16]?
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 3 && parts.count <= 9 else { return nil }
        for (index, part) in parts.enumerated() {
            if part.isEmpty {
                // An empty part is the `::`, once; at the very ends it comes as two empty parts.
                let edge = index == 0 ? parts[1].isEmpty : index == parts.count - 1 && parts[index - 1].isEmpty
                if edge && (index == 0 || tail != nil) { continue }
                guard !edge && tail == nil && index > 0 && index < parts.count - 1 else { return nil }
                tail = []
                continue
            }
            var groups: [UInt16] = []
            if index == parts.count - 1, part.contains("."), let v4 = IPv4Address(String(part)) {
                groups = [UInt16(v4.rawValue >> 16), UInt16(truncatingIfNeeded: v4.rawValue)]
            } else {
                guard part.utf8.count <= 4, part.utf8.allSatisfy(\.isHexadecimalDigit),
                    let group = UInt16(part, radix: 16)
                else { return nil }
                groups = [group]
            }
            if tail == nil { head += groups } else { tail?.append(contentsOf: groups) }
        }
        if let tail {
            // `::` stands for at least one group of zeros.
            guard head.count + tail.count <= 7 else { return nil }
            head += Array(repeating: 0, count: 8 - head.count - tail.count) + tail
        }
        guard head.count == 8 else { return nil }
        high = head[..<4].reduce(0) { $0 << 16 | UInt64($1) }
        low = head[4...].reduce(0) { $0 << 16 | UInt64($1) }
    }

    /// The canonical text of RFC 5952: lower case, no leading zeros, the longest run of zero groups shortened.
    public var description: String {
        if isIPv4Mapped { return "::ffff:\(IPv4Address(rawValue: UInt32(truncatingIfNeeded: low)))" }
        let groups = groups
        var longest = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8 && groups[end] == 0 { end += 1 }
            if end - start > max(longest.count, 1) { longest = start..<end }
            start = end + 1
        }
        let hex = { (slice: ArraySlice<UInt16>) in slice.map { String($0, radix: 16) }.joined(separator: ":") }
        if longest.isEmpty { return hex(groups[...]) }
        return hex(groups[..<longest.lowerBound]) + "::" + hex(groups[longest.upperBound...])
    }
}

extension IPv6Address: Comparable {
    public static func < (a: Self, b: Self) -> Bool { (a.high, a.low) < (b.high, b.low) }
}

extension UInt8 {
    var isHexadecimalDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}
