import CLinux
import LinuxSystem
import SystemPackage

/// What every child does that becomes a program in a container, whether it is the container's first or a later one.
///
/// It runs in a copy of the launcher's memory, in Swift, which is sound only because the launcher has one thread.
/// It only walks its plan, never returns, and leaves by `execve` or `_exit`; nothing of the launcher's own clean-up
/// runs in it.
struct ChildProcess {
    let plan: ProcessPlan
    let socket: Int32
    let parentSocket: Int32

    func run(_ walk: () throws(InitFailure) -> Void) -> Never {
        do throws(InitFailure) {
            try walk()
        } catch {
            report(InitRecord(error))
        }
        swn_exit_now(1)
    }

    /// From here on the process dies with its launcher, and nobody but root may look at it.
    func tieToParent() throws(InitFailure) {
        leaveParentsSocket()
        if plan.lockDescriptor >= 0 { close(plan.lockDescriptor) }
        // Not dumpable means that no other process of a shared pid namespace can reach the runtime's program through
        // /proc/PID/exe, or its descriptors through /proc/PID/fd (CVE-2016-9962, CVE-2019-5736). The exec ends it.
        guard swn_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 else { throw InitFailure(.parent) }
        try armDeathSignal(SIGKILL)
        // The clone has taken care of those with a handler.
        swn_reset_signals(plan.inherited.ignoredSignals)
    }

    /// Or the launcher's end would not be the end.
    func leaveParentsSocket() { close(parentSocket) }

    /// The kernel forgets the signal when credentials change, so this is called again after that.
    func armDeathSignal(_ signal: Int32) throws(InitFailure) {
        guard swn_prctl(PR_SET_PDEATHSIG, UInt(signal), 0, 0, 0) == 0 else { throw InitFailure(.parent) }
        // A parent that died before the call sends no signal, but its end of the socket is closed.
        var state = pollfd(fd: socket, events: 0, revents: 0)
        if unsafe poll(&state, 1, 0) > 0, state.revents & Int16(POLLHUP) != 0 { swn_exit_now(1) }
    }

    func takeStreams() throws(InitFailure) {
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

    func join(_ cgroup: CgroupJoin) throws(InitFailure) {
        for (index, file) in cgroup.descriptors.enumerated() {
            guard unsafe write(file, "0", 1) == 1 else { throw InitFailure(.cgroup, Int32(index)) }
        }
    }

    /// Leaves what the launcher's session and keys are, while the host's /proc is still there.
    ///
    /// - Returns: The open file that takes the label of the program, or -1: the container's /proc could be anything
    ///   that accepts a label and forgets it (CVE-2019-16884).
    func prepareSession() throws(InitFailure) -> Int32 {
        // The host's session keyring would be shared otherwise. A kernel without keyrings has none to share.
        if plan.makesKeyring && swn_join_session_keyring() < 0 && swn_errno() != ENOSYS { throw InitFailure(.keyring) }
        // A container must not read or signal the terminal that its launcher was started from.
        guard setsid() >= 0 else { throw InitFailure(.session) }
        guard let label = plan.security.label else { return -1 }
        let file = unsafe swn_openat(AT_FDCWD, label.path, O_WRONLY | O_CLOEXEC, 0)
        guard file >= 0 else { throw InitFailure(.label) }
        return file
    }

    /// As long as the host's /proc is there, which shows a process of another pid namespace as itself.
    func setOutOfMemoryScore() throws(InitFailure) {
        guard let adjustment = plan.security.oomScoreAdjustment else { return }
        do throws(SystemError) {
            try Descriptor.open("/proc/self/oom_score_adj", O_WRONLY).write(text: adjustment)
        } catch {
            throw InitFailure(.oomScore, 0, error)
        }
    }

    /// Waits until the launcher has said who this process's identifiers are on the host, and systemd has put it into its
    /// cgroup.
    func waitForLauncher() throws(InitFailure) {
        var byte: UInt8 = 0
        let count = retryingOnInterrupt { unsafe recv(socket, &byte, 1, 0) }
        if count == 0 { swn_exit_now(1) }
        guard count == 1 else { throw InitFailure(.userNamespace) }
    }

    /// Becomes the superuser of the user namespace it is in, who owns what is made from now on.
    func becomeRoot() throws(InitFailure) {
        // Where groups may not be changed they are nobody's anyway.
        guard plan.security.groups == nil || swn_setgroups(0, nil) == 0 || swn_errno() == EPERM,
            swn_setresgid(0, 0, 0) == 0,
            swn_setresuid(0, 0, 0) == 0
        else { throw InitFailure(.userNamespace) }
        guard swn_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 else { throw InitFailure(.parent) }
        try armDeathSignal(SIGKILL)
    }

    /// Lets the launcher run its hooks, and returns this process's number as the launcher sees it.
    func waitForHooks() throws(InitFailure) -> Int32 {
        report(InitRecord(.hooks))
        var bytes = [UInt8](repeating: 0, count: 4)
        let count = retryingOnInterrupt { unsafe recv(socket, &bytes, bytes.count, 0) }
        if count == 0 { swn_exit_now(1) }
        guard count == bytes.count else { throw InitFailure(.hooks) }
        return Int32(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[$1]) << UInt32(8 * $1) })
    }

    func run(_ hooks: [HookStep], _ state: [UInt8], prepare: () -> Int32) throws(InitFailure) {
        do throws(HookFailure) {
            try HookRun.run(hooks, state: state, prepare: prepare)
        } catch {
            throw InitFailure(.hook, errno: ECANCELED, words: error.description)
        }
    }

    /// - Parameter isInside: Whether this process is there already.
    func enterWorkingDirectory(_ isInside: Bool) throws(InitFailure) {
        let path = plan.command.workingDirectory
        if !isInside {
            guard unsafe chdir(path) == 0 else { throw InitFailure(.workingDirectory) }
        }
        if path == "/" { return }
        // The kernel answers "(unreachable)" for a directory outside of the root, as a leaked descriptor under
        // /proc/self/fd would be (CVE-2024-21626). The raw call, because glibc's turns that into ENOENT.
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX) + 1)
        guard unsafe swn_getcwd(&buffer, buffer.count) > 0 else { throw InitFailure(.workingDirectory) }
        guard buffer[0] == UInt8(ascii: "/") else { throw InitFailure(.workingDirectoryOutside, errno: EXDEV) }
    }

    /// Sends a record. Without it the launcher would wait for ever, so this process ends with what it could not say.
    func report(_ record: InitRecord, descriptor: Int32 = -1) {
        let bytes = record.bytes
        if unsafe swn_send_descriptor(socket, bytes, bytes.count, descriptor) != bytes.count { swn_exit_now(1) }
    }
}
