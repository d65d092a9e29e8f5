/// Lets the processes of a cgroup use a class of device nodes, or keeps them from it.
public struct DeviceRule: Hashable, Sendable, CustomStringConvertible {
    public enum Kind: String, Hashable, Sendable { case all = "a", block = "b", character = "c" }

    /// What a process may do with the node.
    public struct Access: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        // The kernel's bits (BPF_DEVCG_ACC_* of linux/bpf.h).
        public static let makeNode = Access(rawValue: 1)
        public static let read = Access(rawValue: 2)
        public static let write = Access(rawValue: 4)
        public static let all: Access = [.makeNode, .read, .write]
    }

    public var allow: Bool
    public var kind: Kind
    /// Nil is every number.
    public var major: UInt32?
    public var minor: UInt32?
    public var access: Access

    public init(allow: Bool, kind: Kind, major: UInt32? = nil, minor: UInt32? = nil, access: Access = .all) {
        self.allow = allow
        self.kind = kind
        self.major = major
        self.minor = minor
        self.access = access
    }

    /// The rule as `devices.allow` reads it: `c 1:3 rwm`.
    public var description: String {
        // As Int: the text of each type of integer is code of its own, far from what else a start executes.
        let (major, minor) = (major.map { "\(Int($0))" } ?? "*", minor.map { "\(Int($0))" } ?? "*")
        return "\(kind.rawValue) \(major):\(minor) \(access.letters)"
    }

    /// Every device: what a privileged container has.
    public static let everything = [DeviceRule(allow: true, kind: .all)]

    /// What a container gets: any node may be made, and the devices that the OCI runtime specification promises
    /// (config-linux.md, "Default Devices") plus the terminals may be used. And tun, as with runc and crun: without the right
    /// to administer a network it does nothing, and some engines cannot be told to allow it.
    public static let containerDefault: [DeviceRule] =
        [
            DeviceRule(allow: false, kind: .all),
            DeviceRule(allow: true, kind: .character, access: .makeNode),
            DeviceRule(allow: true, kind: .block, access: .makeNode),
        ]
        + [
            (1, 3),  // null
            (1, 5),  // zero
            (1, 7),  // full
            (1, 8),  // random
            (1, 9),  // urandom
            (5, 0),  // tty
            (5, 1),  // console
            (5, 2),  // ptmx
            (136, nil as UInt32?),  // pts/*
            (10, 200),  // net/tun
        ].map { DeviceRule(allow: true, kind: .character, major: $0, minor: $1) }
}

extension DeviceRule.Access {
    /// `rwm` in the kernel's order.
    var letters: String {
        (contains(.read) ? "r" : "") + (contains(.write) ? "w" : "") + (contains(.makeNode) ? "m" : "")
    }
}
