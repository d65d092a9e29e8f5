import CLinux
import SystemPackage

/// Sets of `capabilities(7)`.
public struct CapabilitySet: OptionSet, Hashable, Sendable {
    /// Bit n is the capability with the number n of linux/capability.h.
    public var rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The kernel's names, by number.
    public static let names = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
        "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
        "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    ]

    /// The capability of a name such as `CAP_NET_RAW`; nil for a name that this program does not know.
    public init?(name: String) {
        guard let number = Self.names.firstIndex(of: name) else { return nil }
        self.init(rawValue: 1 << UInt64(number))
    }

    /// The set in the two words the kernel's structures have.
    public var words: [UInt32] { [UInt32(truncatingIfNeeded: rawValue), UInt32(rawValue >> 32)] }

    private init(words: [UInt32]) { self.init(rawValue: UInt64(words[0]) | UInt64(words[1]) << 32) }

    /// The permitted set of the calling thread. The corresponding system call is `capget`.
    public static func permitted() throws(SystemError) -> CapabilitySet {
        var (effective, permitted, inheritable): ([UInt32], [UInt32], [UInt32]) = ([0, 0], [0, 0], [0, 0])
        guard unsafe swn_capget(&effective, &permitted, &inheritable) == 0 else {
            throw SystemError("read capabilities", errno: .last)
        }
        return CapabilitySet(words: permitted)
    }

    /// Replaces three sets of the calling thread. The corresponding system call is `capset`.
    public static func apply(
        effective: CapabilitySet, permitted: CapabilitySet, inheritable: CapabilitySet
    ) throws(SystemError) {
        guard unsafe swn_capset(effective.words, permitted.words, inheritable.words) == 0 else {
            throw SystemError("set capabilities", errno: .last)
        }
    }
}
