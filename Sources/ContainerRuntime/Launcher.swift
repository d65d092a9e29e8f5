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
        // What belongs to the host's user namespace can be joined only before there is another.
        let visited = plan.joins.filter { $0.kind == .pid || (plan.userNamespace?.isNew == true && $0.kind != .user) }
        let mapped: MappedMounts
        do throws(SystemError) {
            mapped = try MappedMounts(plan.mounts)
        } catch {
            throw LaunchError(error)
        }
        return try clone(plan, flags: plan.cloneFlags, cgroup: plan.cgroup, map: plan.userNamespace) {
            () throws(SystemError) in
            let visits = NamespaceVisits()
            if let offsets = plan.timeOffsets { try visits.beginTime(offsets) }
            for join in visited {
                let namespace = try Namespace(path: join.path)
                try visits.begin(namespace.descriptor, join.kind)
            }
            return visits
        } child: { near, far in
            let child = ChildProcess(plan: plan.process, socket: far, parentSocket: near)
            child.run(ContainerInit(plan: plan, mapped: mapped, child: child).walk)
        }
    }

    /// Clones a further process of a running container, which waits before its exec like the first.
    ///
    /// - Throws: `LaunchError`. The corresponding system calls are `setns` and `clone3`.
    public static func enter(_ plan: ExecPlan) throws(LaunchError) -> CreatedContainer {
        try clone(plan, flags: 0, cgroup: plan.cgroup, map: nil) { () throws(SystemError) in
            let visits = NamespaceVisits()
            try visits.begin(plan.container.descriptor, .pid)
            return visits
        } child: { near, far in
            let child = ChildProcess(plan: plan.process, socket: far, parentSocket: near)
            child.run(ExecInit(plan: plan, child: child).walk)
        }
    }

    private static func clone(
        _ plan: any LaunchPlan, flags: UInt64, cgroup: CgroupJoin, map: UserNamespaceStep?,
        visit: () throws(SystemError) -> NamespaceVisits, child: (_ near: Int32, _ far: Int32) -> Never
    ) throws(LaunchError) -> CreatedContainer {
        guard swn_is_single_threaded() == 1 else {
            throw LaunchError("start a container: this process has more than one thread", errno: EINVAL)
        }
        do throws(SystemError) {
            let pair = try SequencedSocket.pair()
            var pidfd: Int32 = -1
            let visits = try visit()
            let pid = unsafe swn_clone3(flags | UInt64(CLONE_CLEAR_SIGHAND), SIGCHLD, &pidfd, cgroup.directory)
            let errno = Errno.last
            if pid == 0 { child(pair.near.descriptor.rawValue, pair.far.descriptor.rawValue) }
            visits.end()
            guard pid > 0 else {
                throw SystemError(
                    "clone the container's process", errno: errno, hint: errno == .notPermitted ? "are you root?" : nil)
            }
            let child = HalfMadeChild(pidfd: pidfd, processIdentifier: pid)
            if let map, map.isNew {
                try map.write(process: pid)
                try pair.near.send([1])
            }
            return CreatedContainer(plan: plan, child: child, socket: pair.near)
        } catch {
            throw LaunchError(error)
        }
    }
}

/// A time in which this process is in namespaces of others, so that its children are made there: a pid namespace is
/// entered by whoever makes the child, and a child in a new user namespace cannot enter what belongs to the old one.
final class NamespaceVisits {
    private var homes: [(Namespace.Home, NamespaceKind)] = []

    /// - Parameter target: A namespace of the kind, or a pidfd of a process in it. The corresponding system call is
    ///   `setns`.
    func begin(_ target: borrowing Descriptor, _ kind: NamespaceKind) throws(SystemError) {
        let home = Namespace.Home(try Namespace(path: "/proc/self/ns/\(kind.rawValue)"))
        guard setns(target.rawValue, Int32(kind.flag)) == 0 else {
            throw SystemError("join \(kind.rawValue) namespace", errno: .last)
        }
        homes.append((home, kind))
    }

    /// Makes a time namespace for the next child. Its clocks can be set only while nobody is in it.
    func beginTime(_ offsets: String) throws(SystemError) {
        let home = Namespace.Home(try Namespace(path: "/proc/self/ns/time"))
        guard unshare(Int32(NamespaceKind.time.flag)) == 0 else {
            throw SystemError("make time namespace", errno: .last)
        }
        homes.append((home, .time))
        if offsets.isEmpty { return }
        do throws(SystemError) {
            try Descriptor.open("/proc/self/timens_offsets", O_WRONLY).write(text: offsets)
        } catch {
            throw SystemError(
                "set clocks (linux.timeOffsets) to", offsets.split(separator: "\n").joined(separator: ", "),
                errno: error.errno)
        }
    }

    func end() {
        for (home, kind) in homes.reversed() {
            // Every later child would land in the container's namespace; the kernel never refuses the way home.
            if setns(home.namespace.descriptor.rawValue, Int32(kind.flag)) != 0 { abort() }
        }
        homes = []
    }

    deinit { end() }
}

extension Namespace {
    /// A namespace to come back to, which several can hold.
    fileprivate final class Home {
        let namespace: Namespace
        init(_ namespace: consuming Namespace) { self.namespace = namespace }
    }
}

extension UserNamespaceStep {
    /// Tells the kernel who the identifiers are, as somebody who may: user_namespaces(7).
    ///
    /// - Parameter field: Where the document has the maps.
    func write(process: Int32, field: String = "linux") throws(SystemError) {
        for (name, text) in [("uid_map", uidMap), ("gid_map", gidMap)] {
            do throws(SystemError) {
                try Descriptor.open("/proc/\(process)/\(name)", O_WRONLY).write(text: text)
            } catch {
                throw SystemError(
                    "set \(name) (\(field).\(name.prefix(3))Mappings) to",
                    text.split(separator: "\n").joined(separator: ", "), errno: error.errno)
            }
        }
    }
}
