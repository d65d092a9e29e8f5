import CLinux

/// Which system calls a process may make: an OCI seccomp profile with everything that depends on capabilities,
/// architecture and kernel decided.
public struct SeccompFilter: Hashable, Sendable {
    /// What happens to a call that no rule matches.
    public var defaultAction: Action
    /// The architectures whose calls the rules are about; calls of any other kill the process. Empty is the machine's.
    public var architectures: [Architecture]
    public var rules: [Rule]
    public var flags: Flags
    /// What to do about a name that libseccomp does not know.
    public var unknownNames: UnknownNames

    public init(
        defaultAction: Action, architectures: [Architecture] = [], rules: [Rule] = [],
        flags: Flags = [.allowSpeculation],
        unknownNames: UnknownNames = .skipped
    ) {
        self.defaultAction = defaultAction
        self.architectures = architectures
        self.rules = rules
        self.flags = flags
        self.unknownNames = unknownNames
    }

    /// What the kernel does instead of a system call, or with it (seccomp(2), `SECCOMP_RET_*`).
    public enum Action: Hashable, Sendable {
        case allow, log, notify, trap, killThread, killProcess
        /// The call returns this error.
        case errno(UInt16)
        /// A tracer decides; it is told this number.
        case trace(UInt16)
    }

    /// What happens to some calls.
    public struct Rule: Hashable, Sendable {
        public var names: [String]
        public var action: Action
        /// All must hold.
        public var arguments: [Argument]

        public init(_ names: [String], _ action: Action, _ arguments: [Argument] = []) {
            self.names = names
            self.action = action
            self.arguments = arguments
        }
    }

    /// A condition on one argument of a call.
    public struct Argument: Hashable, Sendable {
        public enum Comparison: String, Hashable, Sendable {
            case notEqual = "NE"
            case less = "LT"
            case lessOrEqual = "LE"
            case equal = "EQ"
            case greaterOrEqual = "GE"
            case greater = "GT"
            /// `argument & mask == value`.
            case maskedEqual = "MASKED_EQ"
        }

        /// 0 to 5.
        public var index: UInt32
        public var comparison: Comparison
        public var value: UInt64
        /// For `maskedEqual` alone.
        public var mask: UInt64

        public init(_ index: UInt32, _ comparison: Comparison, _ value: UInt64, mask: UInt64 = 0) {
            self.index = index
            self.comparison = comparison
            self.value = value
            self.mask = mask
        }
    }

    /// An architecture by libseccomp's name for it, which is the OCI name without `SCMP_ARCH_`, in lower case.
    public struct Architecture: RawRepresentable, Hashable, Sendable {
        public var rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }
        public static let x86 = Architecture(rawValue: "x86")
        public static let x86_64 = Architecture(rawValue: "x86_64")
        public static let x32 = Architecture(rawValue: "x32")
        public static let arm = Architecture(rawValue: "arm")
        public static let aarch64 = Architecture(rawValue: "aarch64")
        /// This machine's.
        #if arch(x86_64)
        public static let native = x86_64
        #else
        public static let native = aarch64
        #endif
    }

    /// How the filter is loaded (`SECCOMP_FILTER_FLAG_*`).
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// Whatever is not allowed is logged.
        public static let log = Flags(rawValue: UInt32(SECCOMP_FILTER_FLAG_LOG))
        /// Leaves the processor's speculation on, as runc and crun do unless told otherwise.
        public static let allowSpeculation = Flags(rawValue: UInt32(SECCOMP_FILTER_FLAG_SPEC_ALLOW))
        /// Loading returns a descriptor for `notify`.
        public static let newListener = Flags(rawValue: UInt32(SECCOMP_FILTER_FLAG_NEW_LISTENER))
        // Linux 5.19; not in the headers of the oldest distribution.
        public static let waitKillable = Flags(rawValue: 1 << 5)
    }

    public enum UnknownNames: Hashable, Sendable {
        /// A rule for a call that libseccomp does not know is left out (`ineffectiveNames`).
        case skipped
        case refused
    }
}

extension SeccompFilter.Action {
    /// The kernel's value, which is libseccomp's too.
    var value: UInt32 {
        switch self {
        case .allow: UInt32(SECCOMP_RET_ALLOW)
        case .log: UInt32(SECCOMP_RET_LOG)
        case .notify: UInt32(SECCOMP_RET_USER_NOTIF)
        case .trap: UInt32(SECCOMP_RET_TRAP)
        case .killThread: UInt32(SECCOMP_RET_KILL_THREAD)
        case .killProcess: UInt32(SECCOMP_RET_KILL_PROCESS)
        case .errno(let number): UInt32(SECCOMP_RET_ERRNO) | UInt32(number)
        case .trace(let number): UInt32(SECCOMP_RET_TRACE) | UInt32(number)
        }
    }

    /// Whether the call may go through.
    var isPermissive: Bool {
        switch self {
        case .allow, .log, .trace, .notify: true
        case .trap, .killThread, .killProcess, .errno: false
        }
    }
}

extension SeccompFilter {
    /// Everything that the compiled program depends on, as bytes: equal filters have equal bytes, others differ.
    var content: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8192)
        func put(_ text: String) {
            bytes.append(contentsOf: text.utf8)
            bytes.append(UInt8(ascii: " "))
        }
        func put(_ number: some FixedWidthInteger) { put(String(number, radix: 16)) }
        put(defaultAction.value)
        put(unknownNames == .skipped ? "skip" : "refuse")
        for architecture in architectures { put(architecture.rawValue) }
        for rule in rules {
            bytes.append(UInt8(ascii: "\n"))
            put(rule.action.value)
            for argument in rule.arguments {
                put(argument.comparison.rawValue)
                put(argument.index)
                put(argument.value)
                put(argument.mask)
            }
            bytes.append(UInt8(ascii: ":"))
            for name in rule.names { put(name) }
        }
        return bytes
    }
}
