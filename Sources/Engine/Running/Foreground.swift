import Cgroups
import CLinux
import ContainerRuntime
import LinuxSystem
import SystemPackage

extension Engine {
    /// Runs a container in the foreground: this process is its supervisor, and the caller's streams are the container's.
    ///
    /// - Returns: The exit code of the container's command.
    /// - Throws: What failed before the command ran; nothing is left.
    public func run(_ options: RunOptions) throws -> Int32 {
        let container = try prepare(options)
        let session: ForegroundSession
        do {
            session = try start(container)
        } catch {
            try abandon(container)
            throw error
        }
        return try supervise(session, container)
    }

    private func start(_ container: borrowing PreparedContainer) throws -> ForegroundSession {
        let record = container.record
        let signals = try SignalQueue()
        let log = LogFile(path: "\(containers.directory(of: record.id))/log")
        if record.hasTerminal {
            var started = try launch(container, streams: .inherited, consoleSize: CallerTerminal.size(of: 0))
            guard let console = started.console.take() else {
                throw EngineError(.failed, "the runtime made no terminal")
            }
            let channels = try ForegroundSession.Channels(console: console, isInteractive: record.isInteractive)
            return ForegroundSession(started.release(), signals: signals, channels: channels, log: log)
        }
        let streams = try ContainerStreams(isInteractive: record.isInteractive, owner: container.identity.uid)
        let started = try launch(container, streams: streams.forChild)
        return ForegroundSession(started.release(), signals: signals, channels: streams.channels(), log: log)
    }

    private func supervise(
        _ session: consuming ForegroundSession, _ container: consuming PreparedContainer
    ) throws -> Int32 {
        var session = session
        let code = try session.run()
        // Last, because a reader may let it wait as long as he likes.
        defer { session.deliver() }
        let open = container.openNamespace
        try finish(container.lock, exitCode: code, namespace: open.number)
        open.close()
        return code
    }

    /// Removes a container that could not be started, or not be handed over.
    func abandon(_ container: consuming PreparedContainer) throws {
        let path = try CgroupPath(ContainerSpec.cgroupPath(of: container.record.id))
        clean(
            container.record, Cgroup(path, root: try CgroupRoot.find()), container.lock.lastStatus(),
            namespace: container.openNamespace.number)
        removeAnonymousVolumes(container.record.mounts)
        try containers.remove(container.lock)
    }
}
