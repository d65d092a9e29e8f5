/// How much may pass a link in one direction, as tc writes it: `10mbit`, or `10mbit,64kb` with a burst.
///
/// Source: tc(8), "Parameters".
public struct RateLimit: Hashable, Sendable {
    /// Bits a second; whole bytes.
    public let bits: UInt64
    /// Bytes that pass at once after a pause; nil for as many as the rate needs to be reached.
    public let burst: UInt32?

    /// 1 kbit: a packet of the usual size takes twelve seconds. The other end is what 64 bits of bytes hold in ticks.
    public static let range: ClosedRange<UInt64> = 1_000...1_000_000_000_000

    /// - Returns: nil when the rate is out of range, or the burst is nothing.
    public init?(bits: UInt64, burst: UInt32? = nil) {
        guard Self.range.contains(bits), burst != 0 else { return nil }
        self.bits = bits & ~7
        self.burst = burst
    }

    /// Bytes a second.
    public var bytes: UInt64 { bits / 8 }

    /// The burst that is used: what was asked for, or 10 ms of the rate, so that a timer that is late costs nothing; at
    /// least a few packets, because one that is longer than the burst never passes.
    ///
    /// - Parameter packet: The longest packet in bytes, with its Ethernet header.
    public func burst(packet: Int) -> UInt32 {
        burst ?? UInt32(clamping: max(bytes / 100, UInt64(clamping: packet * 4)))
    }

    /// Bytes that wait at most: 50 ms of the rate, and some packets where that is less.
    public func queue(packet: Int) -> UInt32 {
        let waiting = max(bytes / 20, UInt64(clamping: packet * 10))
        return UInt32(clamping: waiting + UInt64(burst(packet: packet)))
    }
}

extension RateLimit: LosslessStringConvertible {
    public init?(_ text: String) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count), let bits = Self.number(parts[0], Self.rateUnits, Self.range.upperBound)
        else { return nil }
        var burst: UInt32?
        if parts.count == 2 {
            guard let bytes = Self.number(parts[1], Self.sizeUnits, UInt64(UInt32.max)) else { return nil }
            burst = UInt32(clamping: bytes)
        }
        self.init(bits: bits, burst: burst)
    }

    public var description: String {
        let unit = Self.wholeUnits.first { bits % $0.factor == 0 } ?? ("bit", 1)
        return "\(bits / unit.factor)\(unit.name)" + (burst.map { ",\($0)b" } ?? "")
    }

    private typealias Unit = (name: String, factor: UInt64)

    private static let wholeUnits: [Unit] = [
        ("tbit", 1_000_000_000_000), ("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1000),
    ]

    /// Bits: thousands, or with an `i` 1024s; `bps` are bytes a second.
    private static let rateUnits: [Unit] = {
        var units: [Unit] = [("", 1), ("bit", 1), ("bps", 8)]
        var (thousands, binary): (UInt64, UInt64) = (1, 1)
        for letter in "kmgt" {
            thousands *= 1000
            binary *= 1024
            units += [
                ("\(letter)", thousands), ("\(letter)bit", thousands), ("\(letter)bps", thousands * 8),
                ("\(letter)i", binary), ("\(letter)ibit", binary), ("\(letter)ibps", binary * 8),
            ]
        }
        return units
    }()

    /// Bytes, always in 1024s; `kbit` is 1024 bits.
    private static let sizeUnits: [Unit] = [
        ("", 1), ("b", 1), ("k", 1 << 10), ("kb", 1 << 10), ("m", 1 << 20), ("mb", 1 << 20), ("g", 1 << 30),
        ("gb", 1 << 30), ("kbit", 1 << 7), ("mbit", 1 << 17), ("gbit", 1 << 27),
    ]

    /// A decimal number with at most nine digits behind the point, and a unit, in the least unit; what is left is cut off.
    private static func number(_ text: String, _ units: [Unit], _ limit: UInt64) -> UInt64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        let parts = digits.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let unit = units.first(where: { $0.name == text.dropFirst(digits.count).lowercased() }),
            let whole = parts.first.flatMap({ UInt64($0) })
        else { return nil }
        let (product, overflow) = whole.multipliedReportingOverflow(by: unit.factor)
        guard !overflow, product <= limit else { return nil }
        guard parts.count == 2 else { return product }
        guard (1...9).contains(parts[1].count), let fraction = UInt64(parts[1]) else { return nil }
        let scale = (0..<parts[1].count).reduce(UInt64(1)) { scale, _ in scale * 10 }
        // Below a whole unit of 10^12 and with 10^9, so through two divisions and never past 64 bits.
        let share = unit.factor.multipliedFullWidth(by: fraction)
        return product + scale.dividingFullWidth(share).quotient
    }
}
