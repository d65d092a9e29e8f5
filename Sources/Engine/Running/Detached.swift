import CLinux
import ContainerRuntime
public import LinuxSystem
import SystemPackage

extension Engine {
    /// Runs a container in the background.
    ///
    /// A child of this process becomes the container's supervisor: it starts the container, reports, and then executes
    /// the monitor in its own place, so that the container's parent stays the same process.
    /// - Returns: The container's id, when its command runs.
    /// - Throws: What failed before that; nothing is left.
    public func runDetached(_ options: RunOptions) throws -> String {
        let monitor = try openSibling("swbox-monitor")
        let report = try Pipe()
        var pidfd: Int32 = -1
        let pid = swn_clone3(0, SIGCHLD, &pidfd, -1)
        guard pid >= 0 else { throw SystemError("start a supervisor", errno: .last) }
        if pid == 0 {
            supervise(options, monitor: monitor, report: report)
            return ""
        }
        let supervisor = ProcessHandle(owning: Descriptor(owning: pidfd), processIdentifier: pid)
        return try readReport(report, supervisor)
    }

    private func readReport(_ report: consuming Pipe, _ supervisor: consuming ProcessHandle) throws -> String {
        let bytes = try report.intoReader().readAll(limit: 1 << 20)
        guard let kind = bytes.first, let report = SupervisorReport(rawValue: kind) else {
            _ = try? supervisor.wait()
            throw EngineError(.failed, "the container's supervisor was killed before the container ran")
        }
        let text = String(decoding: bytes.dropFirst(), as: UTF8.self)
        if let error = report.error(text) {
            _ = try? supervisor.wait()
            throw error
        }
        return text
    }

    private func supervise(_ options: RunOptions, monitor: borrowing Descriptor, report: consuming Pipe) {
        let writer = report.intoWriter()
        // Out of the caller's session: neither its terminal's signals nor its end are the container's business.
        setsid()
        do {
            try tieToCaller(writer)
            try startAndBecomeMonitor(options, monitor: monitor, report: writer)
        } catch {
            let kind = SupervisorReport(error)
            try? writer.writeAll([kind.rawValue] + Array("\(error)".utf8))
        }
        // Not `_exit` itself: what follows a call that never returns, such as closing the descriptors here, is a warning.
        Executable.end(125)
    }

    /// Until the container is handed over, it dies with the command that was to start it: who kills that must not find
    /// it running a moment later.
    private func tieToCaller(_ report: borrowing Descriptor) throws {
        guard swn_prctl(PR_SET_PDEATHSIG, UInt(SIGKILL), 0, 0, 0) == 0 else {
            throw SystemError("tie the supervisor to its caller", errno: .last)
        }
        // A caller that died before the call sends no signal, but nobody reads the report any more.
        var state = pollfd(fd: report.rawValue, events: 0, revents: 0)
        if poll(&state, 1, 0) > 0, state.revents & Int16(POLLERR) != 0 { Executable.end(125) }
    }

