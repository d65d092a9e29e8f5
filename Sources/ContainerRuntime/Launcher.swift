import CLinux
import LinuxSystem
import SystemPackage

/// Makes processes of containers.
public enum Launcher {
    /// Clones the container's first process, which at once begins to make its root while the caller goes on.
    ///
    /// Its namespaces exist when this returns, so that a network can be attached to `/proc/PID/ns/net` meanwhile; the
    /// process waits before its exec until `CreatedContainer.start()`.
    ///
    /// - Throws: `LaunchError`. The process has to have a single thread, because the clone copies only one.
    ///   The corresponding system call is `clone3`.
    public static func create(_ plan: InitPlan) throws(LaunchError) -> CreatedContainer {
        try clone(plan, flags: plan.cloneFlags, cgroup: plan.cgroup) { () throws(SystemError) in
            guard let join = plan.joins.first(where: { $0.kind == .pid }) else { return nil }
            let namespace = try Namespace(path: join.path)
            return try PidNamespaceVisit(namespace.descriptor, flags: NamespaceKind.pid.flag)
        } child: { near, far in
            let child = ChildProcess(plan: plan.process, socket: far, parentSocket: near)
            child.run(ContainerInit(plan: plan, child: child).walk)
        }
    }

    /// Clones a further process of a running container, which waits before its exec like the first.
    ///
    /// - Throws: `LaunchError`. The corresponding system calls are `setns` and `clone3`.
    public static func enter(_ plan: ExecPlan) throws(LaunchError) -> CreatedContainer {
        try clone(plan, flags: 0, cgroup: plan.cgroup) { () throws(SystemError) in
            try PidNamespaceVisit(plan.container.descriptor, flags: NamespaceKind.pid.flag)
        } child: { near, far in
            let child = ChildProcess(plan: plan.process, socket: far, parentSocket: near)
            child.run(ExecInit(plan: plan, child: child).walk)
        }
    }

    private static func clone(
        _ plan: any LaunchPlan, flags: UInt64, cgroup: CgroupJoin,
        visit: () throws(SystemError) -> PidNamespaceVisit?, child: (_ near: Int32, _ far: Int32) -> Never
    ) throws(LaunchError) -> CreatedContainer {
        guard swn_is_single_threaded() == 1 else {
            throw LaunchError("start a container: this process has more than one thread", errno: EINVAL)
        }
        do throws(SystemError) {
            let pair = try SequencedSocket.pair()
            var pidfd: Int32 = -1
            let visit = try visit()
            let pid = unsafe swn_clone3(flags, SIGCHLD, &pidfd, cgroup.directory)
            let errno = Errno.last
            if pid == 0 { child(pair.near.descriptor.rawValue, pair.far.descriptor.rawValue) }
            visit?.end()
            guard pid > 0 else {
                throw SystemError(
                    "clone the container's process", errno: errno, hint: errno == .notPermitted ? "are you root?" : nil)
            }
            let child = HalfMadeChild(pidfd: pidfd, processIdentifier: pid)
            return CreatedContainer(plan: plan, child: child, socket: pair.near)
        } catch {
            throw LaunchError(error)
        }
    }
}

/// A time in which the children of this process are made in another pid namespace: unlike the others, this namespace
/// is entered by whoever makes the child.
final class PidNamespaceVisit {
    private let home: Namespace

    /// - Parameter target: A pid namespace, or a pidfd of a process in it. The corresponding system call is `setns`.
    init(_ target: borrowing Descriptor, flags: UInt64) throws(SystemError) {
        home = try Namespace(path: "/proc/self/ns/pid")
        guard setns(target.rawValue, Int32(flags)) == 0 else { throw SystemError("join pid namespace", errno: .last) }
    }

    func end() {
        // Every later child would land in the container's namespace; the kernel never refuses the way home.
        if setns(home.descriptor.rawValue, Int32(NamespaceKind.pid.flag)) != 0 { abort() }
    }
}
