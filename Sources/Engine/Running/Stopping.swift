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
        try send(try SignalName.number(parsing: container.record.stopSignal), to: process)
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
            if let process = try process(of: container) { try send(SIGKILL, to: process) }
            try waitUntilFinished(container.record)
            if container.record.removesItself { return }
        }
        guard try containers.container(id: container.record.id) != nil else { return }
        let lock = try containers.take(container.record, phase: .removing)
        if removesVolumes { removeAnonymousVolumes(container.record.mounts) }
        try containers.remove(lock)
    }

    /// The first process of a container that runs; nil when it does not.
    func process(of container: Container) throws -> ProcessHandle? {
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
    private func waitUntilFinished(_ record: ContainerRecord) throws {
        let path = "\(roots.run)/running/\(record.id)"
        var pause: UInt32 = 200
        for _ in 0..<2_000 {
            switch try Self.holder(ofLock: path) {
            case .gone: return
            case .dead: return try recover()
            case .alive: break
            }
            usleep(pause)
            pause = min(pause * 2, 10_000)
        }
        throw EngineError(.failed, "container \(record.name) has been killed, but its supervisor does not finish")
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
