extension Rule {
    /// Whether both do the same to a packet, whatever their comments, counters and places are.
    ///
    /// A rule that makes no sense is like no other.
    public func does(theSameAs other: Rule) -> Bool {
        guard let own = instructions, let others = other.instructions else { return false }
        return own == others
    }

    private var instructions: [Expression]? {
        try? RuleCompiler.compile(self).filter { if case .counter = $0 { false } else { true } }
    }

    /// Whether every packet that reaches it is dropped or refused.
    public var dropsEverything: Bool {
        guard let instructions, let last = instructions.last, instructions.count == 1 else { return false }
        return switch last {
        case .verdict(.drop), .reject: true
        default: false
        }
    }
}
