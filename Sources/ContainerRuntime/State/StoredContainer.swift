import CLinux
public import Cgroups
import JSONCoding
import LinuxSystem
public import RuntimeSpec
import SystemPackage

/// A container's directory in the store.
///
/// `state.json` is the record, replaced by renaming. `config.json` is the document it was made from: the bundle may
/// have changed or gone since. `rootfs` is where the root is mounted of one without mounts of its own. `start` is the
/// socket at which the first process waits, and `exec.fifo` is a file that
/// this process holds locked until it executes the container's program or ends, however it ends.
public struct StoredContainer: ~Copyable {
    public let identifier: String
    let directory: Descriptor
    private let root: Descriptor

    init(_ identifier: String, directory: consuming Descriptor, root: consuming Descriptor) {
        self.identifier = identifier
        self.directory = directory
        self.root = root
    }

    /// The longest document, in bytes.
    static let documentLimit = 16 << 20
    /// The longest record: of a document all annotations are in it, and little more.
    private static let recordLimit = documentLimit + 64 << 10

    static func open(_ identifier: String, in root: borrowing Descriptor) throws(SystemError) -> Descriptor {
        try Descriptor.open(identifier, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, relativeTo: root.rawValue)
    }

    /// Waits until no other command changes the container. The corresponding system call is `flock`.
    static func lock(_ directory: borrowing Descriptor, _ identifier: String) throws(SystemError) {
        guard retryingOnInterrupt({ flock(directory.rawValue, LOCK_EX) }) == 0 else {
            throw SystemError("lock", identifier, errno: .last)
        }
    }

    borrowing func lock() throws(SystemError) { try Self.lock(directory, identifier) }

    /// Ends the lock, also in processes that have inherited the descriptor.
    borrowing func unlock() { flock(directory.rawValue, LOCK_UN) }

    /// - Throws: `ContainerError` when the container is being made or removed at this moment, or its record is damaged.
    public borrowing func record() throws -> StateRecord {
        do {
            guard let bytes = try directory.readFile("state.json", limit: Self.recordLimit) else {
                throw ContainerError.notFound
            }
            return try StateRecord(json: try JSONValue(parsing: bytes))
        } catch let error as SystemError where !error.isNoRegularFile && error.errno != .fileTooLarge {
            throw error
        } catch let error as ContainerError {
            throw error
        } catch {
            throw damaged("state.json", "is damaged: \(error)")
        }
    }

    borrowing func write(_ record: StateRecord) throws {
        let bytes = record.json.bytes
        guard bytes.count <= Self.recordLimit else {
            throw ContainerError(
                .invalid, "annotations: too much to be remembered, \(bytes.count) bytes of at most \(Self.recordLimit)")
        }
        try directory.replaceFile("state.json", with: bytes, mode: 0o600, by: ".state.json")
    }

    borrowing func write(document: [UInt8]) throws(SystemError) {
        let file = try Descriptor.open(
            "config.json", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600, relativeTo: directory.rawValue)
        try file.writeAll(document)
    }

    /// The document that the container was made from.
    ///
    /// - Throws: `ContainerError` when the container is being removed at this moment, or the document is damaged.
    public borrowing func spec() throws -> Spec {
        guard let bytes = try directory.readFile("config.json", limit: Self.documentLimit) else {
            // It is the first that goes with a container.
            if try isLocked || directory.status().st_nlink == 0 { throw ContainerError.notFound }
            throw damaged("config.json", "is missing")
        }
        do {
            return try Spec(json: bytes)
        } catch {
            throw damaged("config.json", "is damaged: \(error)")
        }
    }

    private borrowing func damaged(_ file: String, _ words: String) -> ContainerError {
        ContainerError(.failed, "container \(identifier): \(file) \(words) (delete --force removes it)")
    }

