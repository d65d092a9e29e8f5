/// A table: the name space and the lifetime of chains, sets and maps.
public struct Table: Hashable, Sendable {
    /// What names a table, and what its chains and sets carry.
    public struct Reference: Hashable, Sendable, CustomStringConvertible {
        public var family: Family
        public var name: String

        public init(_ family: Family, _ name: String) {
            self.family = family
            self.name = name
        }

        /// As in `nft list table inet swnet`, without the verb.
        public var description: String { "\(family) \(name)" }
    }

    public var reference: Reference
    /// At most 128 bytes; `nft list` prints it.
    public var comment: String?
    /// Whether it belongs to the socket that makes it: the kernel removes it with that, and nobody else can change it.
    /// A `flush ruleset` of somebody else's leaves it alone (Linux 5.12).
    public var isOwned = false
    /// Whether its chains are called by nobody (`flags dormant`), when it was read from the kernel.
    public internal(set) var isDormant = false
    /// The number that the kernel gave it, when it was read from there.
    public var handle: UInt64?

    public var family: Family { reference.family }
    public var name: String { reference.name }

    /// - Parameter name: At most 255 bytes.
    public init(_ family: Family, _ name: String, comment: String? = nil) {
        self.init(Reference(family, name), comment: comment)
    }

    init(_ reference: Reference, comment: String?, handle: UInt64? = nil) {
        self.reference = reference
        self.comment = comment
        self.handle = handle
    }
}

extension Table: CustomStringConvertible {
    public var description: String { "table \(reference)" }
}
