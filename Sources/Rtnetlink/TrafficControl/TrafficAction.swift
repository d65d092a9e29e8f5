import CLinux
import Netlink
import SystemPackage

/// What a filter does to a packet.
public enum TrafficAction: Hashable, Sendable {
    /// The packet leaves by another link instead: for limits on what comes in, by an `ifb`, from where it goes on.
    case redirect(to: UInt32)
    /// A copy of the packet leaves by another link.
    case mirror(to: UInt32)
    /// What is over the rate is dropped.
    case police(Police)
    case drop
    case pass
    /// One whose settings have no words here.
    case other(String)

    /// A limit that drops and does not queue (net/sched/act_police.c).
    /// Equivalent to `police rate $rate burst $burst mtu 64kb conform-exceed drop`.
    public struct Police: Hashable, Sendable {
        /// Bytes a second.
        public var rate: UInt64
        /// Bytes that pass at once after a pause; see `TokenBucket.burst`.
        public var burst: UInt32

        public init(rate: UInt64, burst: UInt32) {
            self.rate = rate
            self.burst = burst
        }
    }

    var kind: String {
        switch self {
        case .redirect, .mirror: "mirred"
        case .police: "police"
        case .drop, .pass: "gact"
        case .other(let name): name
        }
    }
}

extension TrafficAction {
    /// Appends one action: its kind and its options.
    func put(in message: inout MessageBuilder) {
        message.put(TCA_ACT_KIND, kind)
        message.nest(TCA_ACT_OPTIONS) { options in
            switch self {
            case .redirect(let link): options.put(TCA_MIRRED_PARMS, structure: Self.mirred(link, redirects: true))
            case .mirror(let link): options.put(TCA_MIRRED_PARMS, structure: Self.mirred(link, redirects: false))
            case .police(let police): police.put(in: &options)
            case .drop, .pass:
                var parameters = tc_gact()
                parameters.action = self == .drop ? TC_ACT_SHOT : TC_ACT_OK
                options.put(TCA_GACT_PARMS, structure: parameters)
            case .other: options.refuse(.invalidArgument, "the action \(kind) cannot be sent")
            }
        }
    }

    private static func mirred(_ link: UInt32, redirects: Bool) -> tc_mirred {
        var parameters = tc_mirred()
        parameters.action = redirects ? TC_ACT_STOLEN : TC_ACT_PIPE
        parameters.eaction = redirects ? TCA_EGRESS_REDIR : TCA_EGRESS_MIRROR
        parameters.ifindex = link
        return parameters
    }

    /// The actions in a filter's list, in order.
    static func read(_ list: Attributes) -> [TrafficAction] {
        list.sorted { $0.type < $1.type }.compactMap { read(action: $0.nested) }
    }

    private static func read(action: Attributes) -> TrafficAction? {
        guard let kind = action.string(TCA_ACT_KIND) else { return nil }
        let options = action.nested(TCA_ACT_OPTIONS)
        switch kind {
        case "mirred":
            guard let parameters = options[TCA_MIRRED_PARMS]?.payload.header(tc_mirred.self) else { break }
            if parameters.eaction == TCA_EGRESS_REDIR { return .redirect(to: parameters.ifindex) }
            if parameters.eaction == TCA_EGRESS_MIRROR { return .mirror(to: parameters.ifindex) }
        case "police":
            if let police = Police(options) { return .police(police) }
        case "gact":
            guard let parameters = options[TCA_GACT_PARMS]?.payload.header(tc_gact.self) else { break }
            if parameters.action == TC_ACT_SHOT { return .drop }
            if parameters.action == TC_ACT_OK { return .pass }
        default: break
        }
        return .other(kind)
    }
}

extension TrafficAction.Police {
    /// The longest packet that is not over the rate by itself: what several segments were joined to counts as one.
    private static let longestPacket: UInt32 = 65535
    /// A cell of the table of transmission times is 2 to the power of this, so that its 256 hold the longest packet.
    private static let cellLogarithm: UInt8 = 8

    func put(in message: inout MessageBuilder) {
        message.check(rate: rate)
        message.check(burst, "burst")
        var parameters = tc_police()
        parameters.action = TC_ACT_SHOT
        parameters.burst = PacketScheduler.ticks(bytes: burst, rate: rate)
        parameters.mtu = Self.longestPacket
        parameters.rate = PacketScheduler.specification(rate)
        parameters.rate.cell_log = Self.cellLogarithm
        message.put(TCA_POLICE_TBF, structure: parameters)
        // The kernel wants the table of old (`qdisc_get_rtab`) and does not look at it.
        message.put(TCA_POLICE_RATE, Self.table(rate))
        if rate > UInt32.max { message.put(TCA_POLICE_RATE64, rate) }
    }

    /// How many ticks each length of packet takes: 256 numbers of 32 bits.
    private static func table(_ rate: UInt64) -> [UInt8] {
        (1...256).flatMap { cell in
            let ticks = PacketScheduler.ticks(bytes: UInt32(cell) << cellLogarithm, rate: rate)
            return (0..<4).map { UInt8(truncatingIfNeeded: ticks.littleEndian >> (8 * $0)) }
        }
    }

    init?(_ attributes: Attributes) {
        guard let parameters = attributes[TCA_POLICE_TBF]?.payload.header(tc_police.self) else { return nil }
        let rate = attributes.u64(TCA_POLICE_RATE64) ?? UInt64(parameters.rate.rate)
        self.init(rate: rate, burst: PacketScheduler.bytes(ticks: parameters.burst, rate: rate))
    }
}
