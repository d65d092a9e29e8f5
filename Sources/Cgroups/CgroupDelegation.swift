import CLinux
import LinuxSystem
import SystemPackage

extension Cgroup {
    /// Gives a cgroup of v2 to a user, who may then make others in it: the directory, and those of its files that the kernel
    /// lets others than the superuser have. The limits stay whose they are. In cgroup v1 nothing is given, where that would
    /// not be safe (config-linux.md, "Cgroup ownership").
    ///
    /// - Throws: `CgroupError`. The corresponding system call is `chown`, the file /sys/kernel/cgroup/delegate (cgroups(7)).
    public func delegate(to user: UInt32) throws(CgroupError) {
        guard let directory = unifiedDirectory, root.mode == .unified else { return }
        let bytes = try? Descriptor.open("/sys/kernel/cgroup/delegate").readAll()
        let listed = bytes.map { $0.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) } }
        for name in ["."] + (listed ?? ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]) {
            // Not every cgroup has all of them. And "leave the group as it is" is -1.
            guard chown("\(directory.path)/\(name)", user, gid_t.max) != 0, Errno.last != .noSuchFileOrDirectory else {
                continue
            }
            throw CgroupError("give \(name) to \(user)", path.description, errno: .last)
        }
    }
}
