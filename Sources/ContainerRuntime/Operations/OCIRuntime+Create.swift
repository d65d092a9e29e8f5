import CLinux
import Cgroups
import LinuxSystem
import RuntimeSpec
import SystemPackage

extension OCIRuntime {
    /// Makes a container that waits to be started by `start`, whether or not this process lives on.
    ///
    /// - Throws: `SpecError` for a document that cannot be done, `ContainerError` for a name that is taken,
    ///   `LaunchError` for a step that failed. Nothing is left then.
    public func create(_ options: CreateOptions) throws {
        // Whoever enters a container that waits finds this program as its first process.
        try ProtectedExecutable.ensure()
        let bundle = try Bundle(options)
        try bundle.requireConsole(options.consoleSocket, of: name, isDetached: true)
        _ = try make(bundle, options, isDetached: true) { container, stored, console, _ in
            if let terminal = console.take(), let socket = options.consoleSocket {
                try DescriptorSocket.send(terminal: terminal, to: socket)
            }
            if let socket = options.pidfdSocket { try container.sendProcess(to: socket) }
            _ = try container.detach()
            stored.unlock()
        }
    }

    /// Makes a container, starts it and waits for its end.
    ///
    /// - Parameters:
    ///   - keeps: Whether the container stays known afterwards, for `delete`.
    ///   - isLast: Whether this process ends then: what is open is left to the kernel to close.
    /// - Returns: The program's status as a shell reports it.
    public func run(_ options: CreateOptions, keeps: Bool = false, isLast: Bool = false) throws -> Int32 {
        let bundle = try Bundle(options)
        try bundle.requireConsole(options.consoleSocket, of: name, isDetached: false)
        // Without these nobody is in the container before its program is executed: `exec` waits for that.
        if bundle.sharesWritableFiles || bundle.mayBeEnteredEarly(usesSystemd) { try ProtectedExecutable.ensure() }
        // Before the launch, so that no signal is lost.
        let supervision = try Supervision()
        var notify: NotifySocket?
        let made = try make(bundle, options, isDetached: false) { container, stored, console, unwritten in
            if let socket = options.pidfdSocket { try container.sendProcess(to: socket) }
            notify = try options.notifySocket.flatMap { try NotifySocket(in: stored.directory, manager: $0) }
            var container = container
            if let unwritten {
                try container.giveGoAhead()
                try stored.write(unwritten)
            }
            var started = try container.start()
            debug?("init: closing the pipe to signal completion: \(options.identifier) executes its program")
            started.console = console.take()
            stored.unlock()
            return started
        }
        let status: Int32
        do {
            if bundle.spec.hooks?.poststart?.isEmpty == false {
                try runPoststart(bundle.spec, try state(options.identifier))
            }
            // Who is talked to while the container is removed has to see the end of what was said.
            let isQuiet = !made.record.hasHooks && made.record.unit == nil && made.record.resctrlGroups == nil
            status = try supervision.run(made.result, notify: notify, leavingOpen: isLast && isQuiet)
        } catch {
            try? delete(options.identifier, force: true)
            throw error
        }
        if !keeps { try delete(made.stored, ended: made.record, in: made.cgroup) }
        return status
    }

    /// What has been made, and what is known of it.
    private struct Made<Result: ~Copyable>: ~Copyable {
        let result: Result
        let stored: StoredContainer
        let record: StateRecord
        let cgroup: Cgroup?
    }

