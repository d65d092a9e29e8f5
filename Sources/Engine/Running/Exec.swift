import Cgroups
import CLinux
import ContainerRuntime
import LinuxSystem
import RuntimeSpec
import SystemPackage

extension Engine {
    /// Runs a process in a container that runs, with the container's own limits, capabilities and filter.
    ///
    /// - Returns: Its exit code; 0 at once for a detached one.
    public func exec(_ options: ExecOptions, in container: Container) throws -> Int32 {
        guard container.isRunning, let target = try process(of: container) else {
            throw EngineError(.conflict, "container \(container.record.name) is not running")
        }
        if let directory = options.workingDirectory, !directory.hasPrefix("/") {
            throw EngineError(.invalid, "working directory '\(directory)' is not an absolute path")
        }
        var record = container.record
        if options.isPrivileged {
            record.capabilities = CapabilityName.all
            record.isPrivileged = true
        }
        let users = try UserDatabase(root: .directory("/proc/\(target.processIdentifier)/root"))
        let user = try users.user(options.user ?? record.user)
        let process = process(options, record, user)
        let cgroup = Cgroup(
            try CgroupPath(ContainerSpec.cgroupPath(of: record.id)), root: try CgroupRoot.find())
        let entrance = try cgroup.entrance(beside: target.processIdentifier)
        var launch = LaunchOptions(
            bundle: "/", cgroup: CgroupJoin(descriptors: entrance.taskFiles, directory: entrance.directory),
            seccomp: try seccompFilter(record))
        if options.isDetached {
            let null = try Descriptor.open("/dev/null", O_RDWR)
            launch.streams = .descriptors(input: null.rawValue, output: null.rawValue, error: null.rawValue)
            // It belongs to the container and not to the command that started it.
            launch.parentDeathSignal = 0
            _ = try enter(ExecPlan(process: process, in: target, options: launch))
            return 0
        }
        var session = try session(options, process, target, launch, owner: user.uid)
        let code = try session.run()
        session.deliver()
        return code
    }

    private func session(
        _ options: ExecOptions, _ process: Spec.Process, _ target: borrowing ProcessHandle, _ launch: LaunchOptions,
        owner: UInt32
    ) throws -> ForegroundSession {
        var launch = launch
        let signals = try SignalQueue()
        if options.hasTerminal {
            var started = try enter(ExecPlan(process: process, in: target, options: launch))
            guard let console = started.console.take() else {
                throw EngineError(.failed, "the runtime made no terminal")
            }
            let channels = try ForegroundSession.Channels(console: console, isInteractive: options.isInteractive)
            return ForegroundSession(started.release(), signals: signals, channels: channels, log: nil)
        }
        let streams = try ContainerStreams(isInteractive: options.isInteractive, owner: owner)
        launch.streams = streams.forChild
        let started = try enter(ExecPlan(process: process, in: target, options: launch))
        return ForegroundSession(started.release(), signals: signals, channels: streams.channels(), log: nil)
    }

    private func enter(_ plan: ExecPlan) throws -> StartedContainer {
        do {
            return try Launcher.enter(plan).start()
        } catch {
            throw EngineError(error)
        }
    }

    private func process(_ options: ExecOptions, _ record: ContainerRecord, _ user: ContainerUser) -> Spec.Process {
        let description = ContainerSpec(record: record, identity: user, directory: "", hostFiles: "", network: .own)
        var environment = EnvironmentList(record.environment)
        if options.hasTerminal { environment.set("TERM=xterm") }
        for variable in options.environment { environment.set(variable) }
        var process = description.process(options.arguments, environment: environment.variables)
        process.cwd = options.workingDirectory.map(normalizedPath) ?? record.workingDirectory
        process.terminal = options.hasTerminal
        process.consoleSize = CallerTerminal.size(of: 0)
        process.rlimits = nil
        return process
    }
}

extension EngineError {
    /// The kind follows from docker's exit code.
    init(_ error: LaunchError) {
        let kind: Kind = error.exitCode == 127 ? .commandNotFound : error.exitCode == 126 ? .cannotExecute : .failed
        self.init(kind, error.description)
    }
}