    /// What the kernel says about the container now.
    ///
    /// - Parameter cgroup: The container's, to tell paused from running; nil where that does not matter.
    public borrowing func status(of record: StateRecord, in cgroup: Cgroup?) throws -> State.Status {
        guard record.pid > 0 else { return isLocked ? .creating : .stopped }
        guard let facts = ProcessHandle.facts(of: record.pid), facts.startTime == record.startTime, !facts.hasEnded
        else { return .stopped }
        if let cgroup, (try? cgroup.isFrozen()) == true { return .paused }
        return isWaiting ? .created : .running
    }

    /// Whether a command is changing the container: the one that makes it, when there is no process yet.
    private var isLocked: Bool {
        // A descriptor of its own, because a lock belongs to the open file.
        guard let file = try? Descriptor.open(".", O_RDONLY | O_DIRECTORY, relativeTo: directory.rawValue) else {
            return false
        }
        return flock(file.rawValue, LOCK_SH | LOCK_NB) != 0
    }

    /// Waits until the first process has let go of `exec.fifo`. The kernel closes descriptors at exec one after the other,
    /// so the end of the connection is seen before: whoever looked in between would start the container again.
    borrowing func waitUntilExecuted() throws(SystemError) {
        let file = try StartGate.opened(in: directory)
        guard retryingOnInterrupt({ flock(file.rawValue, LOCK_SH) }) == 0 else {
            throw SystemError("wait for", identifier, errno: .last)
        }
    }

    /// Waits until a container that `run` makes, with nobody being told of it, has executed its program. Who entered it
    /// before would find this program as its first process, and that one is not protected (`ProtectedExecutable`).
    borrowing func waitUntilBegun() throws(SystemError) {
        do throws(SystemError) {
            _ = try StartGate.opened(in: directory)
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
            // `run` has it until then.
            guard retryingOnInterrupt({ flock(directory.rawValue, LOCK_SH) }) == 0 else {
                throw SystemError("wait for", identifier, errno: .last)
            }
            unlock()
        }
    }

    private var isWaiting: Bool {
        guard let file = try? StartGate.opened(in: directory) else { return false }
        return flock(file.rawValue, LOCK_SH | LOCK_NB) != 0
    }

    /// Opens the container's first process, which is certain not to be another one.
    ///
    /// - Throws: `ContainerError` when it has ended.
    borrowing func process(of record: StateRecord) throws -> ProcessHandle {
        guard record.pid > 0, let handle = try? ProcessHandle(processIdentifier: record.pid),
            // Asked after the process is held: from now on its number is not given to another.
            ProcessHandle.startTime(of: record.pid) == record.startTime
        else { throw ContainerError.notRunning }
        return handle
    }

    /// Forgets the container. The record goes after what is always there, so that what a crash leaves can still be
    /// deleted.
    ///
    /// - Parameter waits: Whether there may be what belongs to waiting.
    borrowing func remove(waits: Bool = true) throws(SystemError) {
        try directory.remove("config.json")
        if waits { try StartGate.remove(from: directory) }
        do throws(SystemError) {
            try directory.remove("state.json")
        } catch {
            // A directory that somebody has put there goes with the rest.
            guard error.errno == .isDirectory else { throw error }
        }
        do throws(SystemError) {
            try root.remove(identifier, directory: true)
        } catch {
            guard error.errno == .directoryNotEmpty else { throw error }
            try removeRest()
            try root.remove(identifier, directory: true)
        }
    }

    private borrowing func removeRest() throws(SystemError) {
        try RootPlace.remove(in: directory)
        for name in try directory.entries() {
            // No other directory is emptied: a root may be mounted on one.
            if ["notify", "state.json"].contains(name) {
                try directory.removeTree(name)
            } else {
                try directory.remove(name)
            }
        }
    }
}

extension StateRecord {
    /// The container's cgroup; nil when it has none, or when there are none any more.
    ///
    /// - Throws: `CgroupError` when it cannot be told where it is: then nothing may be said of what is in it.
    public var cgroup: Cgroup? {
        get throws(CgroupError) {
            guard let cgroupPath, let path = try? CgroupPath(cgroupPath) else { return nil }
            do {
                return Cgroup(path, root: try CgroupRoot.find())
            } catch {
                guard error.errno == .noSuchFileOrDirectory else { throw error }
                return nil
            }
        }
    }
}
