import CLinux
import LinuxSystem
import SystemPackage

/// The last steps: from root in the container to the container's program.
extension ChildProcess {
    /// - Parameter hooks: What is run with the program's rights, right before it.
    /// - Parameter state: What the hooks are told.
    /// - Parameter label: The open file that takes the program's label, or -1.
    func becomeUser(label: Int32, hooks: [HookStep] = [], state: [UInt8] = []) throws(InitFailure) {
        let security = plan.security
        umask(mode_t(security.umask))
        if let domain = security.personality, personality(domain) < 0 { throw InitFailure(.personality) }
        let ruleset = try makeLandlockRules()
        // With the right to read it, whoever runs the program.
        let environment = plan.command.environment { homeDirectory() }
        try setLimits()
        giveStreams()
        let available = try dropBounding(security.capabilities.bounding)

        // Groups before the user, because afterwards there is no right to change them.
        if let groups = security.groups { try set(groups: groups) }
        // As runc and crun have it: where the superuser may enter the program may begin, and where only its user may (NFS)
        // too.
        let isInside = unsafe chdir(plan.command.workingDirectory) == 0
        try becomeProgramsUser()
        try enterWorkingDirectory(isInside)
        guard !plan.isMissing else {
            try waitForGoAhead(keeping: [])
            throw InitFailure(.processMissing, errno: ENOEXEC)
        }
        let path = try CommandCheck(plan: plan).find()
        // The check reads files that the user may perhaps only execute.
        if security.uid != 0 {
            try set(.capabilities) { () throws(SystemError) in
                let all = try CapabilitySet.permitted()
                try CapabilitySet.apply(effective: all, permitted: all, inheritable: CapabilitySet())
            }
        }
        try CommandCheck(plan: plan).verify(path)

        // The kernel looks for an AppArmor profile here, and not at the exec that it is meant for: one that is not loaded
        // is told to who makes the container. What this process starts until then, hooks, gets the label too.
        if let step = security.label {
            let text = Array(step.value.utf8)
            guard unsafe write(label, text, text.count) == text.count else { throw InitFailure(.label) }
        }

        try waitForGoAhead(keeping: [ruleset])

        let hooks = hooks.map { hook in
            var hook = hook
            hook.environment = hook.environment ?? environment
            return hook
        }
        // They are programs of the container as well, which may make no calls that it may not (as with runc). This process
        // itself is not confined yet: it has to start them, and to wait for them.
        try run(hooks, state) { (try? confine(available, obeying: -1)) == nil ? 126 : 0 }
        // Until here it is SIGKILL.
        if plan.startListener < 0, plan.parentDeathSignal != SIGKILL { try armDeathSignal(plan.parentDeathSignal) }
        // Everything the launcher had open is closed by the exec, also what nobody thought of (CVE-2024-21626).
        let first = UInt32(3 + plan.preservedDescriptors)
        guard swn_close_range(first, UInt32.max, UInt32(CLOSE_RANGE_CLOEXEC)) == 0 else {
            throw InitFailure(.descriptors)
        }
        // As late as possible: every call after the filter has to be allowed by it.
        try confine(available, obeying: ruleset)
        execute(path, environment)
        if plan.startListener >= 0 { endWithoutProgram(path) }
        throw InitFailure(.execute)
    }

    /// Says in the program's place that there is none, as a shell does, and with its status.
    ///
    /// Of what the kernel says last `start` of runc and crun knows nothing. Engines take a `start` that fails for a container
    /// that has not begun, and containerd does not delete one.
    private func endWithoutProgram(_ path: String) {
        let isMissing = swn_errno() == ENOENT
        let error = SystemError("exec", path, errno: .last)
        let line = Array("\(error)\n".utf8)
        _ = unsafe write(2, line, line.count)
        swn_exit_now(isMissing ? 127 : 126)
    }

    /// Gives up what the program is not to have. Without no_new_privs, loading a filter needs CAP_SYS_ADMIN, which is gone
    /// once the capabilities are set.
    private func confine(_ available: CapabilitySet, obeying ruleset: Int32) throws(InitFailure) {
        if plan.security.noNewPrivileges {
            try setCapabilities(available)
            guard swn_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 else { throw InitFailure(.noNewPrivileges) }
            try obey(ruleset)
            try loadFilter()
        } else {
            try obey(ruleset)
            try loadFilter()
            try setCapabilities(available)
        }
    }

    private func set(groups: [UInt32]) throws(InitFailure) {
        if unsafe swn_setgroups(groups.count, groups) == 0 { return }
        let errno = swn_errno()
        // With the right to do it, only the user namespace can refuse: that of an ordinary user who maps only itself.
        let right = CapabilitySet(name: "CAP_SETGID") ?? CapabilitySet()
        let isDenied = errno == EPERM && (try? CapabilitySet.permitted())?.isSuperset(of: right) == true
        // Then the user's stay, as nobody's.
        if isDenied && groups.isEmpty { return }
        let words = "an ordinary user's container has none without newgidmap: setgroups is denied"
        throw InitFailure(.groups, errno: errno, words: isDenied ? words : nil)
    }

