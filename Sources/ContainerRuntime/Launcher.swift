import CLinux
import LinuxSystem
import SystemPackage

/// Makes the first process of a container.
public enum Launcher {
    /// Clones the container's first process, which at once begins to make its root while the caller goes on.
    ///
    /// Its namespaces exist when this returns, so that a network can be attached to `/proc/PID/ns/net` meanwhile; the
    /// process waits before its exec until `CreatedContainer.start()`.
    ///
    /// - Throws: `LaunchError`. The process has to have a single thread, because the clone copies only one.
    ///   The corresponding system call is `clone3`.
    public static func create(_ plan: InitPlan) throws(LaunchError) -> CreatedContainer {
        guard swn_is_single_threaded() == 1 else {
            throw LaunchError("start a container: this process has more than one thread", errno: EINVAL)
        }
        do throws(SystemError) {
            return try clone(plan)
        } catch {
            throw LaunchError(error)
        }
    }

    private static func clone(_ plan: InitPlan) throws(SystemError) -> CreatedContainer {
        // A pid namespace is joined by the parent: it counts for the children made afterwards.
        let home = try enterPidNamespace(plan)
        let pair = try SequencedSocket.pair()
        var pidfd: Int32 = -1
        let pid = unsafe swn_clone3(plan.cloneFlags, SIGCHLD, &pidfd, plan.cgroup.directory)
        if pid == 0 {
            ContainerInit(plan: plan, socket: pair.far.descriptor.rawValue, parentSocket: pair.near.descriptor.rawValue)
                .run()
        }
        let errno = Errno.last
        if let home, setns(home.rawValue, Int32(NamespaceKind.pid.flag)) != 0 {
            // Every later child would land in the container's namespace; the kernel never refuses the way home.
            abort()
        }
        guard pid > 0 else {
            throw SystemError(
                "clone the container's process", errno: errno,
                hint: errno == .permissionDenied || errno == .notPermitted ? "are you root?" : nil)
        }
        let child = HalfMadeChild(pidfd: pidfd, processIdentifier: pid)
        return CreatedContainer(plan: plan, child: child, socket: pair.near)
    }

    /// Enters the pid namespace the plan joins, and returns the way back.
    private static func enterPidNamespace(_ plan: InitPlan) throws(SystemError) -> Descriptor? {
        guard let join = plan.joins.first(where: { $0.kind == .pid }) else { return nil }
        let home = try Namespace(path: "/proc/self/ns/pid")
        let target = try Namespace(path: join.path)
        guard setns(target.descriptor.rawValue, Int32(NamespaceKind.pid.flag)) == 0 else {
            throw SystemError("join pid namespace (\(join.field))", join.path, errno: .last)
        }
        return try home.descriptor.duplicate()
    }
}
