import CLinux
import LinuxSystem
import SystemPackage

/// The way into namespaces from which there is none back.
///
/// Who has entered a user namespace is in it for good, and who is the superuser of one only may leave what is the host's,
/// and not enter it again. So a process of its own goes in, makes the container's process there as a child of the launcher
/// (`CLONE_PARENT`), hands over its pidfd and ends.
struct Passage {
    /// How to come into a user namespace that is there already: for an ordinary user to be allowed anything at all, and for
    /// everybody to make namespaces that belong to it.
    enum Door {
        /// With all that are joined besides: those of the host only from outside, and others only from inside.
        case namespace(String, [NamespaceJoin])
        /// That of a container's process, by its pidfd or the namespace's own file.
        case process(SharedDescriptor)
    }

    /// Nil for who may do what is to be done.
    let door: Door?
    /// `CLONE_NEW*` of what the container's process gets.
    let flags: UInt64
    let cgroup: CgroupJoin
    let map: UserNamespaceStep?

    func clone(
        _ plan: any LaunchPlan, visit: (NamespaceVisits) throws(SystemError) -> Void,
        child: (_ near: Int32, _ far: Int32) -> Never
    ) throws(LaunchError) -> CreatedContainer {
        let pair = try Self.sockets()
        let answers = try Self.sockets()
        var pidfd: Int32 = -1
        let number = unsafe swn_clone3(UInt64(CLONE_CLEAR_SIGHAND), SIGCHLD, &pidfd, -1)
        let errno = Errno.last
        let (near, far) = (pair.near.descriptor.rawValue, pair.far.descriptor.rawValue)
        let process = ChildProcess(plan: plan.process, socket: answers.far.descriptor.rawValue, parentSocket: -1)
        if number == 0 { goThrough(process, visit) { child(near, far) } }
        guard number > 0 else { throw LaunchError(SystemError("clone", errno: errno)) }
        // Reaped when this is over, however it ends.
        let between = HalfMadeChild(pidfd: pidfd, processIdentifier: number)
        let made = try Self.answer(answers.near, from: between, plan)
        let container = HalfMadeChild(pidfd: made.pidfd, processIdentifier: made.number)
        do throws(SystemError) {
            try Launcher.admit(made.number, map, cgroup, pair.near)
        } catch {
            throw LaunchError(error)
        }
        return CreatedContainer(plan: plan, child: container, socket: pair.near)
    }

    private static func sockets() throws(LaunchError) -> SequencedSocket.Pair {
        do throws(SystemError) {
            return try SequencedSocket.pair()
        } catch {
            throw LaunchError(error)
        }
    }

    /// - Returns: The container's process.
    private static func answer(
        _ socket: borrowing SequencedSocket, from between: borrowing HalfMadeChild, _ plan: any LaunchPlan
    ) throws(LaunchError) -> (pidfd: Int32, number: Int32) {
        var events = [
            pollfd(fd: socket.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
            pollfd(fd: between.pidfd, events: Int16(POLLIN), revents: 0),
        ]
        // The other end of the socket is open in this process too, so its end of file says nothing.
        _ = retryingOnInterrupt { unsafe poll(&events, 2, -1) }
        guard events[0].revents != 0, var record = try? socket.receive(limit: InitRecord.size),
            let message = InitRecord(bytes: record.bytes)
        else { throw LaunchError("enter the container's user namespace: the process was killed", errno: ECHILD) }
        guard let descriptor = record.descriptor.take() else { throw plan.error(message) }
        guard let number = ProcessHandle.number(of: descriptor) else {
            throw LaunchError.killed
        }
        return (descriptor.release(), number)
    }

    /// The process in between. It never returns: it ends as soon as the container's process is there, which goes its own
    /// way in `child`.
    private func goThrough(
        _ process: ChildProcess, _ visit: (NamespaceVisits) throws(SystemError) -> Void, _ child: () -> Never
    ) -> Never {
        process.run { () throws(InitFailure) in
            // The container's process inherits it, who cannot set it any more.
            try process.setOutOfMemoryScore()
            // Who is in that namespace already must not look into this process (CVE-2016-9962).
            guard swn_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 else { throw InitFailure(.parent) }
            let waiting = joinFromOutside()
            do throws(SystemError) {
                try enter()
            } catch {
                throw InitFailure(.joinNamespace, Int32(joins.firstIndex { $0.kind == .user } ?? -1), error)
            }
            for index in waiting {
                do throws(SystemError) {
                    try joins[index].enter()
                } catch {
                    throw InitFailure(.joinNamespace, Int32(index), error)
                }
            }
            do throws(SystemError) {
                try visit(NamespaceVisits(isOneWay: true))
                var pidfd: Int32 = -1
                let pid = unsafe swn_clone3(flags | UInt64(CLONE_PARENT), 0, &pidfd, cgroup.directory)
                if pid == 0 { child() }
                guard pid > 0 else { throw Launcher.failure(.last, flags, cgroup) }
                process.report(InitRecord(.ready), descriptor: pidfd)
            } catch {
                throw InitFailure(.joinNamespace, -1, error)
            }
            swn_exit_now(0)
        }
    }

    private var joins: [NamespaceJoin] {
        if case .namespace(_, let joins) = door { return joins }
        return []
    }

    /// Joins what the launcher's rights reach; those of the user namespace do not reach the host's.
    ///
    /// - Returns: The others.
    private func joinFromOutside() -> [Int] {
        joins.indices.filter { joins[$0].kind != .user && (try? joins[$0].enter()) == nil }
    }

    private func enter() throws(SystemError) {
        let answer: Int32
        switch door {
        case nil: return
        case .namespace(let path, _):
            let namespace = try Namespace(path: path, kind: .user)
            answer = setns(namespace.descriptor.rawValue, Int32(NamespaceKind.user.flag))
        case .process(let container):
            answer = setns(container.descriptor.rawValue, Int32(NamespaceKind.user.flag))
        }
        guard answer == 0 else { throw SystemError("setns", errno: .last) }
    }
}
