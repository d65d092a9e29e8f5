import CLinux
import LinuxSystem
import SystemPackage

/// A compiled filter: classic BPF that the kernel runs on each system call.
public struct SeccompProgram: Hashable, Sendable {
    /// `struct sock_filter`, one after another (linux/filter.h), 8 bytes each.
    public let instructions: [UInt8]
    public let flags: SeccompFilter.Flags

    init(instructions: [UInt8], flags: SeccompFilter.Flags) {
        self.instructions = instructions
        self.flags = flags
    }

    /// Whether the length is one that the kernel accepts (`BPF_MAXINSNS`).
    static func isPlausible(length: Int) -> Bool { length > 0 && length.isMultiple(of: 8) && length / 8 <= 4096 }

    /// Filters the calling thread from now on, and every process it makes. It cannot be undone.
    ///
    /// It allocates nothing, so a cloned child may call it. The caller has `no_new_privs` set or CAP_SYS_ADMIN.
    ///
    /// - Returns: 0, the listener's descriptor for `newListener`, or a negative errno.
    ///   The corresponding system call is `seccomp(SECCOMP_SET_MODE_FILTER)`.
    public func load() -> Int32 {
        unsafe instructions.withUnsafeBytes { bytes in
            // The kernel only reads them.
            let start = unsafe UnsafeMutableRawPointer(mutating: bytes.baseAddress)
            var program = unsafe sock_fprog(
                len: UInt16(bytes.count / 8), filter: start?.assumingMemoryBound(to: sock_filter.self))
            let result = unsafe swn_seccomp(UInt32(SECCOMP_SET_MODE_FILTER), flags.rawValue, &program)
            return result < 0 ? -Errno.last.rawValue : result
        }
    }
}
