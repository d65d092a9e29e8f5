import Cgroups
import CLinux
import LinuxSystem
public import RuntimeSpec
import SystemPackage

/// The operations of the OCI runtime specification on containers that other commands made, or will find.
///
/// Each is safe against another process doing the same at the same time, and leaves behind nothing that `delete`
/// does not find, wherever it is killed.
public struct OCIRuntime: Sendable {
    public var store: ContainerStore
    /// What it is called in what it says.
    public var name = "swrun"
    /// Where compiled filters are kept.
    public var seccompCache: SeccompCache?
    public var cgroups: CgroupUse
    /// Moves interfaces of the host into containers; nil refuses documents that ask for it.
    public var networkDevices: NetworkDevices?
    /// Told what goes wrong without being an error.
    public var warn: @Sendable (String) -> Void = { _ in }
    /// Told what is done, step by step; nil where nobody wants to know, and then nothing is put into words either.
    public var debug: (@Sendable (String) -> Void)?
    /// Whether systemd makes the cgroups: `cgroupsPath` is `slice:prefix:name` then.
    public var usesSystemd: Bool

    public init(
        store: ContainerStore, seccompCache: SeccompCache? = nil, cgroups: CgroupUse = .automatic,
        usesSystemd: Bool = false
    ) {
        self.store = store
        self.seccompCache = seccompCache
        self.cgroups = cgroups
        self.usesSystemd = usesSystemd
    }

    /// What runc's `state` prints about a container.
    public func state(_ identifier: String) throws -> State {
        let container = try store.open(identifier)
        let record = try container.record()
        return State(record, try container.status(of: record, in: try record.cgroup))
    }

    /// Every container that can be read, by name. Of others there is a warning, in runc's words, unless they are being made
    /// or removed at this moment.
    public func list() throws -> [State] {
        try store.identifiers().compactMap { identifier in
            do {
                return try state(identifier)
            } catch {
                if (error as? ContainerError)?.kind != .notFound { warn("load container \(identifier): \(error)") }
                return nil
            }
        }
    }

    /// Lets a created container's program run.
    ///
    /// - Parameter notifySocket: The socket of the service manager that wants to know when the program is ready, which is
    ///   waited for then; nil where nobody does.
    /// - Throws: `ContainerError` for a container in another state; `LaunchError` when its program cannot be executed.
    public func start(_ identifier: String, notifySocket: String? = nil) throws {
        let container = try store.open(identifier)
        try container.lock()
        let record = try container.record()
        switch try container.status(of: record, in: nil) {
        case .created:
            // It could not answer, and this would wait with the lock that everybody else needs.
            guard record.mayBePaused == true, try container.status(of: record, in: try record.cgroup) == .paused else {
                break
            }
            throw Self.startOfPaused
        case .stopped: throw ContainerError(.wrongState, "cannot start a container that has stopped")
        case .running, .paused:
            if try container.status(of: record, in: try record.cgroup) == .paused { throw Self.startOfPaused }
            throw ContainerError(.wrongState, "cannot start an already running container")
        case .creating: throw ContainerError(.wrongState, "cannot start a container that is being created")
        }
        let notify = try notifySocket.flatMap { try NotifySocket(in: container.directory, manager: $0) }
        // Before it can end, and its number be another's.
        let process = notify == nil ? nil : SharedDescriptor(try container.process(of: record).pidfd.duplicate())
        do {
            let failure = try StartGate.open(in: container.directory) { listener in
                let taker = try SeccompListener(try container.spec().linux?.seccomp, state: State(record, .running))
                do throws(SystemError) {
                    try taker?.handOver(listener, process: record.pid, status: .running)
                } catch {
                    throw LaunchError(error)
                }
            }
            if let failure {
                let error = try Self.explain(failure, try container.spec())
                // The container ends and goes (runtime.md, "Lifecycle", step 7).
                if failure.stage == .hook {
                    container.unlock()
                    try? delete(identifier, force: true)
                }
                throw error
            }
            try container.waitUntilExecuted()
            debug?("init: closing the pipe to signal completion: \(identifier) executes its program")
        } catch let error as SystemError {
            guard error.errno == .connectionRefused || error.errno == .connectionReset else { throw error }
            throw ContainerError(.wrongState, "cannot start a container that has stopped")
        }
        if record.hasHooks {
            do {
                try runPoststart(try container.spec(), State(record, .running))
            } catch {
                container.unlock()
                try? delete(identifier, force: true)
                throw error
            }
        }
        guard let notify, let process else { return }
        // It may take long, and the container be deleted meanwhile.
        container.unlock()
        try notify.waitUntilReady(process.descriptor, number: record.pid)
    }

