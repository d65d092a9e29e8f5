public import Addressing
import CLinux
public import Netlink

extension Change {
    /// Adds a rule to the routing policy; the same rule twice is EEXIST.
    /// Equivalent to `ip rule add from $source to $destination table $table priority $priority`.
    public static func addRule(_ rule: RoutingRule) -> Change {
        Change(rule.message(RTM_NEWRULE, flags: NLM_F_CREATE | NLM_F_EXCL), "add rule", "\(rule)")
    }

    /// Deletes the first rule that agrees with what is set in `rule`.
    /// Equivalent to `ip rule delete from $source to $destination table $table priority $priority`.
    public static func deleteRule(_ rule: RoutingRule) -> Change {
        Change(rule.message(RTM_DELRULE), "delete rule", "\(rule)")
    }
}

extension Rtnetlink {
    /// The rules of a family, or of both, in the order in which they are tried. Equivalent to `ip rule show`.
    public mutating func rules(family: IPFamily? = nil) throws(NetlinkError) -> [RoutingRule] {
        var rules: [RoutingRule] = []
        for family in family.map({ [$0] }) ?? IPFamily.allCases {
            var header = fib_rule_hdr()
            header.family = family.number
            var message = MessageBuilder(type: RTM_GETRULE)
            message.put(header: header)
            rules += try socket.dump(NetlinkRequest(message, "list", "rules")).compactMap(RoutingRule.init)
        }
        return rules
    }

    /// Adds a rule to the routing policy. Equivalent to `ip rule add from $source table $table priority $priority`.
    public mutating func addRule(_ rule: RoutingRule) throws(NetlinkError) { try apply(.addRule(rule)) }

    /// Deletes a rule; see `Change.deleteRule`. Equivalent to `ip rule delete from $source table $table`.
    public mutating func deleteRule(_ rule: RoutingRule) throws(NetlinkError) { try apply(.deleteRule(rule)) }
}
