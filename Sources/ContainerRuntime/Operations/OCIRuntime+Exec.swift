import Cgroups
import CLinux
import LinuxSystem
import RuntimeSpec

extension OCIRuntime {
    /// Runs a further process in a container that runs.
    ///
    /// - Returns: Its status as a shell reports it; 0 at once for a detached one.
    public func exec(_ options: ExecOptions) throws -> Int32 {
        let stored = try store.open(options.identifier)
        let record = try stored.record()
        let cgroup = try record.cgroup
        let status = try stored.status(of: record, in: cgroup)
        switch status {
        case .created: break
        case .running: try stored.waitUntilBegun()
        case .paused where options.ignoresPause: try stored.waitUntilBegun()
        case .paused:
            throw ContainerError(
                .wrongState, "cannot exec in a paused container (use --ignore-paused to override)")
        case .stopped, .creating: throw ContainerError(.wrongState, "cannot exec in a stopped container")
        }
        let spec = try stored.spec()
        let process = try options.process(in: spec)
        try options.requireConsole(process, of: name)
        // What the container's own say was told when it was made.
        if process.capabilities != spec.process?.capabilities {
            if let capabilities = process.capabilities {
                for text in CapabilityStep.warnings(capabilities) { warn(text) }
            }
        }
        let target = try stored.process(of: record)
        var launch = LaunchOptions(
            bundle: record.bundle, seccomp: try seccompProgram(spec), parentDeathSignal: options.isDetached ? 0 : 9)
        launch.seccompListener = try SeccompListener(spec.linux?.seccomp, state: State(record, .running))
        launch.preservedDescriptors = options.preservedDescriptors
        launch.keepsGroups = spec.keepsGroups
        // What was left out was told when the container was made.
        launch.landlock = try LandlockStep(spec) { _ in }
        launch.relaysTerminal = !options.isDetached
        launch.personality = spec.linux?.personality
        launch.memoryPolicy = spec.linux?.memoryPolicy
        if spec.linux?.namespace(.user) != nil { launch.ownNamespaces.insert(.user) }
        if spec.linux?.namespace(.time) != nil { launch.ownNamespaces.insert(.time) }
        if status == .created, launch.ownNamespaces.contains(.user), geteuid() != 0 {
            launch.namespaces = try StartGate.namespaces(in: stored.directory)
        }
        launch.sharesMounts = !spec.ownsMounts
        launch.cgroup.unit = record.unitJoin(cgroup) { cgroup in
            (options.cgroups.last ?? CgroupSubpath(in: cgroup, beside: record.pid))?.components ?? []
        }
        let control = try ResctrlGroup(spec, container: record.id)
        if options.isDetached {
            _ = try start(process, in: target, launch, options, cgroup, control)
            return 0
        }
        // Before the launch, so that no signal is lost.
        let supervision = try Supervision()
        return try supervision.run(try start(process, in: target, launch, options, cgroup, control))
    }

    private func start(
        _ process: Spec.Process, in target: borrowing ProcessHandle, _ launch: LaunchOptions, _ options: ExecOptions,
        _ cgroup: Cgroup?, _ control: ResctrlGroup?
    ) throws -> StartedContainer {
        guard let cgroup, cgroup.exists else {
            guard options.cgroups.isEmpty else {
                throw ContainerError(.failed, "a container without a cgroup has none inside (--cgroup)")
            }
            return try start(ExecPlan(process: process, in: target, options: launch), options, control)
        }
        let entrance =
            options.cgroups.isEmpty
            ? try cgroup.entrance(beside: target.processIdentifier) : try cgroup.entrance(inside: options.cgroups)
        var launch = launch
        if launch.cgroup.unit == nil { launch.cgroup = CgroupJoin(entrance) }
        return try start(ExecPlan(process: process, in: target, options: launch), options, control)
    }

    private func start(
        _ plan: ExecPlan, _ options: ExecOptions, _ control: ResctrlGroup?
    ) throws -> StartedContainer {
        if let debug, !plan.process.scheduling.initialProcessors.isEmpty {
            debug("nsexec: affinity: \(plan.process.scheduling.initialProcessors)")
        }
        var made = try Launcher.enter(plan)
        tellUnavailable(plan.process)
        tellBeginning(made.processIdentifier)
        try control?.add(process: made.processIdentifier)
        try made.waitUntilReady()
        if let pidFile = options.pidFile { try PIDFile.write(made.processIdentifier, to: pidFile) }
        if let socket = options.pidfdSocket { try made.sendProcess(to: socket) }
        if let socket = options.consoleSocket, let terminal = made.takeConsole() {
            try DescriptorSocket.send(terminal: terminal, to: socket)
        }
        debug?("setns_init: about to exec \(plan.process.command.name)")
        return try made.start()
    }
}

extension ExecOptions {
    /// The document given, or the container's own with what the command line changes.
    fileprivate func process(in spec: Spec) throws(ContainerError) -> Spec.Process {
        var result: Spec.Process
        if let process {
            result = process
            // Those of the container, as with runc and crun.
            if result.capabilities == nil { result.capabilities = spec.process?.capabilities }
        } else {
            guard let own = spec.process else { throw ContainerError(.failed, "config.json: process is missing") }
            result = own
            result.args = arguments
            result.terminal = false
        }
        if let workingDirectory { result.cwd = workingDirectory }
        if !environment.isEmpty { result.env = (result.env ?? []) + environment }
        if let user { result.user = user }
        if !additionalGroups.isEmpty {
            var user = result.user ?? Spec.User()
            user.additionalGids = (user.additionalGids ?? []) + additionalGroups
            result.user = user
        }
        if let apparmorProfile { result.apparmorProfile = apparmorProfile }
        if let selinuxLabel { result.selinuxLabel = selinuxLabel }
        if let noNewPrivileges { result.noNewPrivileges = noNewPrivileges }
        if let hasTerminal { result.terminal = hasTerminal }
        if !capabilities.isEmpty { result.capabilities = (result.capabilities ?? .init()).adding(capabilities) }
        if listenDescriptors > 0 {
            let names = listenNames.map { ["LISTEN_FDNAMES=\($0)"] } ?? []
            result.env = (result.env ?? []) + ["LISTEN_FDS=\(listenDescriptors)", "LISTEN_PID=1"] + names
        }
        return result
    }

    fileprivate func requireConsole(_ process: Spec.Process, of name: String) throws(ContainerError) {
        if isDetached, process.terminal ?? false, consoleSocket == nil {
            throw ContainerError(
                .invalid, "cannot allocate tty if \(name) will detach without setting console socket (--console-socket)"
            )
        }
        if consoleSocket != nil, !(isDetached && process.terminal ?? false) {
            throw ContainerError(
                .invalid, "cannot use console socket if \(name) will not detach or allocate tty (--tty)")
        }
    }
}

extension Spec.Capabilities {
    /// As runc adds them: to every set in which a process can use them, and not to those that it hands on, unless it does.
    fileprivate func adding(_ names: [String]) -> Spec.Capabilities {
        var sets = self
        sets.bounding = (bounding ?? []) + names
        sets.effective = (effective ?? []) + names
        sets.permitted = (permitted ?? []) + names
        // Those that the container's programs hand on anyway.
        sets.ambient = (ambient ?? []) + names.filter { (inheritable ?? []).contains($0) }
        return sets
    }
}
