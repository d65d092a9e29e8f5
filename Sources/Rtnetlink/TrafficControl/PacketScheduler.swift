import CLinux
import Netlink
import SystemPackage

/// The units of the packet scheduler (include/net/pkt_sched.h).
enum PacketScheduler {
    /// `PSCHED_SHIFT`: a tick is 64 ns.
    static let nanosecondsPerTick = 64.0

    /// A duration in ticks, as many as 32 bits hold.
    static func ticks(_ nanoseconds: Double) -> UInt32 { clamped(nanoseconds / nanosecondsPerTick) }

    /// How long `bytes` take at a rate of bytes a second, in ticks.
    static func ticks(bytes: UInt32, rate: UInt64) -> UInt32 {
        rate == 0 ? 0 : ticks(Double(bytes) * 1e9 / Double(rate))
    }

    /// How many bytes pass in so many ticks.
    static func bytes(ticks: UInt32, rate: UInt64) -> UInt32 {
        clamped(Double(ticks) * nanosecondsPerTick * Double(rate) / 1e9)
    }

    /// The nearest number of 32 bits.
    static func clamped(_ number: Double) -> UInt32 {
        number.isNaN || number <= 0 ? 0 : number >= Double(UInt32.max) ? .max : UInt32(number.rounded())
    }

    /// A share of 2^32 - 1, as netem has its probabilities.
    static func share(_ probability: Double) -> UInt32 { clamped(probability * Double(UInt32.max)) }
    static func probability(_ share: UInt32) -> Double { Double(share) / Double(UInt32.max) }

    /// A rate of bytes a second; what 32 bits do not hold is said by an attribute of 64.
    static func specification(_ rate: UInt64) -> tc_ratespec {
        var specification = tc_ratespec()
        specification.rate = UInt32(clamping: rate)
        // A link layer that is known spares the kernel a table of transmission times, which nobody has sent since 2013.
        specification.linklayer = UInt8(TC_LINKLAYER_ETHERNET.rawValue)
        return specification
    }
}

extension Duration {
    init(nanoseconds: Double) { self = .nanoseconds(Int64(min(max(nanoseconds, -9e18), 9e18))) }

    /// Clamped to what 64 bits hold: 292 years.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, over) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return over ? (seconds < 0 ? .min : .max) : sum
    }
}

extension MessageBuilder {
    /// Refuses a rate of nothing: the kernel would divide by it, or let nothing pass for ever.
    mutating func check(rate: UInt64, _ name: String = "rate") {
        if rate == 0 { refuse(.invalidArgument, "a \(name) of 0 lets nothing pass") }
    }

    mutating func check(_ number: some FixedWidthInteger, _ name: String) {
        if number <= 0 { refuse(.invalidArgument, "a \(name) of \(number)") }
    }

    mutating func check(probability: Double, _ name: String) {
        if !(0...1).contains(probability) { refuse(.invalidArgument, "the \(name) \(probability) is not in 0-1") }
    }

    mutating func check(_ duration: Duration, _ name: String) {
        if duration < .zero { refuse(.invalidArgument, "the \(name) \(duration) is negative") }
    }
}