    /// What both have in common: all of it is undone when a step fails.
    ///
    /// - Parameter finish: Gets the record too, where it is to be written when the process is in its own root: until then
    ///   whoever found it there would enter the host's.
    private func make<Result: ~Copyable>(
        _ bundle: Bundle, _ options: CreateOptions, isDetached: Bool,
        _ finish: (
            _ container: consuming CreatedContainer, _ stored: borrowing StoredContainer, _ console: inout Descriptor?,
            _ unwritten: StateRecord?
        ) throws -> Result
    ) throws -> Made<Result> {
        let filter = try seccompProgram(bundle.spec)
        let landlock = try LandlockStep(bundle.spec, warn: warn)
        tellOmissions(bundle.spec)
        var control = try ResctrlGroup(bundle.spec, container: options.identifier)
        let stored = try store.reserve(options.identifier)
        var record = bundle.record(options.identifier)
        var cgroup: Cgroup?
        var devices: NetworkDevices.Moved?
        var pidFile: String?
        do {
            let place = try CgroupPlace(bundle.spec, options.identifier, usesSystemd)
            record.cgroupPath = place.path.description
            record.unit = place.unit?.name
            record.hasUserUnit = place.unit?.isUser
            // Nobody asks for what is there in a moment, and after a crash the document tells what there is to remove.
            let isSeen = isDetached || bundle.mayBeEnteredEarly(usesSystemd)
            if isSeen { try stored.write(record) }
            try stored.write(document: bundle.bytes)
            let unit = try StartedUnit(place, bundle.spec, container: options.identifier)
            record.cgroupPath = unit.path.description
            cgroup = try makeCgroup(unit.path, bundle.spec, isDetached)
            try bundle.spec.delegate(cgroup)
            debug?("cgroup: \(cgroup.map { "/\($0.path)" } ?? "none")")
            if cgroup?.path != unit.path { record.cgroupPath = cgroup?.path.description }
            if control != nil {
                defer { record.resctrlGroups = control?.made }
                try control?.make()
            }
            if control != nil { try stored.write(record) }
            let gate = try StartGate(in: stored.directory, isOpen: isDetached, isSeen: isSeen)
            var launch = try launchOptions(bundle, options, State(record, .creating), isDetached: isDetached)
            launch.seccomp = filter
            launch.landlock = landlock
            launch.startListener = gate.listenerNumber
            launch.waitingDescriptor = gate.waitingNumber
            launch.lockDescriptor = stored.directory.rawValue
            if !bundle.spec.ownsMounts { launch.place = try RootPlace(in: stored.directory) }
            var spec = bundle.spec
            if options.notifySocket != nil { try NotifySocket.add(to: &spec, in: stored.directory) }
            launch.cgroup.unit = record.unitJoin(cgroup)
            let isAwaited = isSeen || options.handsOutProcess || bundle.spec.process?.terminal == true
            var container = try launchContainer(spec, launch, cgroup, isAwaited: isAwaited, &devices)
            record.pid = container.processIdentifier
            record.startTime = ProcessHandle.startTime(of: record.pid) ?? 0
            try control?.add(process: record.pid)
            if isAwaited { try stored.write(record) }
            // The container is in it.
            _ = consume unit
            var console = container.takeConsole()
            // From here on only the container's process keeps the lock that says it waits.
            _ = consume gate
            if let path = options.pidFile {
                try PIDFile.write(record.pid, to: path)
                pidFile = path
            }
            let result = try finish(container, stored, &console, isAwaited ? nil : record)
            return Made(result: result, stored: stored, record: record, cgroup: cgroup)
        } catch {
            if let pidFile { PIDFile.remove(pidFile) }
            devices?.restore()
            if let cgroup { try? Self.remove(cgroup) }
            if let groups = record.resctrlGroups { try? ResctrlGroup.remove(groups) }
            // A unit of this name that was there is somebody else's.
            if cgroup != nil { try? record.stopUnit() }
            try? stored.remove()
            // A container whose hooks have begun ends as others do (runtime.md, "Lifecycle", steps 3 to 5 and 13).
            if (error as? LaunchError)?.isOfHook == true { runPoststop(bundle.spec, State(record, .stopped)) }
            throw Self.explain(error, bundle.spec)
        }
    }

    private func launchOptions(
        _ bundle: Bundle, _ options: CreateOptions, _ state: State, isDetached: Bool
    ) throws -> LaunchOptions {
        var launch = LaunchOptions(bundle: bundle.path, parentDeathSignal: isDetached ? 0 : 9)
        launch.preservedDescriptors = options.preservedDescriptors
        launch.makesKeyring = options.makesKeyring
        launch.pivots = options.pivots
        launch.relaysTerminal = !isDetached
        launch.keepsGroups = bundle.spec.keepsGroups
        launch.hookState = state
        launch.seccompListener = try SeccompListener(bundle.spec.linux?.seccomp, state: state)
        return launch
    }

    /// Says what of the document does nothing on this host.
    private func tellOmissions(_ spec: Spec) {
        if let capabilities = spec.process?.capabilities {
            for text in CapabilityStep.warnings(capabilities) { warn(text) }
        }
        for text in DeviceRule.warnings(spec.linux?.resources?.devices) { warn(text) }
        if let label = spec.linux?.mountLabel, !label.isEmpty, !LabelStep.hasSELinux {
            warn("linux.mountLabel '\(label)' is left out: SELinux is not enabled on this host")
        }
        if let kernel = spec.linux?.resources?.memory?.kernel, kernel > 0 {
            // Its file in v1 takes any number and does nothing with it (Documentation/admin-guide/cgroup-v1/memory.rst).
            warn("linux.resources.memory.kernel '\(kernel)' is left out: Linux has no such limit since 5.16")
        }
    }

    /// Says which capabilities of the document the process will not have: there is no error for that (config.md, "Process").
    func tellUnavailable(_ process: ProcessPlan) {
        let missing = process.unavailableCapabilities
        if missing.rawValue == 0 { return }
        let names = CapabilitySet.names.enumerated().filter { missing.rawValue & 1 << UInt64($0.offset) != 0 }
        let list = names.map(\.element).joined(separator: " ")
        warn("ignoring unknown or unavailable capabilities: [\(list)]")
    }

