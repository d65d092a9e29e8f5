import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import SystemPackage

/// The process of a relay: started with its port, recorded, and ended with it.
///
/// It is recorded by its number and the time it started, so that another that has got its number is never ended. It does
/// nothing before it is recorded, and until then it holds on to the engine's lock: when whoever starts it is killed, it
/// ends before anybody else can look.
struct RelayProcess {
    let relay: PortRelay

    /// As `ps` shows it.
    static let name = "swnet-relay"
    private static let directory = "relays"
    private var path: String { "\(Self.directory)/\(relay.name)" }

    /// Starts the relay, unless it runs; one that somebody has stopped goes on.
    ///
    /// - Throws: `SystemError` when a port cannot be had, or there is no process.
    func start(_ store: borrowing Store) throws {
        if let process = try? Self.recorded(relay.name, store) {
            let isStopped = ProcessHandle.facts(of: process.processIdentifier)?.isStopped ?? false
            if isStopped { try process.send(signal: SIGCONT) }
            return
        }
        try store.run.makeDirectory(Self.directory)
        try store.run.remove(path)
        // Here, where it can be said what is wrong.
        let listeners = try RelayListeners(relay)
        let pair = try SequencedSocket.pair()
        let near = pair.near
        try Self.fork(near, pair.far, relay, listeners)
        guard let record = try near.receive(limit: 16),
            let process = Int32(String(decoding: record.bytes, as: UTF8.self)),
            let start = ProcessHandle.startTime(of: process)
        else { throw NetworkError(.failed, "the relay of \(relay) ended at once") }
        try store.run.makeSymbolicLink(path, to: "\(process)-\(start)")
        try near.send([1])
    }

    /// Ends the relay, and returns when its ports are free. One that has ended is fine.
    func stop(_ store: borrowing Store) throws { try Self.stop(relay.name, store) }

    /// The names of what is recorded.
    static func names(_ store: borrowing Store) throws -> [String] {
        store.run.contains(directory) ? try store.run.entries(of: directory) : []
    }

    /// The numbers of those that run, as they are recorded; read without the lock.
    static func numbers(_ runRoot: String) -> [Int32] {
        guard let folder = try? Descriptor.openDirectory("\(runRoot)/\(directory)", forListing: true),
            let names = try? folder.entries()
        else { return [] }
        return names.compactMap { name in
            Self.process(inRecord: (try? folder.readSymbolicLink(name)).flatMap(\.self))?.processIdentifier
        }
    }

    /// Ends what is recorded under a name, or else the relay that has lost its record.
    static func stop(_ name: String, _ store: borrowing Store) throws {
        if let process = try recorded(name, store) {
            try process.end()
        } else if let process = try RelaySockets().relay(named: name)?.open() {
            try process.end()
        }
        try store.run.remove("\(directory)/\(name)")
    }

    /// The process that is recorded under a name; nil when there is none, it has ended, or is no such relay.
    static func recorded(
        _ name: String, _ store: borrowing Store, _ sockets: RelaySockets? = nil
    ) throws -> ProcessHandle? {
        guard let handle = process(inRecord: try store.run.readSymbolicLink("\(directory)/\(name)")),
            try (sockets ?? RelaySockets()).is(handle.processIdentifier, name)
        else { return nil }
        return handle
    }

    /// What a record says, if it still runs.
    private static func process(inRecord text: String?) -> ProcessHandle? {
        let numbers = text?.split(separator: "-") ?? []
        guard numbers.count == 2, let process = Int32(numbers[0]), let start = UInt64(numbers[1]),
            // Opened first: then what is compared is the process that is opened.
            let handle = try? ProcessHandle(processIdentifier: process),
            let facts = ProcessHandle.facts(of: process), facts.startTime == start, !facts.hasEnded
        else { return nil }
        return handle
    }

    // MARK: The process

    /// Starts the process, which ends or serves, as the grandchild of this one: nobody has to wait for it then.
    private static func fork(
        _ near: borrowing SequencedSocket, _ far: consuming SequencedSocket, _ relay: PortRelay,
        _ listeners: borrowing RelayListeners
    ) throws {
        let child = CLinux.fork()
        if child == 0 {
            if CLinux.fork() != 0 { _exit(0) }
            close(near.descriptor.rawValue)
            become(far.descriptor.rawValue, relay, listeners)
        }
        guard child > 0 else { throw SystemError("start the relay of", "\(relay)", errno: .last) }
        _ = retryingOnInterrupt { waitpid(child, nil, 0) }
    }

    private static func become(
        _ socket: Int32, _ relay: PortRelay, _ listeners: borrowing RelayListeners
    ) -> Never {
        setsid()
        // Whoever started it may look for it as soon as it has its number.
        name.withCString { _ = swn_prctl(PR_SET_NAME, UInt(bitPattern: $0), 0, 0, 0) }
        "\(name) \(relay.name)".withCString { swn_set_title($0) }
        let number = Array("\(getpid())".utf8)
        guard write(socket, number, number.count) == number.count else { _exit(1) }
        var go: UInt8 = 0
        // Whoever started it has ended before it recorded it.
        guard retryingOnInterrupt({ read(socket, &go, 1) }) == 1 else { _exit(1) }
        swn_reset_signals(.max)
        // A write to a closed socket is an error like any other.
        var ignored = sigset_t()
        sigemptyset(&ignored)
        for number in [SIGPIPE, SIGHUP] { sigaddset(&ignored, number) }
        sigprocmask(SIG_BLOCK, &ignored, nil)
        leaveWorld(keeping: listeners.sockets.map(\.descriptor))
        RelayLoop.run(relay, listeners.sockets)
    }

    /// Keeps nothing of whoever started it: no file, no folder, no right. Where that is refused it goes on without.
    private static func leaveWorld(keeping kept: [Int32]) {
        _ = chdir("/")
        umask(0o077)
        if let file = try? Descriptor.open("/proc/self/oom_score_adj", O_WRONLY) { try? file.write(text: "-500") }
        var next: UInt32 = 0
        for descriptor in kept.sorted() {
            if UInt32(descriptor) > next { swn_close_range(next, UInt32(descriptor) - 1, 0) }
            next = UInt32(descriptor) + 1
        }
        swn_close_range(next, .max, 0)
        for _ in 0..<3 { _ = swn_openat(AT_FDCWD, "/dev/null", O_RDWR, 0) }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            let most = UInt64(limit.rlim_max)
            swn_setrlimit(Int32(RLIMIT_NOFILE.rawValue), min(most, 65536), most)
        }
        // Nobody: what it does needs no right, and what it carries comes from strangers.
        let nobody: UInt32 = 65534
        swn_setgroups(0, nil)
        swn_setresgid(nobody, nobody, nobody)
        swn_setresuid(nobody, nobody, nobody)
        swn_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    }
}
