import CLinux
import Netlink
import SystemPackage

/// The settings of `netem`, which makes a good link a bad one (net/sched/sch_netem.c). Probabilities are 0 to 1.
///
/// Equivalent to `tc qdisc add dev $link root netem delay $delay $jitter loss $loss% …`.
public struct NetworkEmulator: Hashable, Sendable {
    /// How long every packet is held.
    public var delay: Duration
    /// How far a packet's delay is from that at most, either way.
    public var jitter: Duration
    /// How much a packet's delay depends on the one before.
    public var delayCorrelation: Double
    public var loss: Double
    public var lossCorrelation: Double
    public var duplicate: Double
    public var duplicateCorrelation: Double
    /// How many packets get a bit wrong.
    public var corrupt: Double
    public var corruptCorrelation: Double
    /// How many packets go at once, before those that are held: needs a delay.
    public var reorder: Double
    public var reorderCorrelation: Double
    /// Only every packet of this number is reordered; 0 is every one.
    public var gap: UInt32
    /// Bytes a second; nil is without end.
    public var rate: UInt64?
    /// The most packets that are held; what comes on top is dropped.
    public var limit: UInt32

    public init(
        delay: Duration = .zero, jitter: Duration = .zero, delayCorrelation: Double = 0, loss: Double = 0,
        lossCorrelation: Double = 0, duplicate: Double = 0, duplicateCorrelation: Double = 0, corrupt: Double = 0,
        corruptCorrelation: Double = 0, reorder: Double = 0, reorderCorrelation: Double = 0, gap: UInt32 = 0,
        rate: UInt64? = nil, limit: UInt32 = 1000
    ) {
        self.delay = delay
        self.jitter = jitter
        self.delayCorrelation = delayCorrelation
        self.loss = loss
        self.lossCorrelation = lossCorrelation
        self.duplicate = duplicate
        self.duplicateCorrelation = duplicateCorrelation
        self.corrupt = corrupt
        self.corruptCorrelation = corruptCorrelation
        self.reorder = reorder
        self.reorderCorrelation = reorderCorrelation
        self.gap = gap
        self.rate = rate
        self.limit = limit
    }
}

extension NetworkEmulator {
    /// A `struct tc_netem_qopt`, and attributes behind it.
    func put(in message: inout MessageBuilder) {
        check(in: &message)
        var parameters = tc_netem_qopt()
        parameters.latency = PacketScheduler.ticks(Double(delay.nanoseconds))
        parameters.jitter = PacketScheduler.ticks(Double(jitter.nanoseconds))
        parameters.limit = limit
        parameters.loss = PacketScheduler.share(loss)
        parameters.duplicate = PacketScheduler.share(duplicate)
        // Without a gap the kernel does not look at the probability.
        parameters.gap = reorder > 0 && gap == 0 ? 1 : gap
        message.put(header: parameters)
        // Ticks of 32 bits end at 275 s and round; these do not.
        message.put(TCA_NETEM_LATENCY64, delay.nanoseconds)
        message.put(TCA_NETEM_JITTER64, jitter.nanoseconds)
        message.put(
            TCA_NETEM_CORR,
            structure: tc_netem_corr(
                delay_corr: PacketScheduler.share(delayCorrelation), loss_corr: PacketScheduler.share(lossCorrelation),
                dup_corr: PacketScheduler.share(duplicateCorrelation)))
        message.put(
            TCA_NETEM_REORDER,
            structure: tc_netem_reorder(
                probability: PacketScheduler.share(reorder), correlation: PacketScheduler.share(reorderCorrelation)))
        message.put(
            TCA_NETEM_CORRUPT,
            structure: tc_netem_corrupt(
                probability: PacketScheduler.share(corrupt), correlation: PacketScheduler.share(corruptCorrelation)))
        guard let rate else { return }
        var specification = tc_netem_rate()
        specification.rate = UInt32(clamping: rate)
        message.put(TCA_NETEM_RATE, structure: specification)
        if rate > UInt32.max { message.put(TCA_NETEM_RATE64, rate) }
    }

    private func check(in message: inout MessageBuilder) {
        message.check(delay, "delay")
        message.check(jitter, "jitter")
        for (value, name) in [
            (loss, "loss"), (duplicate, "duplication"), (corrupt, "corruption"), (reorder, "reordering"),
            (delayCorrelation, "correlation"), (lossCorrelation, "correlation"), (duplicateCorrelation, "correlation"),
            (corruptCorrelation, "correlation"), (reorderCorrelation, "correlation"),
        ] { message.check(probability: value, name) }
        if let rate { message.check(rate: rate) }
        message.check(limit, "limit")
        if reorder > 0, delay == .zero { message.refuse(.invalidArgument, "reordering needs a delay") }
    }

    init?(_ payload: ArraySlice<UInt8>) {
        guard let parameters = payload.header(tc_netem_qopt.self) else { return nil }
        let attributes = Attributes(payload.dropFirst(MemoryLayout<tc_netem_qopt>.size))
        func ticks(_ number: UInt32) -> Duration { Duration(nanoseconds: Double(number) * 64) }
        self.init(
            delay: attributes[TCA_NETEM_LATENCY64]?.i64.map { .nanoseconds($0) } ?? ticks(parameters.latency),
            jitter: attributes[TCA_NETEM_JITTER64]?.i64.map { .nanoseconds($0) } ?? ticks(parameters.jitter),
            loss: PacketScheduler.probability(parameters.loss),
            duplicate: PacketScheduler.probability(parameters.duplicate), gap: parameters.gap, limit: parameters.limit)
        if let correlation = attributes[TCA_NETEM_CORR]?.payload.header(tc_netem_corr.self) {
            delayCorrelation = PacketScheduler.probability(correlation.delay_corr)
            lossCorrelation = PacketScheduler.probability(correlation.loss_corr)
            duplicateCorrelation = PacketScheduler.probability(correlation.dup_corr)
        }
        if let part = attributes[TCA_NETEM_REORDER]?.payload.header(tc_netem_reorder.self) {
            reorder = PacketScheduler.probability(part.probability)
            reorderCorrelation = PacketScheduler.probability(part.correlation)
        }
        if let part = attributes[TCA_NETEM_CORRUPT]?.payload.header(tc_netem_corrupt.self) {
            corrupt = PacketScheduler.probability(part.probability)
            corruptCorrelation = PacketScheduler.probability(part.correlation)
        }
        if let part = attributes[TCA_NETEM_RATE]?.payload.header(tc_netem_rate.self), part.rate > 0 {
            rate = attributes.u64(TCA_NETEM_RATE64) ?? UInt64(part.rate)
        }
    }
}
