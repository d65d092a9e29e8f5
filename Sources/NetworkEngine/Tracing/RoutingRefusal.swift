import Addressing
import CLinux
import NetworkModel
import Rtnetlink

/// A rule of the routing policy, or a route, that is against a packet: the kernel's answer to a question for its way is an
/// error number, and does not tell which.
enum RoutingRefusal {
    case rule(RoutingRule)
    case route(Route)

    /// What a packet is to the routing policy. Marks are not told by a trace, so it has none.
    struct Question {
        let packet: TracedPacket
        let transport: TraceTarget.Transport
        /// The link that it comes in by.
        let input: String

        var family: IPFamily { packet.destination.family }

        /// `IPPROTO_*`.
        private var number: Int {
            switch transport {
            case .tcp: Int(IPPROTO_TCP)
            case .udp: Int(IPPROTO_UDP)
            case .icmp: Int(family == .v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)
            }
        }

        /// As in `fib_rule_match` (net/core/fib_rules.c).
        fileprivate func isMatched(by rule: RoutingRule) -> Bool {
            let isMatch =
                rule.source?.contains(packet.source) != false
                && rule.destination?.contains(packet.destination) != false
                && (rule.inputLink == nil || rule.inputLink == input) && rule.outputLink == nil
                && (rule.mark ?? 0) == 0 && (rule.protocol == nil || rule.protocol.map { Int($0) } == number)
                && Self.contains(rule.sourcePorts, packet.sourcePort)
                && Self.contains(rule.destinationPorts, packet.destinationPort)
            return isMatch != rule.isInverted
        }

        private static func contains(_ ports: ClosedRange<UInt16>?, _ port: UInt16?) -> Bool {
            guard let ports else { return true }
            return port.map(ports.contains) == true
        }
    }

    /// The first that decides on a packet, if it is against it.
    init?(of question: Question, _ links: inout Rtnetlink) throws {
        var next: UInt32 = 0
        for rule in try links.rules(family: question.family) {
            guard rule.priority ?? 0 >= next, question.isMatched(by: rule) else { continue }
            switch rule.action {
            case .blackhole, .unreachable, .prohibit:
                self = .rule(rule)
                return
            case .goto(let priority): next = priority
            case .other: continue
            case .table(let table):
                let routes = try links.routes(family: question.family, table: table)
                guard let route = Self.best(routes, for: question.packet.destination), route.kind != .throw,
                    rule.suppressPrefixLength.map({ route.destination.length > Int($0) }) != false
                else { continue }
                guard [.blackhole, .unreachable, .prohibit].contains(route.kind) else { return nil }
                self = .route(route)
                return
            }
        }
        return nil
    }

    /// The longest prefix wins, and then the least metric.
    private static func best(_ routes: [Route], for address: IPAddress) -> Route? {
        routes.filter { $0.destination.contains(address) }.min {
            ($1.destination.length, $0.metric ?? 0) < ($0.destination.length, $1.metric ?? 0)
        }
    }

    var words: String {
        switch self {
        case .rule(let rule): "routing rule \(rule.priority ?? 0) (\(rule)) \(Self.verb("\(rule.action)"))"
        case .route(let route): "the route '\(route)' \(Self.verb("\(route.kind)"))"
        }
    }

    private static func verb(_ kind: String) -> String {
        switch kind {
        case "prohibit": "prohibits it"
        case "unreachable": "makes its destination unreachable"
        default: "drops it without a word"
        }
    }

    /// What takes it away.
    var advice: String {
        switch self {
        case .rule(let rule):
            "ip\(Self.option(rule.family)) rule delete priority \(rule.priority ?? 0), if it is not meant for this"
        case .route(let route):
            "ip\(Self.option(route.family)) route delete \(route.kind) "
                + (route.isDefault ? "default" : "\(route.destination)")
                + (route.table == Route.mainTable ? "" : " table \(route.table)") + ", if it is not meant for this"
        }
    }

    private static func option(_ family: IPFamily) -> String { family == .v6 ? " -6" : "" }
}
