import CLinux
import LinuxSystem
import SystemPackage

/// The open files through which a child enters a cgroup by itself, prepared before it is cloned.
///
/// It does without `cgroup.procs`: moving a whole process takes a lock that costs an RCU grace period (5 to 15 ms
/// when nobody took it lately). A child that `clone3` starts in the v2 cgroup, and that writes "0" into v1's `tasks`
/// while it has a single thread, pays a few microseconds (`cgroup_attach_lock` in `kernel/cgroup/cgroup.c`).
public struct CgroupEntrance: ~Copyable, Sendable {
    /// The v2 cgroup's directory, for `clone3` with `CLONE_INTO_CGROUP`; -1 where there is no v2 hierarchy, and for who
    /// cannot be cloned into it.
    public let directory: Int32
    /// The `tasks` file of each v1 hierarchy; a child with a single thread writes "0" into each. For who cannot be cloned
    /// into the v2 cgroup, also its `cgroup.procs`.
    public let taskFiles: [Int32]

    init(directory: Int32, taskFiles: [Int32]) {
        self.directory = directory
        self.taskFiles = taskFiles
    }

    deinit {
        Descriptor.closeAll(directory >= 0 ? [directory] + taskFiles : taskFiles)
    }

    /// Moves the calling thread into the v1 cgroups; to be called in the child, which must be single-threaded. It
    /// allocates nothing.
    ///
    /// - Returns: 0, or the `errno` of the first file that refused.
    ///   Equivalent to `echo 0 > tasks` in each hierarchy.
    public borrowing func enter() -> Int32 {
        for file in taskFiles {
            var zero = UInt8(ascii: "0")
            if write(file, &zero, 1) != 1 { return Errno.last.rawValue }
        }
        return 0
    }
}
