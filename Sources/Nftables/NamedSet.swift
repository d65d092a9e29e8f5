import CLinux
import CNftnl

/// A named set of keys, or a named map from keys to data. Elements are added to it without touching any rule.
///
/// The name is not `Set` because that one is Swift's.
public struct NamedSet: Hashable, Sendable {
    public struct Flags: OptionSet, Hashable, Sendable {
        /// `NFT_SET_*` of linux/netfilter/nf_tables.h.
        public let rawValue: UInt32

        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// Elements may be prefixes and ranges. One that overlaps another is EEXIST, but of a concatenation the kernel
        /// lets an element enclose another whole.
        public static let interval = Flags(rawValue: NFT_SET_INTERVAL.rawValue)
        /// No element can be added or deleted after the batch that makes the set.
        public static let constant = Flags(rawValue: NFT_SET_CONSTANT.rawValue)
        /// Elements may have a time to live.
        public static let timeout = Flags(rawValue: NFT_SET_TIMEOUT.rawValue)
    }

    /// What an element carries.
    public enum Content: Hashable, Sendable {
        case nothing
        case data([DataType])
        case verdict
    }

    public var table: Table.Reference
    public var name: String
    public var key: [DataType]
    public var content: Content
    public var flags: Flags
    /// The most elements; nil for no limit.
    public var size: UInt32?
    /// At most 128 bytes; `nft list` prints it.
    public var comment: String?
    /// The number that the kernel gave it, when it was read from there.
    public var handle: UInt64?

    /// A set. Equivalent to `set NAME { type KEY . KEY; flags …; comment … }`.
    ///
    /// - Parameter name: At most 255 bytes.
    public init(
        _ name: String, in table: Table, _ key: DataType..., flags: Flags = [], size: UInt32? = nil,
        comment: String? = nil
    ) {
        self.init(name, in: table.reference, key, .nothing, flags: flags, size: size, comment: comment)
    }

    /// A map. Equivalent to `map NAME { type KEY . KEY : DATA . DATA; flags …; comment … }`.
    ///
    /// - Parameter name: At most 255 bytes.
    public init(
        _ name: String, in table: Table, map key: [DataType], to data: [DataType], flags: Flags = [],
        size: UInt32? = nil,
        comment: String? = nil
    ) {
        self.init(name, in: table.reference, key, .data(data), flags: flags, size: size, comment: comment)
    }

    /// A verdict map. Equivalent to `map NAME { type KEY . KEY : verdict; flags …; comment … }`.
    ///
    /// - Parameter name: At most 255 bytes.
    public init(
        _ name: String, in table: Table, verdicts key: [DataType], flags: Flags = [], size: UInt32? = nil,
        comment: String? = nil
    ) {
        self.init(name, in: table.reference, key, .verdict, flags: flags, size: size, comment: comment)
    }

    init(
        _ name: String, in table: Table.Reference, _ key: [DataType], _ content: Content, flags: Flags, size: UInt32?,
        comment: String?, handle: UInt64? = nil
    ) {
        self.table = table
        self.name = name
        self.key = key
        self.content = content
        self.flags = flags
        self.size = size
        self.comment = comment
        self.handle = handle
    }
}

extension NamedSet: CustomStringConvertible {
    public var description: String { "\(content == .nothing ? "set" : "map") \(table) \(name)" }
}

extension NamedSet {
    /// The types of a map's data; empty for sets and verdict maps.
    var data: [DataType] {
        if case .data(let types) = content { types } else { [] }
    }

    /// Whether elements are stored as two elements, a first key and the first key after them.
    ///
    /// The kernel's tree of a single interval type (nft_set_rbtree.c) works so; concatenations with intervals
    /// (nft_set_pipapo.c) have both ends in one element.
    var storesEnds: Bool { flags.contains(.interval) && key.count == 1 }
}
