/// A rule of a chain: statements that are tried in order until one does not match or decides.
///
///     Rule(in: raw, .match(.iifname, isNot: "lo"), .match(.ip(.daddr), is: .prefix(loopback)), .drop)
public struct Rule: Hashable, Sendable {
    public var chain: Chain.Reference
    public var statements: [Statement]
    /// At most 128 bytes; `nft list` prints it.
    public var comment: String?
    /// The number that the kernel gave it, when it was read from there.
    public var handle: UInt64?

    public init(in chain: Chain, _ statements: Statement..., comment: String? = nil) {
        self.init(chain: chain.reference, statements, comment: comment)
    }

    public init(chain: Chain.Reference, _ statements: [Statement], comment: String? = nil, handle: UInt64? = nil) {
        self.chain = chain
        self.statements = statements
        self.comment = comment
        self.handle = handle
    }
}

extension Rule {
    /// What a rule that was read from the kernel does, counters included.
    ///
    /// Of a rule that was written here, only the parts that were written as expressions.
    public var expressions: [Expression] {
        statements.compactMap { if case .expression(let expression) = $0.kind { expression } else { nil } }
    }
}

extension Rule {
    /// The named sets and maps that it looks into, of a rule that was written here.
    public var sets: [NamedSet] {
        statements.compactMap { statement in
            switch statement.kind {
            case .lookup(_, let set, _), .verdictMap(_, let set), .translateByMap(_, _, _, let set): set
            default: nil
            }
        }
    }
}

extension Rule: CustomStringConvertible {
    /// A rule has no name: its handle, or its comment, tells which one it is.
    public var description: String {
        let which = comment.map { "'\($0)'" } ?? handle.map { "handle \($0)" }
        return which.map { "rule \($0) of chain \(chain)" } ?? "rule of chain \(chain)"
    }
}
