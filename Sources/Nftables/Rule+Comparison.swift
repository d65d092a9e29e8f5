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
        guard let instructions, let last = instructions.last, instructions.count == 1 else { return false }
        return switch last {
        case .verdict(.drop), .reject: true
        default: false
        }
    }
}
