import CLinux
import Netlink
import SystemPackage

/// A queueing discipline: what decides when a packet leaves a link, or hooks filters to it.
public struct Qdisc: Hashable, Sendable {
    /// What it is, with what only this kind has.
    public enum Kind: Hashable, Sendable {
        case tbf(TokenBucket)
        /// A tree of classes that lend each other what they do not need (net/sched/sch_htb.c). What no filter puts into
        /// a class goes to the one with this minor number, and without such a class passes unlimited.
        case htb(defaultClass: UInt16)
        case netem(NetworkEmulator)
        case fqCodel(FairQueue)
        case prio(PriorityBands)
        /// A row of so many packets.
        case pfifo(limit: UInt32)
        /// A row of so many bytes.
        case bfifo(limit: UInt32)
        /// No queue: a hook for filters on what comes in.
        case ingress
        /// No queue: a hook for filters on what comes in and what leaves.
        case clsact
        /// One whose settings have no words here; in a request, with the kernel's own settings.
        case other(String)
    }

    /// The link's index.
    public var link: UInt32
    /// `root`, `ingress`, or the class of another discipline.
    public var parent: TrafficHandle
    /// Its name; nil in a request: the kernel chooses one.
    public var handle: TrafficHandle?
    public var kind: Kind
    /// What the kernel counted; nothing in a request.
    public var statistics = TrafficStatistics()

    /// `ingress` and `clsact` have but one place, so they need no parent.
    public init(_ kind: Kind, link: UInt32, parent: TrafficHandle? = nil, handle: TrafficHandle? = nil) {
        self.kind = kind
        self.link = link
        self.parent = parent ?? (kind == .ingress || kind == .clsact ? .ingress : .root)
        self.handle = handle
    }
}

extension Qdisc: CustomStringConvertible {
    /// As `tc` would be told, in short: `tbf root of link 7`.
    public var description: String { "\(kind.name) \(parent) of link \(link)" }
}

extension Qdisc.Kind {
    /// The kernel's name of the kind.
    public var name: String {
        switch self {
        case .tbf: "tbf"
        case .htb: "htb"
        case .netem: "netem"
        case .fqCodel: "fq_codel"
        case .prio: "prio"
        case .pfifo: "pfifo"
        case .bfifo: "bfifo"
        case .ingress: "ingress"
        case .clsact: "clsact"
        case .other(let name): name
        }
    }

    /// `rate2quantum`: a class's quantum is its rate divided by this, as `tc` has it.
    private static let rateToQuantum: UInt32 = 10

    fileprivate func put(in message: inout MessageBuilder) {
        switch self {
        case .tbf(let bucket): message.nest(TCA_OPTIONS) { bucket.put(in: &$0) }
        case .netem(let emulator): message.nest(TCA_OPTIONS) { emulator.put(in: &$0) }
        case .fqCodel(let queue): message.nest(TCA_OPTIONS) { queue.put(in: &$0) }
        case .prio(let bands): message.nest(TCA_OPTIONS) { bands.put(in: &$0) }
        case .htb(let defaultClass):
            var parameters = tc_htb_glob()
            parameters.version = 3
            parameters.rate2quantum = Self.rateToQuantum
            parameters.defcls = UInt32(defaultClass)
            message.nest(TCA_OPTIONS) { $0.put(TCA_HTB_INIT, structure: parameters) }
        case .pfifo(let limit), .bfifo(let limit):
            message.check(limit, "limit")
            message.put(TCA_OPTIONS, structure: tc_fifo_qopt(limit: limit))
        case .ingress, .clsact, .other: break
        }
    }

    fileprivate init(name: String, _ payload: ArraySlice<UInt8>) {
        let attributes = Attributes(payload)
        let read: Self? =
            switch name {
            case "tbf": TokenBucket(attributes).map(Self.tbf)
            case "netem": NetworkEmulator(payload).map(Self.netem)
            case "fq_codel": .fqCodel(FairQueue(attributes))
            case "prio": PriorityBands(payload).map(Self.prio)
            case "htb":
                attributes[TCA_HTB_INIT]?.payload.header(tc_htb_glob.self)
                    .map { .htb(defaultClass: UInt16(truncatingIfNeeded: $0.defcls)) }
            case "pfifo": payload.header(tc_fifo_qopt.self).map { .pfifo(limit: $0.limit) }
            case "bfifo": payload.header(tc_fifo_qopt.self).map { .bfifo(limit: $0.limit) }
            case "ingress": .ingress
            case "clsact": .clsact
            default: nil
            }
        self = read ?? .other(name)
    }
}

extension Qdisc {
    /// Reads an `RTM_NEWQDISC` or `RTM_DELQDISC`.
    init?(_ message: NetlinkMessage) {
        guard [RTM_NEWQDISC, RTM_DELQDISC].contains(message.type), let header = message.header(tcmsg.self) else {
            return nil
        }
        let attributes = message.attributes(after: tcmsg.self)
        guard let name = attributes.string(TCA_KIND) else { return nil }
        self.init(
            Kind(name: name, attributes[TCA_OPTIONS]?.payload ?? []), link: UInt32(bitPattern: header.tcm_ifindex),
            parent: TrafficHandle(rawValue: header.tcm_parent), handle: TrafficHandle(rawValue: header.tcm_handle))
        statistics = TrafficStatistics(attributes.nested(TCA_STATS2))
    }

    func message(_ type: Int, flags: Int32 = 0) -> MessageBuilder {
        var header = tcmsg()
        header.tcm_ifindex = Int32(bitPattern: link)
        header.tcm_parent = parent.rawValue
        header.tcm_handle = handle?.rawValue ?? 0
        var message = MessageBuilder(type: type, flags: flags)
        if let handle, handle.minor != 0 {
            message.refuse(.invalidArgument, "\(handle) is a class's handle and no discipline's")
        }
        message.put(header: header)
        message.put(TCA_KIND, kind.name)
        // A deletion names it and its kind, and is refused when that is another.
        if type == RTM_NEWQDISC { kind.put(in: &message) }
        return message
    }

    /// Says of a refusal that the kernel has no such discipline.
    var lacking: @Sendable (NetlinkError) -> String? {
        let name = kind.name
        return { error in
            // net/sched/sch_api.c says it in two ways, which depend on the version.
            let words = ["Specified qdisc kind is unknown", "Specified qdisc not found"]
            guard error.errno == .noSuchFileOrDirectory,
                words.contains(where: { error.message?.hasPrefix($0) == true })
            else { return nil }
            return "this kernel has no queueing discipline \(name)"
        }
    }
}
