import CLinux
public import LinuxSystem
import RuntimeSpec
import SystemPackage

/// A container's first process that has not become the container's program yet. Dropped, it is killed and nothing of
/// it is left: its mounts live in its mount namespace only.
public struct CreatedContainer: ~Copyable {
    private let plan: any LaunchPlan
    private let child: HalfMadeChild
    private let socket: SequencedSocket
    private var console: Descriptor?
    private var isReady = false
    private var hasGoAhead = false
    private var isDetached = false
    private var waitsForHooks = false
    /// That of the process, when it has asked for a mount.
    private var mountNamespace: Descriptor?

    init(plan: any LaunchPlan, child: consuming HalfMadeChild, socket: consuming SequencedSocket) {
        self.plan = plan
        self.child = child
        self.socket = socket
        console = nil
        mountNamespace = nil
    }

    /// The process's number in this process's pid namespace.
    public var processIdentifier: Int32 { child.processIdentifier }

    /// A network, ipc or other namespace of the process.
    public borrowing func namespace(_ kind: NamespaceKind) throws(SystemError) -> Namespace {
        try Namespace.of(process: child.processIdentifier, kind)
    }

    /// Waits until the process has made its root and is only waiting for the go-ahead.
    ///
    /// `start()` does the same; this is for whoever has to tell an error from here from one afterwards.
    /// - Throws: `LaunchError` for the step that failed.
    public mutating func waitUntilReady() throws(LaunchError) {
        while !isReady {
            guard try receive() else { throw LaunchError.killed }
        }
    }

    /// Runs the hooks that belong before the container's root is entered; without any it does nothing.
    ///
    /// - Throws: `LaunchError` for a hook or a step that failed.
    mutating func runHooks(_ hooks: HookPlan?) throws(LaunchError) {
        guard let hooks, hooks.needsPause else { return }
        while !waitsForHooks {
            guard try receive() else { throw LaunchError.killed }
        }
        do throws(HookFailure) {
            // These are from a time when what is called creating now was part of the start, and are told so by crun; the
            // validation programs of runtime-tools want it.
            try HookRun.run(hooks.prestart, state: hooks.text(.created, processIdentifier), in: hooks.state.bundle)
            try HookRun.run(
                hooks.createRuntime, state: hooks.text(.creating, processIdentifier), in: hooks.state.bundle)
        } catch {
            var failure = LaunchError(error.description, errno: ECANCELED)
            failure.isOfInit = true
            throw failure
        }
        try tell((0..<4).map { UInt8(truncatingIfNeeded: processIdentifier >> (8 * $0)) })
    }

    /// The terminal's other end, if the container has one and is ready; whoever takes it owns it.
    public mutating func takeConsole() -> Descriptor? { console.take() }

    /// Sends a pidfd of the process to whoever waits for it at a socket.
    borrowing func sendProcess(to path: String) throws(SystemError) {
        try DescriptorSocket.send(process: child.pidfd, to: path)
    }

    /// Lets the process live on by itself, waiting at `LaunchOptions.startListener` to be started by `StartGate`.
    ///
    /// - Throws: `LaunchError`; the process has been reaped.
    public consuming func detach() throws(LaunchError) -> ProcessHandle {
        if plan.asksForMounts { try waitUntilReady() }
        try tell([1])
        while !isDetached {
            guard try receive() else { throw LaunchError.killed }
        }
        return child.release()
    }

    /// Gives the go-ahead and waits for the exec.
    ///
    /// - Returns: The running process, and the terminal's other end if the container has one.
    /// - Throws: `LaunchError` for the step that failed; the process has been reaped.
    public consuming func start() throws(LaunchError) -> StartedContainer {
        if !hasGoAhead { try giveGoAhead() }
        while try receive() {}
        return StartedContainer(process: child.release(), console: console.take())
    }

