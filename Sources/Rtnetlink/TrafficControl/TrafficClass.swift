import CLinux
import Netlink
import SystemPackage

/// A class of `htb`: a share of a link's rate (net/sched/sch_htb.c).
public struct TrafficClass: Hashable, Sendable {
    /// The link's index.
    public var link: UInt32
    public var handle: TrafficHandle
    /// The discipline, or the class that lends to this one.
    public var parent: TrafficHandle
    /// Bytes a second that it has for sure.
    public var rate: UInt64
    /// Bytes a second that it gets when others leave them.
    public var ceiling: UInt64
    /// Bytes that pass at once at the rate, after a pause; see `TokenBucket.burst`.
    public var burst: UInt32
    /// The same, at the ceiling.
    public var ceilingBurst: UInt32
    /// 0 to 7: the lower is served first.
    public var priority: UInt32
    /// Bytes that it sends in its turn among classes of its priority; nil in a request: a tenth of the rate.
    public var quantum: UInt32?
    /// What the kernel counted; nothing in a request.
    public var statistics = TrafficStatistics()

    public init(
        _ handle: TrafficHandle, of parent: TrafficHandle, link: UInt32, rate: UInt64, ceiling: UInt64? = nil,
        burst: UInt32, ceilingBurst: UInt32? = nil, priority: UInt32 = 0, quantum: UInt32? = nil
    ) {
        self.handle = handle
        self.parent = parent
        self.link = link
        self.rate = rate
        self.ceiling = ceiling ?? rate
        self.burst = burst
        self.ceilingBurst = ceilingBurst ?? burst
        self.priority = priority
        self.quantum = quantum
    }
}

extension TrafficClass {
    /// Reads an `RTM_NEWTCLASS`; nil when it is no class of `htb`.
    init?(_ message: NetlinkMessage) {
        guard [RTM_NEWTCLASS, RTM_DELTCLASS].contains(message.type), let header = message.header(tcmsg.self) else {
            return nil
        }
        let attributes = message.attributes(after: tcmsg.self)
        let options = attributes.nested(TCA_OPTIONS)
        guard attributes.string(TCA_KIND) == "htb",
            let parameters = options[TCA_HTB_PARMS]?.payload.header(tc_htb_opt.self)
        else { return nil }
        let rate = options.u64(TCA_HTB_RATE64) ?? UInt64(parameters.rate.rate)
        let ceiling = options.u64(TCA_HTB_CEIL64) ?? UInt64(parameters.ceil.rate)
        self.init(
            TrafficHandle(rawValue: header.tcm_handle), of: TrafficHandle(rawValue: header.tcm_parent),
            link: UInt32(bitPattern: header.tcm_ifindex), rate: rate, ceiling: ceiling,
            burst: PacketScheduler.bytes(ticks: parameters.buffer, rate: rate),
            ceilingBurst: PacketScheduler.bytes(ticks: parameters.cbuffer, rate: ceiling), priority: parameters.prio,
            quantum: parameters.quantum)
        statistics = TrafficStatistics(attributes.nested(TCA_STATS2))
    }

    func message(_ type: Int, flags: Int32 = 0) -> MessageBuilder {
        var header = tcmsg()
        header.tcm_ifindex = Int32(bitPattern: link)
        header.tcm_parent = parent.rawValue
        header.tcm_handle = handle.rawValue
        var message = MessageBuilder(type: type, flags: flags)
        message.put(header: header)
        guard type == RTM_NEWTCLASS else { return message }
        message.check(rate: rate)
        message.check(burst, "burst")
        if ceiling < rate { message.refuse(.invalidArgument, "the ceiling \(ceiling) is below the rate \(rate)") }
        if handle.minor == 0 { message.refuse(.invalidArgument, "\(handle) is a discipline's handle and no class's") }
        if priority >= 8 { message.refuse(.invalidArgument, "the priority \(priority) is not in 0-7") }
        var parameters = tc_htb_opt()
        parameters.rate = PacketScheduler.specification(rate)
        parameters.ceil = PacketScheduler.specification(ceiling)
        parameters.buffer = PacketScheduler.ticks(bytes: burst, rate: rate)
        parameters.cbuffer = PacketScheduler.ticks(bytes: ceilingBurst, rate: ceiling)
        parameters.prio = priority
        parameters.quantum = quantum ?? 0
        message.put(TCA_KIND, "htb")
        message.nest(TCA_OPTIONS) { options in
            if rate > UInt32.max { options.put(TCA_HTB_RATE64, rate) }
            if ceiling > UInt32.max { options.put(TCA_HTB_CEIL64, ceiling) }
            options.put(TCA_HTB_PARMS, structure: parameters)
        }
        return message
    }
}

extension TrafficClass: CustomStringConvertible {
    public var description: String { "\(handle) of link \(link)" }
}
