import CLinux
import LinuxSystem
import SystemPackage

/// A container's first process, from the clone to the exec.
///
/// It runs in a copy of the launcher's memory, in Swift, which is sound only because the launcher has one thread.
/// It only walks its plan, never returns, and leaves by `execve` or `_exit`; nothing of the launcher's own clean-up
/// runs in it. Each step's place has a reason, which is given where the step is taken.
struct ContainerInit {
    let plan: InitPlan
    let socket: Int32
    let parentSocket: Int32

    func run() -> Never {
        do throws(InitFailure) {
            try walk()
        } catch {
            report(InitRecord(error))
        }
        swn_exit_now(1)
    }

    private func walk() throws(InitFailure) {
        try tieToParent()
        try takeStreams()
        try joinNamespaces()
        try joinCgroup()
        try makeSession()
        // Device nodes and directories get exactly the modes they are given.
        umask(0)
        let mounted = try RootBuilder(plan: plan).build()
        try makeTerminal(mounted)
        try setNames()
        try setLimits()
        try setSysctls(mounted.proc)
        try ProtectedPaths(plan: plan, root: mounted.root).apply()
        try enterRoot(mounted.root)
        umask(mode_t(plan.security.umask))
        try becomeUser()
    }

    /// From here on the process dies with its launcher, and nobody but root may look at it.
    private func tieToParent() throws(InitFailure) {
        close(parentSocket)
        // Not dumpable means that no other process of a shared pid namespace can reach the runtime's program through
        // /proc/PID/exe, or its descriptors through /proc/PID/fd (CVE-2016-9962, CVE-2019-5736). The exec ends it.
        guard swn_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 else { throw InitFailure(.parent) }
        try armDeathSignal(SIGKILL)
        swn_reset_signals()
    }

    /// The kernel forgets the signal when credentials change, so this is called again after that.
    func armDeathSignal(_ signal: Int32) throws(InitFailure) {
        guard swn_prctl(PR_SET_PDEATHSIG, UInt(signal), 0, 0, 0) == 0 else { throw InitFailure(.parent) }
        // A parent that died before the call sends no signal, but its end of the socket is closed.
        var state = pollfd(fd: socket, events: 0, revents: 0)
        if unsafe poll(&state, 1, 0) > 0, state.revents & Int16(POLLHUP) != 0 { swn_exit_now(1) }
    }

    private func takeStreams() throws(InitFailure) {
        guard plan.terminal == nil, case .descriptors(let input, let output, let error) = plan.streams else { return }
        // One of them may be where another has to go, so they are first moved out of the way.
        var moved: [Int32] = []
        for stream in [input, output, error] {
            let copy = swn_fcntl(stream, F_DUPFD_CLOEXEC, 3)
            guard copy >= 0 else { throw InitFailure(.streams, stream) }
            moved.append(copy)
        }
        for number in 0..<Int32(3) {
            guard dup2(moved[Int(number)], number) == number else { throw InitFailure(.streams, number) }
            close(moved[Int(number)])
        }
    }

    private func joinNamespaces() throws(InitFailure) {
        for (index, join) in plan.joins.enumerated() where join.kind != .pid {
            do throws(SystemError) {
                let namespace = try Namespace(path: join.path)
                guard setns(namespace.descriptor.rawValue, Int32(join.kind.flag)) == 0 else {
                    throw SystemError("setns", errno: .last)
                }
            } catch {
                throw InitFailure(.joinNamespace, Int32(index), error)
            }
        }
        if plan.bringsLoopbackUp {
            guard unsafe swn_interface_up("lo") == 0 else { throw InitFailure(.loopback) }
        }
    }