    /// Gives the go-ahead, and waits until the process has made its root and entered it; it does not wait any more.
    ///
    /// - Throws: `LaunchError` for the step that failed.
    mutating func giveGoAhead() throws(LaunchError) {
        // Who waits for a mount would take the go-ahead for it.
        if plan.asksForMounts { try waitUntilReady() }
        try tell([1])
        hasGoAhead = true
        // Without that record the end of the file is not the exec.
        try waitUntilReady()
    }

    /// Has the process go on. One that has failed already has closed its end, and why is in the record that it left.
    private borrowing func tell(_ bytes: [UInt8]) throws(LaunchError) {
        do throws(SystemError) {
            try socket.send(bytes)
        } catch {
            guard error.errno == .brokenPipe || error.errno == .connectionReset else { throw LaunchError(error) }
        }
    }

    /// - Parameters:
    ///   - namespace: The process's mount namespace, taken over.
    ///   - root: Its root, likewise.
    private borrowing func lend(
        _ record: InitRecord, _ namespace: consuming Descriptor?, _ root: consuming Descriptor?
    ) throws(LaunchError) {
        guard let plan = plan as? InitPlan else { throw LaunchError("lend a mount: unknown plan", errno: EPROTO) }
        let namespace = namespace ?? Descriptor(owning: -1)
        let root = root ?? Descriptor(owning: -1)
        do throws(SystemError) {
            let lender = MountLender(plan: plan, process: processIdentifier)
            do throws(SystemError) {
                let mount = try lender.mount(record, namespace: namespace.rawValue, root: root.rawValue)
                try socket.send(InitRecord(.lent).bytes, descriptor: mount.rawValue)
            } catch {
                // The process goes another way or says what is missing.
                try socket.send(InitRecord(InitFailure(.lent, 0, error)).bytes)
            }
        } catch {
            guard error.errno == .brokenPipe || error.errno == .connectionReset else { throw LaunchError(error) }
        }
    }

    /// Takes one record. False at the end of file: the process has executed the program, or was killed.
    private mutating func receive() throws(LaunchError) -> Bool {
        let received: SequencedSocket.Record?
        do throws(SystemError) {
            received = try socket.receive(limit: InitRecord.size)
        } catch {
            throw LaunchError(error)
        }
        guard var message = received else { return false }
        guard let record = InitRecord(bytes: message.bytes) else {
            throw LaunchError("the container's process sent an unknown record", errno: EPROTO)
        }
        switch record.stage {
        case .ready: isReady = true
        case .detached: isDetached = true
        case .hooks: waitsForHooks = true
        case .listener:
            guard let listener = plan.process.listener, let descriptor = message.descriptor.take() else {
                throw LaunchError("the container's process has a seccomp listener that nobody asked for", errno: EPROTO)
            }
            do throws(SystemError) {
                try listener.handOver(descriptor, process: processIdentifier, status: .running)
                try socket.send([1])
            } catch {
                var failure = LaunchError(error)
                failure.isOfInit = plan is InitPlan
                throw failure
            }
        case .console: console = message.descriptor.take()
        case .mountNamespace: mountNamespace = message.descriptor.take()
        case .wantsSource, .wantsDevice, .wantsNode: try lend(record, mountNamespace.take(), message.descriptor.take())
        default: throw plan.error(record)
        }
        return true
    }
}

/// A container whose program runs.
public struct StartedContainer: ~Copyable {
    public let process: ProcessHandle
    /// The controlling side of the container's terminal.
    public var console: Descriptor?

    /// The process alone.
    public consuming func release() -> ProcessHandle { process }
}

/// A child that is killed and reaped unless somebody takes it over.
struct HalfMadeChild: ~Copyable {
    let pidfd: Int32
    let processIdentifier: Int32

    consuming func release() -> ProcessHandle {
        let handle = ProcessHandle(owning: Descriptor(owning: pidfd), processIdentifier: processIdentifier)
        discard self
        return handle
    }

    deinit {
        _ = swn_pidfd_send_signal(pidfd, SIGKILL, 0)
        var status: Int32 = 0
        _ = unsafe swn_pidfd_wait(pidfd, 0, &status)
        close(pidfd)
    }
}
