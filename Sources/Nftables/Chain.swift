import CLinux
import CNftnl

/// A list of rules: a base chain is called by the kernel at a hook, a plain one by `jump` and `goto`.
public struct Chain: Hashable, Sendable {
    /// What names a chain, and what its rules carry.
    public struct Reference: Hashable, Sendable, CustomStringConvertible {
        public var table: Table.Reference
        public var name: String

        public init(_ name: String, in table: Table.Reference) {
            self.table = table
            self.name = name
        }

        public var description: String { "\(table) \(name)" }
    }

    /// Where the kernel calls a base chain.
    public struct Base: Hashable, Sendable {
        public var type: Kind
        public var hook: Hook
        public var priority: Priority
        /// What happens to a packet that reaches the end.
        public var policy: Policy
        /// The interfaces whose packets alone it sees, when it was read from the kernel: of the family netdev, and of the
        /// hook `ingress` of the family inet.
        public private(set) var devices: [String] = []

        public init(_ type: Kind, hook: Hook, priority: Priority, policy: Policy = .accept) {
            self.type = type
            self.hook = hook
            self.priority = priority
            self.policy = policy
        }

        init(_ type: Kind, hook: Hook, priority: Priority, policy: Policy, devices: [String]) {
            self.init(type, hook: hook, priority: priority, policy: policy)
            self.devices = devices
        }
    }

    public var reference: Reference
    /// Absent in a plain chain.
    public var base: Base?
    /// At most 128 bytes; `nft list` prints it.
    public var comment: String?
    /// The number that the kernel gave it, when it was read from there.
    public var handle: UInt64?

    public var table: Table.Reference { reference.table }
    public var name: String { reference.name }

    /// A plain chain. Equivalent to `chain NAME { comment … }`.
    ///
    /// - Parameter name: At most 255 bytes.
    public init(_ name: String, in table: Table, comment: String? = nil) {
        self.init(Reference(name, in: table.reference), base: nil, comment: comment)
    }

    /// A base chain. Equivalent to `chain NAME { type … hook … priority …; policy …; comment … }`.
    ///
    /// - Parameter name: At most 255 bytes.
    public init(
        _ name: String, in table: Table, type: Kind, hook: Hook, priority: Priority, policy: Policy = .accept,
        comment: String? = nil
    ) {
        let base = Base(type, hook: hook, priority: priority, policy: policy)
        self.init(Reference(name, in: table.reference), base: base, comment: comment)
    }

    init(_ reference: Reference, base: Base?, comment: String?, handle: UInt64? = nil) {
        self.reference = reference
        self.base = base
        self.comment = comment
        self.handle = handle
    }
}

extension Chain: CustomStringConvertible {
    public var description: String { "chain \(reference)" }
}

extension Chain {
    /// What a base chain may do to a packet.
    public enum Kind: String, Hashable, Sendable {
        case filter, nat, route
    }

    /// What happens to a packet that no rule decided about.
    public enum Policy: Hashable, Sendable {
        case accept, drop
    }

    /// A point on a packet's way, of the ip, ip6, inet and bridge families; those of arp and netdev have other numbers.
    public struct Hook: RawRepresentable, Hashable, Sendable {
        /// `NF_INET_*` of linux/netfilter.h.
        public let rawValue: UInt32

        public init(rawValue: UInt32) { self.rawValue = rawValue }

        public static let prerouting = Hook(rawValue: NF_INET_PRE_ROUTING.rawValue)
        public static let input = Hook(rawValue: NF_INET_LOCAL_IN.rawValue)
        public static let forward = Hook(rawValue: NF_INET_FORWARD.rawValue)
        public static let output = Hook(rawValue: NF_INET_LOCAL_OUT.rawValue)
        public static let postrouting = Hook(rawValue: NF_INET_POST_ROUTING.rawValue)

        /// What the host is asked, of the family arp.
        public static let arpInput = Hook(rawValue: UInt32(NF_ARP_IN))
        /// What the host asks and answers, of the family arp.
        public static let arpOutput = Hook(rawValue: UInt32(NF_ARP_OUT))
    }

    /// The order of the chains of one hook, lowest first.
    public struct Priority: RawRepresentable, Hashable, Sendable, ExpressibleByIntegerLiteral {
        public let rawValue: Int32

        public init(rawValue: Int32) { self.rawValue = rawValue }
        public init(integerLiteral value: Int32) { rawValue = value }

        /// Before connection tracking.
        public static let raw = Priority(rawValue: NF_IP_PRI_RAW.rawValue)
        public static let mangle = Priority(rawValue: NF_IP_PRI_MANGLE.rawValue)
        public static let dstnat = Priority(rawValue: NF_IP_PRI_NAT_DST.rawValue)
        public static let filter = Priority(rawValue: NF_IP_PRI_FILTER.rawValue)
        public static let security = Priority(rawValue: NF_IP_PRI_SECURITY.rawValue)
        public static let srcnat = Priority(rawValue: NF_IP_PRI_NAT_SRC.rawValue)
        /// Behind everybody.
        public static let last = Priority(rawValue: NF_IP_PRI_LAST.rawValue)
    }
}
