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
        // What is new belongs to the user namespace that its maker is in, which has to be the container's. And an ordinary
        // user may make nothing before it is in one; its new one makes the time's itself.
        let isOrdinary = plan.userNamespace?.isOrdinary == true
        let entrance = plan.joins.first { $0.kind == .user }.map { Passage.Door.namespace($0.path, plan.joins) }
        // What belongs to the host's user namespace can be joined only before there is another.
        let visited = plan.joins.filter {
            entrance == nil && ($0.kind == .pid || plan.userNamespace?.isNew == true)
        }
        let timeOffsets = isOrdinary && entrance == nil ? nil : plan.timeOffsets
        let mapped: MappedMounts
        do throws(SystemError) {
            mapped = try MappedMounts(plan)
        } catch {
            throw LaunchError(error)
        }
        return try clone(
            plan, flags: plan.cloneFlags, cgroup: plan.cgroup, map: plan.userNamespace, through: entrance
        ) { visits throws(SystemError) in
            if let offsets = timeOffsets { try visits.beginTime(offsets) }
            for join in visited { try visits.begin(join) }
        } child: { near, far in
            let child = ChildProcess(plan: plan.process, socket: far, parentSocket: near)
            child.run(ContainerInit(plan: plan, mapped: mapped, child: child).walk)
        }
    }

    /// Clones a further process of a running container, which waits before its exec like the first.
    ///
    /// - Throws: `LaunchError`. The corresponding system calls are `setns` and `clone3`.
    public static func enter(_ plan: ExecPlan) throws(LaunchError) -> CreatedContainer {
        let entrance = plan.isOrdinary ? Passage.Door.process(plan.entrance(to: .user)) : nil
        return try clone(
            plan, flags: 0, cgroup: plan.cgroup, map: nil, through: entrance
        ) { visits throws(SystemError) in
            try visits.begin(plan.entrance(to: .pid).descriptor, .pid)
        } child: { near, far in
            let child = ChildProcess(plan: plan.process, socket: far, parentSocket: near)
            child.run(ExecInit(plan: plan, child: child).walk)
        }
    }

    private static func clone(
        _ plan: any LaunchPlan, flags: UInt64, cgroup: CgroupJoin, map: UserNamespaceStep?, through door: Passage.Door?,
        visit: (NamespaceVisits) throws(SystemError) -> Void, child: (_ near: Int32, _ far: Int32) -> Never
    ) throws(LaunchError) -> CreatedContainer {
        guard swn_is_single_threaded() == 1 else {
            throw LaunchError("the runtime's own process has more than one thread", errno: EINVAL)
        }
        let passage = Passage(door: door, flags: flags, cgroup: cgroup, map: map)
        guard door == nil, let visits = try begin(visit) else {
            return try passage.clone(plan, visit: visit, child: child)
        }
        do throws(SystemError) {
            let pair = try SequencedSocket.pair()
            var pidfd: Int32 = -1
            let pid = unsafe swn_clone3(flags | UInt64(CLONE_CLEAR_SIGHAND), SIGCHLD, &pidfd, cgroup.directory)
            let errno = Errno.last
            if pid == 0 { child(pair.near.descriptor.rawValue, pair.far.descriptor.rawValue) }
            visits.end()
            guard pid > 0 else { throw failure(errno, flags, cgroup) }
            let child = HalfMadeChild(pidfd: pidfd, processIdentifier: pid)
            try admit(pid, map, cgroup, pair.near)
            return CreatedContainer(plan: plan, child: child, socket: pair.near)
        } catch {
            throw LaunchError(error)
        }
    }

    /// Does for a process that waits for it what only others may do.
    static func admit(
        _ process: Int32, _ map: UserNamespaceStep?, _ cgroup: CgroupJoin, _ socket: borrowing SequencedSocket
    ) throws(SystemError) {
        let isMapped = map?.isNew == true
        if isMapped { try map?.write(process: process) }
        if let unit = cgroup.unit { try unit.attach(process: process) }
        if isMapped || cgroup.unit != nil { try socket.send([1]) }
    }

    /// - Returns: Nil where there would be no way back.
    private static func begin(
        _ visit: (NamespaceVisits) throws(SystemError) -> Void
    ) throws(LaunchError) -> NamespaceVisits? {
        let visits = NamespaceVisits()
        do throws(SystemError) {
            try visit(visits)
            return visits
        } catch {
            if error.operation == NamespaceVisits.oneWay { return nil }
            throw LaunchError(error)
        }
    }

    /// Why the kernel has made no process, as far as that can be known.
    static func failure(_ errno: Errno, _ flags: UInt64, _ cgroup: CgroupJoin) -> SystemError {
        if errno == .resourceBusy, cgroup.directory >= 0 {
            return SystemError(
                "error adding pid of a new process to cgroups", errno: errno,
                hint: "this one shares out its controllers, so that processes can only be in those below it")
        }
        var hint: String?
        if errno == .notPermitted, flags & NamespaceKind.user.flag == 0 {
            hint = "only root can do without a namespace of type user in linux.namespaces"
        } else if errno == .notPermitted {
            hint = "this host does not let users make user namespaces"
        }
        return SystemError("clone the container's process", errno: errno, hint: hint)
    }
}

/// A time in which this process is in namespaces of others, so that its children are made there: a pid namespace is
/// entered by whoever makes the child, and a child in a new user namespace cannot enter what belongs to the old one.
final class NamespaceVisits {
    private var homes: [(Namespace.Home, NamespaceKind)] = []
    /// Whether nobody comes home, because who is in the other user namespace may not.
    private let isOneWay: Bool

    init(isOneWay: Bool = false) { self.isOneWay = isOneWay }

    /// - Parameter target: A namespace of the kind, or a pidfd of a process in it. The corresponding system call is
    ///   `setns`.
    func begin(_ target: borrowing Descriptor, _ kind: NamespaceKind) throws(SystemError) {
        let home = try home(kind)
        guard setns(target.rawValue, Int32(kind.flag)) == 0 else {
            throw SystemError("join \(kind.rawValue) namespace", errno: .last)
        }
        if let home { homes.append((home, kind)) }
    }

    func begin(_ join: NamespaceJoin) throws(SystemError) {
        do throws(SystemError) {
            let namespace = try Namespace(path: join.path)
            try begin(namespace.descriptor, join.kind)
        } catch {
            if error.operation == Self.oneWay { throw error }
            throw SystemError(
                "join \(join.kind.rawValue) namespace (\(join.field))", join.path, errno: error.errno, hint: error.hint)
        }
    }

    /// The operation of the error for who would not come home.
    static let oneWay = "come back"

    /// Where to come back to; nil for a way without return.
    private func home(_ kind: NamespaceKind) throws(SystemError) -> Namespace.Home? {
        if isOneWay { return nil }
        let home = Namespace.Home(try Namespace(path: "/proc/self/ns/\(kind.rawValue)"))
        // The superuser of a user namespace may not enter what is the host's, although it is there.
        guard setns(home.namespace.descriptor.rawValue, Int32(kind.flag)) == 0 else {
            throw SystemError(Self.oneWay, errno: .last)
        }
        return home
    }

    /// Makes a time namespace for the next child. Its clocks can be set only while nobody is in it.
    func beginTime(_ offsets: String) throws(SystemError) {
        let home = try home(.time)
        guard unshare(Int32(NamespaceKind.time.flag)) == 0 else {
            throw SystemError("make time namespace", errno: .last)
        }
        if let home { homes.append((home, .time)) }
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
        if isOneWay { return }
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