    private func joinCgroup() throws(InitFailure) {
        for (index, file) in plan.cgroup.descriptors.enumerated() {
            guard unsafe write(file, "0", 1) == 1 else { throw InitFailure(.cgroup, Int32(index)) }
        }
        // The root of a cgroup namespace is the cgroup its maker is in, so it is not made by the clone, before the
        // move, but here.
        if plan.makesCgroupNamespace {
            guard unshare(Int32(NamespaceKind.cgroup.flag)) == 0 else { throw InitFailure(.cgroupNamespace) }
        }
        // The host's session keyring would be shared otherwise. A kernel without keyrings has none to share.
        if swn_join_session_keyring() < 0 && swn_errno() != ENOSYS { throw InitFailure(.keyring) }
        if let adjustment = plan.security.oomScoreAdjustment {
            // The host's /proc is still there, and shows a process of a new pid namespace as itself.
            do throws(SystemError) {
                try Descriptor.open("/proc/self/oom_score_adj", O_WRONLY).write(text: adjustment)
            } catch {
                throw InitFailure(.oomScore, 0, error)
            }
        }
    }

    private func makeSession() throws(InitFailure) {
        // A container must not read or signal the terminal that its launcher was started from.
        guard setsid() >= 0 else { throw InitFailure(.session) }
    }

    private func setNames() throws(InitFailure) {
        if let name = plan.hostname, unsafe swn_sethostname(name, name.utf8.count) != 0 { throw InitFailure(.hostname) }
        if let name = plan.domainname, unsafe swn_setdomainname(name, name.utf8.count) != 0 {
            throw InitFailure(.domainname)
        }
        if let domain = plan.security.personality, personality(domain) < 0 { throw InitFailure(.personality) }
    }

    private func setLimits() throws(InitFailure) {
        for (index, limit) in plan.security.rlimits.enumerated() {
            guard swn_setrlimit(limit.resource, limit.soft, limit.hard) == 0 else {
                throw InitFailure(.rlimit, Int32(index))
            }
        }
    }

    /// Parameters are written through a procfs of our own making, whose entries nothing can have been mounted over,
    /// before any of it is masked (CVE-2025-52881, CVE-2019-19921).
    private func setSysctls(_ mounted: Int32) throws(InitFailure) {
        guard !plan.sysctls.isEmpty else { return }
        let proc: Descriptor
        do throws(SystemError) {
            // A container without a /proc gets a private one for the purpose.
            proc =
                mounted >= 0 ? try .open(".", O_PATH | O_DIRECTORY, relativeTo: mounted)
                : try FileSystemContext("proc").mount()
        } catch {
            throw InitFailure(.sysctl, 0, error)
        }
        for (index, step) in plan.sysctls.enumerated() {
            do throws(SystemError) {
                let resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV
                let file = try Descriptor.open("sys/\(step.path)", O_WRONLY, within: proc, resolve: resolve)
                try file.write(text: step.value)
            } catch {
                throw InitFailure(.sysctl, Int32(index), error)
            }
        }
    }

    /// Puts the new root in the old one's place and lets go of the host's mounts.
    private func enterRoot(_ root: borrowing Descriptor) throws(InitFailure) {
        if plan.isRootReadOnly {
            do throws(SystemError) {
                // The root alone: what is mounted in it has its own settings.
                try MountTree.setAttributes(of: root, set: UInt64(MOUNT_ATTR_RDONLY))
            } catch {
                throw InitFailure(.readOnlyRoot, 0, error)
            }
        }
        do throws(SystemError) {
            let host = try Descriptor.openDirectory("/")
            guard fchdir(root.rawValue) == 0 else { throw SystemError("fchdir", errno: .last) }
            // With the same directory for both, the old root ends up mounted on top of the new one, and no directory
            // is needed in the image to put it into.
            guard unsafe swn_pivot_root(".", ".") == 0 else { throw SystemError("pivot_root", errno: .last) }
            guard fchdir(host.rawValue) == 0 else { throw SystemError("fchdir", errno: .last) }
            try MountTree.detach(".")
            guard unsafe chdir("/") == 0 else { throw SystemError("chdir", errno: .last) }
        } catch {
            throw InitFailure(.pivot, 0, error)
        }
    }

    /// Sends a record. Nobody listening is as good as the launcher's death, which ends this process anyway.
    func report(_ record: InitRecord, descriptor: Int32 = -1) {
        let bytes = record.bytes
        _ = unsafe swn_send_descriptor(socket, bytes, bytes.count, descriptor)
    }
}

extension InitFailure {
    init(_ stage: InitStage, _ index: Int32, _ error: SystemError) {
        self.init(stage, index, errno: error.errno.rawValue, words: error.hint)
    }
}
