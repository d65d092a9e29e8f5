import CLinux
import LinuxSystem

/// A further process of a container, from the clone to the exec.
///
/// Unlike the first one it is among strangers: processes of the container run beside it. Until the exec it is not
/// dumpable, so they can neither look into it nor reach the runtime's program or descriptors through /proc.
struct ExecInit {
    let plan: ExecPlan
    let child: ChildProcess

    func walk() throws(InitFailure) {
        try child.tieToParent()
        if plan.cgroup.unit != nil { try child.waitForLauncher() }
        try child.takeStreams()
        // While /sys/fs/cgroup is still the host's, and before the cgroup namespace is entered.
        try child.takeInitialProcessors()
        try child.join(plan.cgroup)
        try child.setScheduling()
        if !plan.isOrdinary { try child.setOutOfMemoryScore() }
        let label = try child.prepareSession()
        // All at once: there is no moment in which the process is half inside. The pid namespace is the launcher's
        // part.
        let kinds: [NamespaceKind] = [.mnt, .net, .ipc, .uts, .cgroup]
        // Nobody enters a user namespace twice.
        let own = plan.isOrdinary ? plan.ownNamespaces.subtracting([.user]) : plan.ownNamespaces
        let root = plan.sharesMounts ? try openRoot() : -1
        let streams = child.plan.terminal == nil ? NullDevice.streams() : []
        let hosts = streams.isEmpty ? -1 : NullDevice.openHosts()
        try enter(own.union(kinds))
        if root >= 0 {
            guard fchdir(root) == 0, unsafe chroot(".") == 0 else { throw InitFailure(.pivot) }
            close(root)
        }
        if plan.ownNamespaces.contains(.user) { try child.becomeRoot() }
        if !streams.isEmpty {
            let null = NullDevice.openInside()
            NullDevice.replace(streams, by: null >= 0 ? null : hosts)
        }
        if child.plan.terminal != nil {
            let devpts = unsafe swn_openat(AT_FDCWD, "/dev/pts", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
            try child.makeTerminal(devpts: devpts, root: -1)
        }
        try child.becomeUser(label: label)
    }

    /// The root of the container's first process, and not of another that has got its number.
    private func openRoot() throws(InitFailure) -> Int32 {
        let path = "/proc/\(plan.containerNumber)/root"
        let number = unsafe swn_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0)
        guard number >= 0, swn_pidfd_send_signal(plan.container.descriptor.rawValue, 0, 0) == 0 else {
            throw InitFailure(.joinNamespace)
        }
        return number
    }

    private func enter(_ kinds: Set<NamespaceKind>) throws(InitFailure) {
        guard plan.namespaces.isEmpty else { return try enterEach(kinds) }
        func answer(_ kinds: Set<NamespaceKind>) -> Int32 {
            let flags = kinds.reduce(UInt64(0)) { $0 | $1.flag }
            return setns(plan.container.descriptor.rawValue, Int32(flags)) == 0 ? 0 : swn_errno()
        }
        var errno = answer(kinds)
        if errno == EPERM {
            // Into those that it shares with the host, who is in a user namespace may not enter, and is there already.
            let others = kinds.filter { identity($0, "self") != identity($0, "\(plan.containerNumber)") }
            if others != kinds { errno = answer(others) }
        }
        guard errno == 0 else { throw InitFailure(.joinNamespace, errno: errno) }
    }

    /// One after the other, the mounts last: then the host's /proc is gone.
    private func enterEach(_ kinds: Set<NamespaceKind>) throws(InitFailure) {
        for kind in NamespaceKind.allCases.filter({ kinds.contains($0) && $0 != .mnt }) + [.mnt] {
            guard let namespace = plan.namespaces[kind] else { continue }
            if setns(namespace.descriptor.rawValue, Int32(kind.flag)) == 0 { continue }
            let errno = swn_errno()
            // One that it shares with the host, as above.
            guard errno == EPERM, let own = identity(kind, "self"), let status = try? namespace.descriptor.status(),
                own == NamespaceIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
            else { throw InitFailure(.joinNamespace, errno: errno) }
        }
    }

    private func identity(_ kind: NamespaceKind, _ process: String) -> NamespaceIdentity? {
        try? Namespace(path: "/proc/\(process)/ns/\(kind.rawValue)").identity
    }
}