    private static let startOfPaused = ContainerError(.wrongState, "cannot start a container in the paused state")

    /// Runs the hooks that follow the start of the program. The first that fails is the end of the container, says the
    /// specification since 1.2.1 (runtime.md, "Lifecycle").
    func runPoststart(_ spec: Spec, _ state: State) throws {
        guard let hooks = spec.hooks, hooks.poststart?.isEmpty == false else { return }
        let plan = try HookPlan(hooks, state: state)
        try HookRun.run(plan.poststart, state: plan.text(state.status, state.pid ?? 0), in: state.bundle)
    }

    /// Runs the hooks that follow the end of the container, whose failure changes nothing any more: it is only told.
    func runPoststop(_ spec: Spec, _ state: State) {
        guard let hooks = spec.hooks, let plan = try? HookPlan(hooks, state: state) else { return }
        for hook in plan.poststop {
            do throws(HookFailure) {
                try HookRun.run([hook], state: plan.text(state.status, state.pid ?? 0), in: state.bundle)
            } catch {
                // The words that crun has for it, which some look for.
                let words = error.status.map { "poststop hook failed with exit code \($0): " } ?? ""
                warn(words + error.description)
            }
        }
    }

    /// Puts the record of a process that another command has launched into words.
    private static func explain(_ record: InitRecord, _ spec: Spec) throws -> LaunchError {
        guard let process = spec.process else { throw ContainerError(.failed, "config.json: process is missing") }
        return try ProcessPlan(process, options: LaunchOptions(bundle: "/")).error(record)
    }

    /// Sends a signal to the container's first process, or to every process of its cgroup.
    ///
    /// - Throws: `ContainerError` for a container that has stopped, unless all are meant.
    public func kill(_ identifier: String, signal: Int32, all: Bool) throws {
        let container = try store.open(identifier)
        let record = try container.record()
        let status = try container.status(of: record, in: nil)
        debug?(
            "signal \(signal) to \(all ? "all processes" : "the first process") of \(identifier), \(status.rawValue)")
        if all {
            try signalAll(record, signal)
        } else if signal == SIGKILL, (try? container.spec())?.hasOwnProcesses != true, let cgroup = try record.cgroup,
            cgroup.exists
        {
            // Nobody else ends them: the kernel does so only in a pid namespace whose first process has ended. A document
            // that is damaged does not tell whether it has one.
            let isRunning = status == .running || status == .created || status == .paused
            guard try isRunning || !cgroup.isEmpty() else { throw ContainerError.notRunning }
            try cgroup.kill()
            // It may be in another cgroup by now.
            if isRunning { try? container.process(of: record).send(signal: signal) }
        } else {
            guard status == .running || status == .created else { throw ContainerError.notRunning }
            do {
                try container.process(of: record).send(signal: signal)
            } catch let error as SystemError where error.errno == .noSuchProcess {
                throw ContainerError.notRunning
            }
        }
        // cgroup v1 keeps a killed process frozen.
        if signal == SIGKILL, let cgroup = try record.cgroup, (try? cgroup.isFrozen()) == true { try cgroup.thaw() }
    }

    private func signalAll(_ record: StateRecord, _ signal: Int32) throws {
        guard let cgroup = try record.cgroup, cgroup.exists else {
            for process in ProcessSearch.processes(besides: record.pid) {
                try? ProcessHandle(processIdentifier: process).send(signal: signal)
            }
            return
        }
        if signal == SIGKILL { return try cgroup.kill() }
        for process in try cgroup.processes() {
            // One that ends meanwhile needs no signal.
            try? ProcessHandle(processIdentifier: process).send(signal: signal)
        }
    }

