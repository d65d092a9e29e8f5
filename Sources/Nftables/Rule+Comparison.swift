import CLinux

extension Rule {
    /// Whether both do the same to a packet, whatever their comments, counters and places are.
    ///
    /// A rule that makes no sense is like no other.
    public func does(theSameAs other: Rule) -> Bool {
        guard let own = instructions, let others = other.instructions else { return false }
        return own == others
    }

    private var instructions: [Expression]? {
        try? RuleCompiler.compile(self).compactMap { expression in
            switch expression {
            case .counter: nil
            case .nat(let translation, let family, let address, let port, let flags):
                // The kernel adds what follows from the registers: that there is an address, and a port.
                .nat(
                    translation, family, address: address, port: port,
                    flags: flags & ~UInt32(NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED))
            default: expression
            }
        }
    }

    /// What becomes of every packet that reaches a rule.
    public enum Fate: Hashable, Sendable {
        /// It is dropped or refused.
        case dropped
        case accepted
        /// It leaves the chain as from its end.
        case returned
        /// It goes on in another chain, and comes back from its end, or leaves this one with it.
        case sent(to: Chain.Reference, comesBack: Bool)
    }

    /// What becomes of every packet that reaches it; nil when that depends on the packet, or nothing becomes of it.
    public var fate: Fate? {
        // What is counted, logged or explained goes on as before.
        let idle: [Expression] = [.other("match comment")]
        let acting = instructions?.filter { expression in
            if case .log = expression { return false }
            return !idle.contains(expression)
        }
        guard let acting, acting.count == 1 else { return nil }
        return switch acting[0] {
        case .verdict(.drop), .reject, .other("target REJECT"), .other("target DROP"): .dropped
        case .verdict(.accept): .accepted
        case .verdict(.return): .returned
        case .verdict(.jump(let name)): .sent(to: Chain.Reference(name, in: chain.table), comesBack: true)
        case .verdict(.goto(let name)): .sent(to: Chain.Reference(name, in: chain.table), comesBack: false)
        default: nil
        }
    }
}
