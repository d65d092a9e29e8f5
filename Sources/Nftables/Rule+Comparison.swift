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

    /// Whether every packet that reaches it is dropped or refused.
    public var dropsEverything: Bool {
        switch onlyInstruction {
        case .verdict(.drop)?, .reject?: true
        default: false
        }
    }

    /// The chain in which every packet that reaches it goes on; nil when not all do.
    public var successor: Chain.Reference? {
        switch onlyInstruction {
        case .verdict(.jump(let name))?, .verdict(.goto(let name))?: Chain.Reference(name, in: chain.table)
        default: nil
        }
    }

    private var onlyInstruction: Expression? {
        guard let instructions, instructions.count == 1 else { return nil }
        return instructions[0]
    }
}
