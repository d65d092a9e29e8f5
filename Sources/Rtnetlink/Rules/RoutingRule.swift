public import Addressing
import CLinux
import Netlink
import SystemPackage

/// A rule of the routing policy: which table a packet's route is looked for in. Rules are tried by rising priority.
public struct RoutingRule: Hashable, Sendable {
    /// What happens to a packet that the rule matches (`FR_ACT_*`, linux/fib_rules.h).
    public enum Action: Hashable, Sendable {
        /// Its route is looked for in a table; when none is found, the next rule is tried.
        case table(UInt32)
        /// It is dropped without a word.
        case blackhole
        /// It is dropped, and the sender is told that the destination cannot be reached.
        case unreachable
        /// It is dropped, and the sender is told that this is forbidden.
        case prohibit
        /// The rule of another, higher priority is next.
        case goto(UInt32)
        /// One that has no word here.
        case other(UInt8)
    }

    public var family: IPFamily
    public var action: Action
    /// The lower goes first; nil in a request: before every rule but the first.
    public var priority: UInt32?
    public var source: IPPrefix?
    public var destination: IPPrefix?
    /// The name of the link that the packet came in by; `lo` for what is made here. It need not exist.
    public var inputLink: String?
    /// The name of the link that the socket is bound to.
    public var outputLink: String?
    public var mark: UInt32?
    /// The bits of the mark that count; nil is all.
    public var markMask: UInt32?
    /// `IPPROTO_*`.
    public var `protocol`: UInt8?
    public var sourcePorts: ClosedRange<UInt16>?
    public var destinationPorts: ClosedRange<UInt16>?
    /// It matches what does not match.
    public var isInverted: Bool
    /// A route of a prefix no longer than this is not taken: 0 passes over default routes.
    public var suppressPrefixLength: UInt32?
    /// Who made it (`RTPROT_*`): 2 kernel, 3 `ip rule`.
    public var originator: UInt8

    public init(
        _ family: IPFamily, _ action: Action, priority: UInt32? = nil, source: IPPrefix? = nil,
        destination: IPPrefix? = nil, inputLink: String? = nil, outputLink: String? = nil, mark: UInt32? = nil,
        markMask: UInt32? = nil, protocol: UInt8? = nil, sourcePorts: ClosedRange<UInt16>? = nil,
        destinationPorts: ClosedRange<UInt16>? = nil, isInverted: Bool = false, suppressPrefixLength: UInt32? = nil,
        originator: UInt8 = Route.madeByHand
    ) {
        self.family = family
        self.action = action
        self.priority = priority
        self.source = source
        self.destination = destination
        self.inputLink = inputLink
        self.outputLink = outputLink
        self.mark = mark
        self.markMask = markMask
        self.protocol = `protocol`
        self.sourcePorts = sourcePorts
        self.destinationPorts = destinationPorts
        self.isInverted = isInverted
        self.suppressPrefixLength = suppressPrefixLength
        self.originator = originator
    }
}

extension RoutingRule {
    /// Whether it is one of those that every namespace begins with (`fib_default_rules_init`, net/ipv4/fib_rules.c): all
    /// packets, to the tables `local`, `main` and `default`.
    public var isUsual: Bool {
        let table: UInt32
        switch priority ?? 0 {
        case 0: table = UInt32(RT_TABLE_LOCAL.rawValue)
        case 32766: table = UInt32(RT_TABLE_MAIN.rawValue)
        case 32767: table = UInt32(RT_TABLE_DEFAULT.rawValue)
        default: return false
        }
        return action == .table(table) && source == nil && destination == nil && inputLink == nil
            && outputLink == nil && mark == nil && `protocol` == nil && sourcePorts == nil && destinationPorts == nil
            && !isInverted
    }
}

extension RoutingRule: CustomStringConvertible {
    /// As `ip rule` would be told, in short: `from 10.0.0.0/8 to 10.1.0.0/16 table 100`.
    public var description: String {
        var words = ["from \(source.map { "\($0)" } ?? "all")"]
        if let destination { words.append("to \(destination)") }
        if let inputLink { words.append("iif \(inputLink)") }
        if let outputLink { words.append("oif \(outputLink)") }
        if let mark { words.append("fwmark \(mark)") }
        switch action {
        case .table(let table): words.append("table \(table)")
        case .goto(let priority): words.append("goto \(priority)")
        case .blackhole: words.append("blackhole")
        case .unreachable: words.append("unreachable")
        case .prohibit: words.append("prohibit")
        case .other(let number): words.append("action \(number)")
        }
        return words.joined(separator: " ")
    }
}