    /// Says where a new process is, with runc's names for it, which people know from its log.
    func tellBeginning(_ process: Int32) {
        debug?("nsexec container setup: process \(process) is in its namespaces")
        debug?("child process in init(): \(process) makes what its program is to find")
    }

    /// A process that is killed before its program begins has nobody else to fear.
    private static func explain(_ error: any Error, _ spec: Spec) -> any Error {
        guard var failure = error as? LaunchError, failure.errno == ECHILD,
            let limit = spec.linux?.resources?.memory?.limit, limit > 0
        else { return error }
        failure.description += " (linux.resources.memory.limit: is a limit of \(limit) bytes too low?)"
        return failure
    }

    /// Launches the container and runs its hooks, until it only waits for the go-ahead.
    ///
    /// - Parameter isAwaited: Whether somebody is told of the container before it starts. Otherwise it finds the go-ahead
    ///   when it asks for it, and is recorded while it goes on: each waiting for the other costs a processor's wake-up.
    private func launchContainer(
        _ spec: Spec, _ options: LaunchOptions, _ cgroup: Cgroup?, isAwaited: Bool,
        _ devices: inout NetworkDevices.Moved?
    ) throws -> CreatedContainer {
        func launch(_ plan: InitPlan) throws -> CreatedContainer {
            var container = try Launcher.create(plan)
            tellUnavailable(plan.process)
            tellBeginning(container.processIdentifier)
            do {
                devices = try moveDevices(spec, to: container)
            } catch let error as SystemError where error.errno == .noSuchFileOrDirectory {
                // The process has ended, and says why.
                try container.waitUntilReady()
                throw error
            }
            try container.runHooks(plan.hooks)
            if isAwaited { try container.waitUntilReady() }
            return container
        }
        guard let cgroup, options.cgroup.unit == nil else {
            return try launch(try InitPlan(spec: spec, options: options))
        }
        // Who is to be in the user namespace of another is made there, and in that one's cgroup namespace already.
        let isInside = spec.linux?.namespace(.cgroup)?.path != nil && spec.linux?.namespace(.user) != nil
        let entrance = try cgroup.entrance(inside: [], byWriting: isInside)
        var options = options
        options.cgroup = CgroupJoin(entrance)
        if spec.linux?.namespace(.cgroup) == nil {
            // It was made in all of them.
            options.cgroup.places = cgroup.root.hierarchies.map {
                HierarchyPlace(mountPoint: $0.mountPoint, path: "\($0.mountPoint)/\(cgroup.path)")
            }
        }
        return try launch(try InitPlan(spec: spec, options: options))
    }

    func seccompProgram(_ spec: Spec) throws -> SeccompProgram? {
        guard let seccomp = spec.linux?.seccomp else { return nil }
        let mark = spec.annotations?["run.oci.seccomp_fail_unknown_syscall"] ?? "0"
        let filter: SeccompFilter
        do throws(SeccompError) {
            filter = try SeccompFilter(seccomp, refusingUnknownNames: mark != "0")
        } catch {
            throw SpecError("linux.seccomp", "\(error)")
        }
        for name in filter.ineffectiveNames {
            warn("seccomp: the rule for \(name) is left out: libseccomp does not know this system call")
        }
        debug?("seccomp filter flags: \(filter.flags.rawValue)")
        do {
            return try seccompCache?.program(for: filter) ?? filter.compile()
        } catch let error as SeccompError where error.errno == .invalidArgument {
            throw SpecError("linux.seccomp", "\(error)")
        }
    }

    private func makeCgroup(_ path: CgroupPath, _ spec: Spec, _ isDetached: Bool) throws -> Cgroup? {
        let limits = try (spec.linux?.resources).map { try CgroupLimits($0) } ?? CgroupLimits()
        // An engine looks there for what the container uses.
        let isEngines = isDetached || !(spec.linux?.cgroupsPath ?? "").isEmpty
        func make(_ path: CgroupPath, _ root: CgroupRoot) throws(CgroupError) -> Cgroup {
            var tracking: Set<CgroupController> = isEngines ? [.cpu, .memory, .pids, .io, .freezer, .cpuset] : []
            // Where it costs no hierarchy, a container that shares out its cgroup finds in it what the host has to give.
            if isEngines, !usesSystemd, root.mode == .unified { tracking = Set(CgroupController.allCases) }
            return try Cgroup.create(
                path, limits: limits, tracking: root.available(tracking),
                // systemd knows its processes by a hierarchy that controls nothing.
                everywhere: usesSystemd || spec.linux?.namespace(.cgroup) == nil, isInhabited: usesSystemd, root: root)
        }
        do {
            return usesSystemd ? try make(path, try CgroupRoot.find()) : try cgroups.cgroup(for: spec, path, make: make)
        } catch let error as CgroupError {
            throw spec.linux?.resources?.explain(error) ?? error
        }
    }
}