    private func becomeProgramsUser() throws(InitFailure) {
        let security = plan.security
        // Who is the superuser in every way already would only be told so again.
        if plan.inheritsBoundingSet, plan.inherited.isSuperuser, security.uid == 0, security.gid == 0 { return }
        guard swn_setresgid(security.gid, security.gid, security.gid) == 0 else { throw InitFailure(.gid) }
        // Permitted capabilities survive the change of user, so that the ones asked for can be set after it.
        guard swn_prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 else { throw InitFailure(.uid) }
        guard swn_setresuid(security.uid, security.uid, security.uid) == 0 else { throw InitFailure(.uid) }
        // A change of user makes the process dumpable by its new user and clears the death signal.
        guard swn_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 else { throw InitFailure(.parent) }
        try armDeathSignal(SIGKILL)
        // As the user, with no more than the program's own capabilities: what it may not enter stays closed.
        guard security.uid != 0 else { return }
        try set(.capabilities) { () throws(SystemError) in
            let all = try CapabilitySet.permitted()
            let effective = security.capabilities.effective.intersection(all)
            try CapabilitySet.apply(effective: effective, permitted: all, inheritable: CapabilitySet())
        }
    }

    /// From the container's /etc/passwd, which may be any file.
    private func homeDirectory() -> String {
        let flags = UInt64(O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        let number = unsafe swn_openat2(AT_FDCWD, "/etc/passwd", flags, 0, UInt64(RESOLVE_NO_MAGICLINKS))
        guard number >= 0 else { return "/" }
        let file = Descriptor(owning: number)
        do throws(SystemError) {
            guard try file.kind() == .regular else { return "/" }
            return UserDatabase.home(of: plan.security.uid, passwd: try file.readAll(limit: 1 << 20))
        } catch {
            return "/"
        }
    }

    /// Makes pipes and terminals the container's user's, who could not open /dev/stderr otherwise.
    ///
    /// Files stay whose they are: somebody may have been careless enough to hand in one that matters.
    private func giveStreams() {
        let (uid, gid) = (plan.security.uid, plan.security.gid)
        // Root may open them as they are.
        guard uid != 0 else { return }
        for stream in Int32(0)..<3 {
            var status = stat()
            guard unsafe fstat(stream, &status) == 0, status.st_uid != uid || status.st_gid != gid else { continue }
            switch FileKind(mode: status.st_mode) {
            case .fifo, .socket: _ = fchown(stream, uid, gid)
            // A terminal's group is that of all terminals.
            case .characterDevice where isatty(stream) == 1: _ = fchown(stream, uid, gid_t.max)
            default: break
            }
        }
    }

    private func setLimits() throws(InitFailure) {
        for (index, limit) in plan.security.rlimits.enumerated() {
            guard swn_setrlimit(limit.resource, limit.soft, limit.hard) == 0 else {
                throw InitFailure(.rlimit, Int32(index))
            }
        }
    }

    /// Lowers the bounding set, and says what of it there is: a container in a container has less than it asks for.
    private func dropBounding(_ wanted: CapabilitySet) throws(InitFailure) -> CapabilitySet {
        let present = plan.inheritsBoundingSet ? plan.inherited.boundingSet : readBoundingSet()
        for number in 0..<UInt64(64) {
            let one = CapabilitySet(rawValue: 1 << number)
            guard present.isSuperset(of: one), !wanted.isSuperset(of: one) else { continue }
            guard swn_prctl(PR_CAPBSET_DROP, UInt(number), 0, 0, 0) == 0 else {
                throw InitFailure(.bounding, Int32(number))
            }
        }
        return present.intersection(wanted)
    }

    private func readBoundingSet() -> CapabilitySet {
        var set = CapabilitySet()
        for number in 0..<UInt64(64) {
            let answer = swn_prctl(PR_CAPBSET_READ, UInt(number), 0, 0, 0)
            // Behind the last that this kernel knows.
            if answer < 0 { break }
            if answer == 1 { set.formUnion(CapabilitySet(rawValue: 1 << number)) }
        }
        return set
    }

    private func setCapabilities(_ bounding: CapabilitySet) throws(InitFailure) {
        let wanted = plan.security.capabilities
        try set(.capabilities) { () throws(SystemError) in
            // A user namespace has given it others than the launcher's.
            let available = plan.inheritsBoundingSet ? plan.inherited.permitted : try CapabilitySet.permitted()
            try CapabilitySet.apply(
                effective: wanted.effective.intersection(available),
                permitted: wanted.permitted.intersection(available),
                inheritable: wanted.inheritable.intersection(available).intersection(bounding))
        }
        // The kernel takes out of the ambient set what is not inheritable (capabilities(7)).
        if wanted.inheritable.isEmpty { return }
        _ = swn_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_CLEAR_ALL), 0, 0, 0)
        for number in 0..<UInt64(64) where wanted.ambient.rawValue & (1 << number) != 0 {
            guard swn_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_RAISE), UInt(number), 0, 0) == 0 else {
                // A capability this kernel or this process does not have cannot be given.
                if swn_errno() == EINVAL || swn_errno() == EPERM { continue }
                throw InitFailure(.ambient, Int32(number))
            }
        }
    }

    private func loadFilter() throws(InitFailure) {
        guard let program = plan.security.seccomp else { return }
        let result = program.load()
        guard result >= 0 else { throw InitFailure(.seccomp, errno: -result) }
        guard program.flags.contains(.newListener) else { return }
        report(InitRecord(.listener), descriptor: result)
        close(result)
        var byte: UInt8 = 0
        // Before somebody has it, a call that is asked about would wait for ever.
        guard retryingOnInterrupt({ unsafe recv(socket, &byte, 1, 0) }) == 1 else { swn_exit_now(1) }
    }

    private func waitForGoAhead(keeping needed: [Int32]) throws(InitFailure) {
        report(InitRecord(.ready))
        var byte: UInt8 = 0
        let count = retryingOnInterrupt { unsafe recv(socket, &byte, 1, 0) }
        // The launcher is gone, or has dropped the container.
        if count == 0 { swn_exit_now(1) }
        guard count == 1 else { throw InitFailure(.goAhead) }
        guard plan.startListener >= 0 else { return }
        try closeAll(but: [socket, plan.startListener, plan.waitingDescriptor] + needed)
        try waitForStart()
    }

    /// Lets go of what the launcher had open and of what making the container has left open, none of which the exec has
    /// closed yet: it may be days away, and would keep the host's file systems busy until then.
    private func closeAll(but needed: [Int32]) throws(InitFailure) {
        var first = UInt32(3 + plan.preservedDescriptors)
        for number in Set(needed.filter { $0 >= 0 }.map { UInt32($0) }).sorted() where number >= first {
            guard number == first || swn_close_range(first, number - 1, 0) == 0 else { throw InitFailure(.descriptors) }
            first = number + 1
        }
        guard swn_close_range(first, UInt32.max, 0) == 0 else { throw InitFailure(.descriptors) }
    }

    /// Outlives the launcher, which has written down everything by now, and waits for another command that starts
    /// the container. What happens from here on is told to that one.
    private func waitForStart() throws(InitFailure) {
        guard swn_prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) == 0 else { throw InitFailure(.parent) }
        endAtSignals()
        report(InitRecord(.detached))
        while true {
            let connection = retryingOnInterrupt { swn_accept(plan.startListener) }
            if connection < 0 && swn_errno() == ECONNABORTED { continue }
            guard connection >= 0, dup3(connection, socket, O_CLOEXEC) == socket else { throw InitFailure(.goAhead) }
            close(connection)
            var byte: UInt8 = 0
            // Whoever connected and died before saying so has not started anything.
            guard retryingOnInterrupt({ unsafe recv(socket, &byte, 1, 0) }) == 1 else { continue }
            if byte == StartGate.Request.start.rawValue { return }
            handOutNamespaces()
        }
    }

    /// Gives whoever asks, which only the container's owner can, this process's namespaces, in the order of the kinds. What
    /// cannot be opened comes without a descriptor and with the reason; whoever has gone meanwhile misses nothing.
    private func handOutNamespaces() {
        for (index, kind) in NamespaceKind.allCases.enumerated() {
            let file = unsafe swn_openat(AT_FDCWD, "/proc/self/ns/\(kind.rawValue)", O_RDONLY | O_CLOEXEC, 0)
            var record = InitRecord(.namespace)
            record.index = Int32(index)
            record.errno = file < 0 ? swn_errno() : 0
            let bytes = record.bytes
            _ = unsafe swn_send_descriptor(socket, bytes, bytes.count, file)
            if file >= 0 { close(file) }
        }
    }

    /// The first process of a pid namespace gets only signals that it has a handler for, also from outside
    /// (pid_namespaces(7)): who stops a container that has not been started would wait in vain. The exec takes the handlers
    /// away again.
    private func endAtSignals() {
        for number in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            _ = signal(number) { swn_exit_now(128 + $0) }
        }
    }

    private func execute(_ path: String, _ environment: CStringVector) {
        unsafe plan.command.arguments.withPointer { arguments in
            unsafe environment.withPointer { environment in
                _ = unsafe execve(path, arguments, environment)
            }
        }
    }

    private func set(
        _ stage: InitStage, _ body: () throws(SystemError) -> Void
    ) throws(InitFailure) {
        do throws(SystemError) { try body() } catch { throw InitFailure(stage, 0, error) }
    }
}
