import CLinux
import Netlink
import SystemPackage

/// The settings of `tbf`, a queue that lets bytes pass at a rate (net/sched/sch_tbf.c).
///
/// Equivalent to `tc qdisc add dev $link root tbf rate $rate burst $burst limit $limit`.
public struct TokenBucket: Hashable, Sendable {
    /// Bytes a second.
    public var rate: UInt64
    /// Bytes that pass at once after a pause. A packet longer than this never passes, so it has to be more than the MTU,
    /// and some 10 ms of the rate where the rate is to be reached. The kernel counts it in units of 64 ns of the rate:
    /// what is read back may differ from what was asked for by so much.
    public var burst: UInt32
    /// Bytes that wait at most; what comes on top is dropped.
    public var limit: UInt32
    /// Bytes a second that a burst must not exceed.
    public var peakRate: UInt64?
    /// Bytes of the longest packet at the peak rate; needed with one.
    public var peakMTU: UInt32?

    public init(rate: UInt64, burst: UInt32, limit: UInt32, peakRate: UInt64? = nil, peakMTU: UInt32? = nil) {
        self.rate = rate
        self.burst = burst
        self.limit = limit
        self.peakRate = peakRate
        self.peakMTU = peakMTU
    }

    /// With a queue so long that a packet waits for `latency` at most.
    /// Equivalent to `tc qdisc add dev $link root tbf rate $rate burst $burst latency $latency`.
    public init(rate: UInt64, burst: UInt32, latency: Duration) {
        let waiting = Double(rate) * Double(max(latency.nanoseconds, 0)) / 1e9
        self.init(rate: rate, burst: burst, limit: PacketScheduler.clamped(waiting + Double(burst)))
    }
}

extension TokenBucket {
    func put(in message: inout MessageBuilder) {
        message.check(rate: rate)
        message.check(burst, "burst")
        message.check(limit, "limit")
        var parameters = tc_tbf_qopt()
        parameters.rate = PacketScheduler.specification(rate)
        parameters.buffer = PacketScheduler.ticks(bytes: burst, rate: rate)
        parameters.limit = limit
        if let peakRate {
            if peakRate <= rate {
                message.refuse(.invalidArgument, "a peak rate of \(peakRate) is not more than the rate \(rate)")
            }
            message.check(peakMTU ?? 0, "longest packet at the peak rate")
            parameters.peakrate = PacketScheduler.specification(peakRate)
            parameters.mtu = PacketScheduler.ticks(bytes: peakMTU ?? 0, rate: peakRate)
        }
        message.put(TCA_TBF_PARMS, structure: parameters)
        // The ticks above round it; the bytes count.
        message.put(TCA_TBF_BURST, burst)
        if rate > UInt32.max { message.put(TCA_TBF_RATE64, rate) }
        if let peakRate {
            message.put(TCA_TBF_PBURST, optional: peakMTU)
            if peakRate > UInt32.max { message.put(TCA_TBF_PRATE64, peakRate) }
        }
    }

    init?(_ attributes: Attributes) {
        guard let parameters = attributes[TCA_TBF_PARMS]?.payload.header(tc_tbf_qopt.self) else { return nil }
        let rate = attributes.u64(TCA_TBF_RATE64) ?? UInt64(parameters.rate.rate)
        self.init(
            rate: rate, burst: PacketScheduler.bytes(ticks: parameters.buffer, rate: rate), limit: parameters.limit)
        let peak = attributes.u64(TCA_TBF_PRATE64) ?? UInt64(parameters.peakrate.rate)
        if peak > 0 {
            peakRate = peak
            peakMTU = PacketScheduler.bytes(ticks: parameters.mtu, rate: peak)
        }
    }
}
