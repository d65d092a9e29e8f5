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
        try child.takeStreams()
        // While /sys/fs/cgroup is still the host's, and before the cgroup namespace is entered.
        try child.takeInitialProcessors()
        try child.join(plan.cgroup)
        try child.setScheduling()
        let label = try child.prepareSession()
        // All at once: there is no moment in which the process is half inside. The pid namespace is the launcher's
        // part.
        let kinds: [NamespaceKind] = [.mnt, .net, .ipc, .uts, .cgroup]
        let flags = plan.ownNamespaces.union(kinds).reduce(UInt64(0)) { $0 | $1.flag }
        guard setns(plan.container.descriptor.rawValue, Int32(flags)) == 0 else {
            throw InitFailure(.joinNamespace, errno: swn_errno())
        }
        if plan.ownNamespaces.contains(.user) { try child.becomeRoot() }
        if child.plan.terminal != nil {
            let devpts = unsafe swn_openat(AT_FDCWD, "/dev/pts", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
            try child.makeTerminal(devpts: devpts, root: -1)
        }
        try child.becomeUser(label: label)
    }
}