    /// Stops every process of the container until `resume`.
    public func pause(_ identifier: String) throws {
        let container = try store.open(identifier)
        try container.lock()
        let record = try container.record()
        let cgroup = try record.cgroup
        let status = try container.status(of: record, in: cgroup)
        guard status == .running || status == .created else { throw ContainerError.notRunning }
        guard let cgroup else {
            throw ContainerError(.failed, "cannot pause a container without a cgroup")
        }
        if status == .created {
            var paused = record
            paused.mayBePaused = true
            try container.write(paused)
        }
        try cgroup.freeze()
    }

    public func resume(_ identifier: String) throws {
        let container = try store.open(identifier)
        try container.lock()
        let record = try container.record()
        guard let cgroup = try record.cgroup, try container.status(of: record, in: cgroup) == .paused else {
            throw ContainerError(.wrongState, "container not paused")
        }
        try cgroup.thaw()
    }

    /// The container's processes, as this process's pid namespace numbers them.
    public func processes(_ identifier: String) throws -> [Int32] {
        let container = try store.open(identifier)
        let record = try container.record()
        // Without a pid namespace of its own a container may have processes when its first one is gone.
        if let cgroup = try record.cgroup, cgroup.exists { return try cgroup.processes().sorted() }
        guard try container.status(of: record, in: nil) != .stopped else { return [] }
        return try container.spec().hasOwnProcesses ? ProcessSearch.processes(besides: record.pid) : [record.pid]
    }

    /// Changes the limits of a container that has not stopped. What was changed before one that is refused is taken back.
    ///
    /// Rules of devices are left as they are, as by runc: an engine that changes a limit sends all that it knows of a
    /// container, and cgroup v1 would deny every device between the first rule and the last.
    ///
    /// - Parameter control: Other shares of caches and bandwidth for its group of resctrl.
    public func update(
        _ identifier: String, _ resources: Spec.Linux.Resources, _ control: Spec.Linux.IntelRDT? = nil
    ) throws {
        var resources = resources
        resources.devices = nil
        let (record, cgroup) = try controlled(identifier)
        guard let cgroup else { throw ContainerError(.failed, "cannot limit a container without a cgroup") }
        try resources.validate()
        resources.omitZeros(version: record.ociVersion)
        let limits = try CgroupLimits(resources)
        guard var settings = control else { return try update(cgroup, of: record, resources, limits) }
        var spec = try store.open(identifier).spec()
        settings.closID = spec.linux?.intelRdt?.closID
        spec.linux = spec.linux ?? Spec.Linux()
        spec.linux?.intelRdt = settings
        let group = try ResctrlGroup(spec, container: identifier)
        let before = try group?.update() ?? []
        do {
            try update(cgroup, of: record, resources, limits)
        } catch {
            group?.putBack(before)
            throw error
        }
    }

    /// The cgroup's limits, and what systemd knows of them where it has made the cgroup.
    private func update(
        _ cgroup: Cgroup, of record: StateRecord, _ resources: Spec.Linux.Resources, _ limits: CgroupLimits
    ) throws {
        let before = record.unit == nil ? nil : cgroup.limitsOfUnit()
        let change = try record.updateUnit(resources)
        // What systemd has written is rounded.
        before?.putBack()
        do throws(CgroupError) {
            try cgroup.update(limits)
        } catch {
            change?.takeBack()
            before?.putBack()
            throw resources.explain(error)
        }
    }

    /// What the container has used so far.
    public func statistics(_ identifier: String) throws -> ContainerStatistics {
        let (_, cgroup) = try controlled(identifier)
        guard let cgroup else { throw ContainerError(.failed, "a container without a cgroup has no statistics") }
        return ContainerStatistics(try cgroup.statistics(), ResctrlGroup.of(try store.open(identifier)))
    }

    private func controlled(_ identifier: String) throws -> (StateRecord, Cgroup?) {
        let container = try store.open(identifier)
        let record = try container.record()
        guard try container.status(of: record, in: nil) != .stopped else {
            throw ContainerError.notRunning
        }
        return (record, try record.cgroup)
    }
}

extension State {
    init(_ record: StateRecord, _ status: Status) {
        self.init(
            ociVersion: record.ociVersion, id: record.id, status: status, pid: status == .stopped ? 0 : record.pid,
            bundle: record.bundle, annotations: record.annotations)
        rootfs = record.rootfs
        created = record.created
        // Only the superuser's name is certain without asking the host's user database.
        owner = record.owner == 0 ? "root" : "\(record.owner)"
    }
}
