import CLinux
import LinuxSystem
import SystemPackage

extension Engine {
    /// Asks a container to end, and makes it end when it does not within a time.
    ///
    /// A container that does not run is fine. Equivalent to `docker stop`.
    /// - Parameter seconds: How long to wait before SIGKILL; negative waits for ever.
    public func stop(_ container: Container, seconds: Int) throws {
        guard let process = try process(of: container) else { return }
        // What the image says may be no signal; what a person said was checked.
        try send((try? SignalName.number(parsing: container.record.stopSignal)) ?? SIGTERM, to: process)
        if !Self.wait(for: process, milliseconds: seconds < 0 ? -1 : Int32(clamping: seconds * 1000)) {
            try send(SIGKILL, to: process)
        }
        try waitUntilFinished(container.record)
    }

    /// Sends a signal to a container's first process.
    ///
    /// - Throws: `EngineError` of kind conflict when it does not run.
    public func kill(_ container: Container, signal: Int32) throws {
        guard let process = try process(of: container) else {
            throw EngineError(.conflict, "container \(container.record.name) is not running")
        }
        try send(signal, to: process)
        if signal == SIGKILL { try waitUntilFinished(container.record) }
    }

    /// Removes a container with everything that it wrote.
    ///
    /// - Parameters:
    ///   - isForced: Kills it first when it runs.
    ///   - removesVolumes: Removes its anonymous volumes too. Those of a `--rm` container always go with it.
    /// - Throws: `EngineError` of kind conflict when it runs and is not to be killed.
    public func remove(_ container: Container, isForced: Bool, removesVolumes: Bool) throws {
        if container.status.phase != .exited {
            guard isForced else {
                throw EngineError(
                    .conflict,
                    "container \(container.record.name) is running (swbox stop \(container.record.name) first, or rm -f)"
                )
            }
            try waitUntilFinished(container.record, killing: true)
            if container.record.removesItself { return }
        }
        guard try containers.container(id: container.record.id) != nil else { return }
        let lock = try containers.take(container.record, phase: .removing)
        if removesVolumes { removeAnonymousVolumes(container.record.mounts) }
        try containers.remove(lock)
    }

    /// The first process of a container that runs; nil when it does not.
    func process(of container: Container) throws -> ProcessHandle? {
        container.isRunning ? try firstProcess(of: container) : nil
    }

    /// The first process of a container, also while it is still being made.
    private func firstProcess(of container: Container) throws -> ProcessHandle? {
        guard let number = container.status.process, let start = container.status.startTime else { return nil }
        do throws(SystemError) {
            let process = try ProcessHandle(processIdentifier: number)
            // Opened first and compared then: whoever has the number now is the one that was meant, or is not.
            guard ProcessHandle.startTime(of: number) == start else { return nil }
            return .some(process)
        } catch {
            if error.errno == .noSuchProcess { return nil }
            throw error
        }
    }

    private func send(_ signal: Int32, to process: borrowing ProcessHandle) throws {
        do throws(SystemError) {
            try process.send(signal: signal)
        } catch {
            if error.errno != .noSuchProcess { throw error }
        }
    }

    /// Whether a process ended within a time; -1 waits for ever.
    private static func wait(for process: borrowing ProcessHandle, milliseconds: Int32) -> Bool {
        var ended = pollfd(fd: process.pidfd.rawValue, events: Int16(POLLIN), revents: 0)
        return retryingOnInterrupt { poll(&ended, 1, milliseconds) } > 0
    }

    /// Waits until a container's supervisor has cleaned up after it, or does so when the supervisor has died.
    ///
    /// A supervisor that lives needs nothing but processor time for that, so it is given plenty; one that somebody has
    /// stopped (Ctrl-Z in its terminal) is woken.
    /// - Parameter killing: Whether to kill the container meanwhile, also one that is still being made.
    private func waitUntilFinished(_ record: ContainerRecord, killing: Bool = false) throws {
        let path = "\(roots.run)/running/\(record.id)"
        var patience = Patience(seconds: 120)
        var steps = 0
        repeat {
            if killing, let container = try containers.container(id: record.id),
                let process = try firstProcess(of: container)
            {
                try send(SIGKILL, to: process)
            }
            switch try Self.holder(ofLock: path) {
            case .gone: return
            case .dead: return try recover()
            case .alive: break
            }
            steps += 1
            // About a second, and then again and again: it may be stopped more than once.
            if steps % 100 == 0 { wakeSupervisor(of: record) }
        } while patience.wait()
        throw EngineError(
            .failed,
            "container \(record.name) has been killed, but its supervisor"
                + (supervisor(of: record).map { " (process \($0.process))" } ?? "") + " does not finish")
    }

    private func supervisor(of record: ContainerRecord) -> SupervisorIdentity? {
        guard let running = try? containers.openRunning() else { return nil }
        return SupervisorLock.supervisor(id: record.id, in: running)
    }

    private func wakeSupervisor(of record: ContainerRecord) {
        guard let supervisor = supervisor(of: record),
            let process = try? ProcessHandle(processIdentifier: supervisor.process), !supervisor.isDoomed
        else { return }
        try? process.send(signal: SIGCONT)
    }

    private enum Holder { case alive, dead, gone }

    private static func holder(ofLock path: String) throws(SystemError) -> Holder {
        let number = swn_openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0)
        guard number >= 0 else { return .gone }
        let file = Descriptor(owning: number)
        guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 else { return .alive }
        return try file.status().st_nlink > 0 ? .dead : .gone
    }
}
