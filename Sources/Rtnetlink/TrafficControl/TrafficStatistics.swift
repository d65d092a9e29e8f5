import CLinux
import Netlink

/// What has passed through a queueing discipline or a class. Equivalent to `tc -s qdisc show`.
public struct TrafficStatistics: Hashable, Sendable {
    public var bytes: UInt64 = 0
    public var packets: UInt64 = 0
    /// Packets that were dropped: the queue was full, or the discipline chose to.
    public var drops: UInt32 = 0
    /// How often a packet had to wait for its rate.
    public var overlimits: UInt32 = 0
    public var requeues: UInt32 = 0
    /// Packets that wait.
    public var queueLength: UInt32 = 0
    /// Bytes that wait.
    public var backlog: UInt32 = 0
}

extension TrafficStatistics {
    /// Reads `TCA_STATS2` (linux/gen_stats.h).
    init(_ attributes: Attributes) {
        if let basic = attributes[TCA_STATS_BASIC]?.payload {
            bytes = basic.header(UInt64.self) ?? 0
            packets = UInt64(basic.dropFirst(8).header(UInt32.self) ?? 0)
        }
        // The 32 bits above run over.
        if let all = attributes.u64(TCA_STATS_PKT64) { packets = all }
        if let queue = attributes[TCA_STATS_QUEUE]?.payload.header(gnet_stats_queue.self) {
            (drops, overlimits, requeues) = (queue.drops, queue.overlimits, queue.requeues)
            (queueLength, backlog) = (queue.qlen, queue.backlog)
        }
    }
}