    /// Says that the container runs. From here on it outlives the caller.
    private func handOver(_ container: borrowing PreparedContainer, _ report: borrowing Descriptor) throws {
        guard swn_prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) == 0 else {
            throw SystemError("untie the supervisor from its caller", errno: .last)
        }
        try report.writeAll([SupervisorReport.ready.rawValue] + Array(container.record.id.utf8))
    }

    private func startAndBecomeMonitor(
        _ options: RunOptions, monitor: borrowing Descriptor, report: borrowing Descriptor
    ) throws {
        let program = try Descriptor.open("/proc/self/exe", O_PATH)
        let container = try prepare(options)
        do {
            let log = try LogFile.open(path: "\(containers.directory(of: container.record.id))/log")
            if container.record.hasTerminal {
                var started = try launch(container, streams: .inherited)
                guard let console = started.console.take() else {
                    throw EngineError(.failed, "the runtime made no terminal")
                }
                try handOver(container, report)
                becomeMonitor(
                    monitor, container, program: program.rawValue, log: log.rawValue,
                    pidfd: started.process.pidfd.rawValue, output: console.rawValue, error: -1)
                throw EngineError(.failed, "cannot execute swbox-monitor")
            }
            let streams = try ContainerStreams(
                isInteractive: container.record.isInteractive, owner: container.identity.uid)
            let started = try launch(container, streams: streams.forChild)
            try handOver(container, report)
            becomeMonitor(
                monitor, container, program: program.rawValue, log: log.rawValue,
                pidfd: started.process.pidfd.rawValue, output: streams.output.rawValue, error: streams.error.rawValue,
                input: streams.inputNumber)
            throw EngineError(.failed, "cannot execute swbox-monitor")
        } catch {
            try? abandon(container)
            throw error
        }
    }

    /// Executes the monitor with the descriptors that it needs, and the lock, which thereby stays held. Returns only
    /// when that fails.
    private func becomeMonitor(
        _ monitor: borrowing Descriptor, _ container: borrowing PreparedContainer, program: Int32, log: Int32,
        pidfd: Int32, output: Int32, error: Int32, input: Int32 = -1
    ) {
        let lock = container.lock.file.rawValue
        let namespace = container.openNamespace.number
        // The write end of the container's input stays open, unused, for a container that waits on it.
        for descriptor in [lock, program, log, pidfd, output, error, input, namespace ?? -1] where descriptor >= 0 {
            _ = swn_fcntl(descriptor, F_SETFD, 0)
        }
        let null = swn_openat(AT_FDCWD, "/dev/null", O_RDWR, 0)
        for stream in Int32(0)...2 { dup2(null, stream) }
        if null > 2 { close(null) }
        chdir("/")
        Executable.run(
            monitor.rawValue,
            ["swbox-monitor", "\(pidfd)", "\(output)", "\(error)", "\(log)", "\(program)"]
                + ["swbox", "--root", roots.state, "--run-root", roots.run, "finish", container.record.id, "\(lock)"]
                + (namespace.map { ["\($0)"] } ?? []),
            environment: [])
    }

    /// A program of ours that lies beside this one.
    public func openSibling(_ name: String) throws -> Descriptor {
        let path = try Executable.siblingPath(name)
        do {
            return try Descriptor.open(path, O_PATH)
        } catch {
            throw EngineError(.failed, "\(path) is missing: swbox and \(name) have to be in the same directory")
        }
    }

    /// What the monitor executes at the end: cleans up after a container whose supervisor this process has become.
    ///
    /// - Parameters:
    ///   - descriptor: The lock, inherited.
    ///   - namespace: The container's network namespace, inherited, if it was kept open.
    public func finish(id: String, descriptor: Int32, namespace: Int32?, exitCode: Int32) throws {
        if let namespace { _ = swn_fcntl(namespace, F_SETFD, FD_CLOEXEC) }
        try finish(
            try SupervisorLock.inherit(descriptor: descriptor, id: id), exitCode: exitCode, namespace: namespace)
    }
}

/// How a supervisor ends its preparations: one byte in front of the container's id or of the error's words.
private enum SupervisorReport: UInt8 {
    case ready = 1
    case failed, cannotExecute, commandNotFound, invalid, notFound, conflict

    init(_ error: any Error) {
        switch (error as? EngineError)?.kind {
        case .invalid: self = .invalid
        case .notFound: self = .notFound
        case .conflict: self = .conflict
        case .cannotExecute: self = .cannotExecute
        case .commandNotFound: self = .commandNotFound
        case .failed, nil: self = .failed
        }
    }

    func error(_ text: String) -> EngineError? {
        switch self {
        case .ready: nil
        case .failed: EngineError(.failed, text)
        case .cannotExecute: EngineError(.cannotExecute, text)
        case .commandNotFound: EngineError(.commandNotFound, text)
        case .invalid: EngineError(.invalid, text)
        case .notFound: EngineError(.notFound, text)
        case .conflict: EngineError(.conflict, text)
        }
    }
}
