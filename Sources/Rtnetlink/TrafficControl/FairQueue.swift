import CLinux
import Netlink

/// The settings of `fq_codel`: a queue for each flow, none of which stays long (RFC 8290, net/sched/sch_fq_codel.c).
/// In a request, what is nil is as the kernel has it.
///
/// Equivalent to `tc qdisc add dev $link root fq_codel target $target interval $interval …`.
public struct FairQueue: Hashable, Sendable {
    /// Packets that wait at most.
    public var limit: UInt32?
    /// How many queues there are; fixed once the discipline exists.
    public var flows: UInt32?
    /// Bytes that a flow may send in its turn.
    public var quantum: UInt32?
    /// How long packets may wait; whole microseconds.
    public var target: Duration?
    /// How long they may do so for longer than that; whole microseconds.
    public var interval: Duration?
    /// Packets are marked and not dropped where the sender understands it (RFC 3168).
    public var ecn: Bool?
    /// Bytes of memory that all packets take at most.
    public var memoryLimit: UInt32?

    public init(
        limit: UInt32? = nil, flows: UInt32? = nil, quantum: UInt32? = nil, target: Duration? = nil,
        interval: Duration? = nil, ecn: Bool? = nil, memoryLimit: UInt32? = nil
    ) {
        self.limit = limit
        self.flows = flows
        self.quantum = quantum
        self.target = target
        self.interval = interval
        self.ecn = ecn
        self.memoryLimit = memoryLimit
    }
}

extension FairQueue {
    func put(in message: inout MessageBuilder) {
        for (value, name) in [(limit, "limit"), (flows, "number of flows"), (quantum, "quantum")] {
            if let value { message.check(value, name) }
        }
        for (value, name) in [(target, "target"), (interval, "interval")] {
            if let value { message.check(value.nanoseconds, name) }
        }
        message.put(TCA_FQ_CODEL_LIMIT, optional: limit)
        message.put(TCA_FQ_CODEL_FLOWS, optional: flows)
        message.put(TCA_FQ_CODEL_QUANTUM, optional: quantum)
        message.put(TCA_FQ_CODEL_TARGET, optional: target.map(Self.microseconds))
        message.put(TCA_FQ_CODEL_INTERVAL, optional: interval.map(Self.microseconds))
        message.put(TCA_FQ_CODEL_ECN, optional: ecn.map { UInt32($0 ? 1 : 0) })
        message.put(TCA_FQ_CODEL_MEMORY_LIMIT, optional: memoryLimit)
    }

    init(_ attributes: Attributes) {
        func duration(_ type: Int) -> Duration? { attributes.u32(type).map { .microseconds(Int64($0)) } }
        self.init(
            limit: attributes.u32(TCA_FQ_CODEL_LIMIT), flows: attributes.u32(TCA_FQ_CODEL_FLOWS),
            quantum: attributes.u32(TCA_FQ_CODEL_QUANTUM), target: duration(TCA_FQ_CODEL_TARGET),
            interval: duration(TCA_FQ_CODEL_INTERVAL), ecn: attributes.u32(TCA_FQ_CODEL_ECN).map { $0 != 0 },
            memoryLimit: attributes.u32(TCA_FQ_CODEL_MEMORY_LIMIT))
    }

    private static func microseconds(_ duration: Duration) -> UInt32 {
        PacketScheduler.clamped(Double(duration.nanoseconds) / 1000)
    }
}
