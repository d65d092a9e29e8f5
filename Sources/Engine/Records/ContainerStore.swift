import CLinux
import LinuxSystem
import NetworkModel
import SystemPackage
import JSONCoding

/// The records of containers.
///
///     /var/lib/swbox/containers/ID/      container.json, status.json once it has ended, upper, work, log, hosts, …
///     /var/lib/swbox/names/NAME -> ID    made with the name free or not at all, so that it is unique without a search
///     /run/swbox/running/ID              the lock and the status of a container that somebody looks after
///     /run/swbox/recovered               says that what the last boot left was looked at
///
/// Names and directories appear after the lock and disappear before it, so whatever a crash leaves has a lock that is
/// free; after a reboot, which leaves no locks, it is what has neither a lock nor a status.
public struct ContainerStore: Sendable {
    public let root: String
    public let runRoot: String

    public init(root: String, runRoot: String) {
        self.root = root
        self.runRoot = runRoot
    }

    public func directory(of id: String) -> String { "\(root)/containers/\(id)" }

    /// Nobody but root may look into a container from outside: its files may be set-user-id programs of its own
    /// making (CVE-2021-41103).
    func open(_ path: String) throws(SystemError) -> Descriptor { try openMakingDirectories(path, mode: 0o700) }

    func openRunning() throws(SystemError) -> Descriptor {
        do throws(SystemError) {
            return try openMakingDirectories("\(runRoot)/running", mode: 0o700)
        } catch {
            guard error.errno == .permissionDenied, geteuid() != 0 else { throw error }
            throw SystemError(error.operation, error.object, errno: error.errno, hint: "swbox needs root: sudo")
        }
    }
}

// MARK: - Making and removing

extension ContainerStore {
    /// Makes a container that has an identifier, a name and an empty directory, and belongs to the caller.
    ///
    /// - Parameter name: Nil takes a random one.
    /// - Throws: `EngineError` of kind conflict when the name is taken, which names who has it.
    func create(name: String?, removesItself: Bool) throws -> SupervisorLock {
        let names = try open("\(root)/names")
        let containers = try open("\(root)/containers")
        let running = try openRunning()
        let id = randomHex(bytes: 32)
        var attempts = 0
        while true {
            let candidate = name ?? ContainerName.random() + (attempts < 8 ? "" : "_\(attempts)")
            // The lock first: it says whose the name and the directory are if this process dies between the two.
            let lock = try SupervisorLock.create(
                id: id, name: candidate, removesItself: removesItself, phase: .creating, in: running)
            do {
                try claim(candidate, for: id, in: names)
            } catch {
                try running.remove(id)
                attempts += 1
                guard name == nil, (error as? EngineError)?.kind == .conflict, attempts < 1000 else { throw error }
                continue
            }
            do {
                try containers.makeDirectory(id, mode: 0o700)
                return lock
            } catch {
                try? names.remove(candidate)
                try? running.remove(id)
                throw error
            }
        }
    }

    private func claim(_ name: String, for id: String, in names: borrowing Descriptor) throws {
        for _ in 0..<3 {
            if symlinkat(id, names.rawValue, name) == 0 { return }
            guard swn_errno() == EEXIST else { throw SystemError("create name", name, errno: .last) }
            guard let owner = readName(name, in: names) else { continue }
            let exists = access(directory(of: owner), F_OK) == 0 || access("\(runRoot)/running/\(owner)", F_OK) == 0
            if exists {
                throw EngineError(
                    .conflict,
                    "container name '\(name)' is taken by container \(owner.prefix(ContainerRecord.shortLength)) "
                        + "(swbox rm \(name), or choose another name)")
            }
            // Its container has gone without it: the machine was switched off in between.
            try names.remove(name)
        }
        throw EngineError(.conflict, "container name '\(name)' is taken")
    }

    private func readName(_ name: String, in names: borrowing Descriptor) -> String? {
        var target = [CChar](repeating: 0, count: 256)
        let length = readlinkat(names.rawValue, name, &target, target.count)
        return length > 0 ? String(decoding: target[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }

    /// Writes the record. It is there as a whole or not at all.
    func write(_ record: ContainerRecord) throws {
        let directory = try Descriptor.openDirectory(directory(of: record.id))
        try directory.replaceFile("container.json", with: record.json.bytes, mode: 0o600)
    }

    /// Writes how a container ended, and then lets others have it.
    func finish(_ lock: consuming SupervisorLock, _ status: ContainerStatus) throws {
        let directory = try Descriptor.openDirectory(directory(of: lock.id))
        try directory.replaceFile("status.json", with: status.json.bytes, mode: 0o600)
        try openRunning().remove(lock.id)
    }

    /// Whether a container's end has been written down.
    func hasEnded(_ id: String) -> Bool { access("\(directory(of: id))/status.json", F_OK) == 0 }

    /// Lets others have a container whose end has been written down.
    func release(_ lock: consuming SupervisorLock) throws { try openRunning().remove(lock.id) }

    /// Takes a container that has ended, to work on it.
    func take(_ record: ContainerRecord, phase: ContainerStatus.Phase) throws -> SupervisorLock {
        let running = try openRunning()
        return try SupervisorLock.create(
            id: record.id, name: record.name, removesItself: record.removesItself, phase: phase, in: running)
    }

    /// Removes the name and everything in the directory, and the lock at last.
    func remove(_ lock: consuming SupervisorLock) throws {
        let containers = try open("\(root)/containers")
        try containers.removeTree(lock.id)
        let names = try open("\(root)/names")
        if !lock.name.isEmpty, readName(lock.name, in: names) == lock.id { try names.remove(lock.name) }
        try openRunning().remove(lock.id)
    }
}

// MARK: - Finding

extension ContainerStore {
    /// A container by its name, its id, or the beginning of its id.
    ///
    /// - Throws: `EngineError` of kind notFound, or invalid when several ids begin so.
    public func find(_ text: String) throws -> Container {
        let missing = EngineError(.notFound, "no such container: \(text)")
        guard ContainerName.isValid(text) else { throw missing }
        let names = try open("\(root)/names")
        if let id = readName(text, in: names), let container = try container(id: id) { return container }
        if let container = try container(id: text) { return container }
        let containers = try open("\(root)/containers")
        let matches = try containers.entries().filter { $0.hasPrefix(text) }
        guard matches.count < 2 else {
            let ids = matches.map { $0.prefix(ContainerRecord.shortLength) }.joined(separator: ", ")
            throw EngineError(.invalid, "container id '\(text)' is ambiguous: \(ids)")
        }
        guard let id = matches.first, let container = try container(id: id) else { throw missing }
        return container
    }

    /// The container of a full id; nil when there is none, or when it is still being made.
    public func container(id: String) throws -> Container? {
        guard id.utf8.count == 64 else { return nil }
        guard let json = try json("\(directory(of: id))/container.json") else { return nil }
        return Container(record: try ContainerRecord(json: json), status: try status(of: id))
    }

    /// Every container that is not being made, newest first.
    public func containers() throws -> [Container] {
        let containers = try open("\(root)/containers")
        return try containers.entries().compactMap { try container(id: $0) }
            .filter { $0.status.phase != .creating }
            .sorted { $0.record.created > $1.record.created }
    }

    func status(of id: String) throws -> ContainerStatus {
        if let live = try json("\(runRoot)/running/\(id)"), let status = live["status"] {
            return try ContainerStatus(json: status)
        }
        if let last = try json("\(directory(of: id))/status.json") { return try ContainerStatus(json: last) }
        var lost = ContainerStatus(.exited)
        lost.exitCode = 255
        lost.error = "the machine was restarted while it ran"
        return lost
    }

    /// A document; nil when the file does not exist, or is empty because it is being written.
    private func json(_ path: String) throws -> JSONValue? {
        let bytes: [UInt8]
        do {
            bytes = try Descriptor.open(path).readAll(limit: 4 << 20)
        } catch {
            if error.errno == .noSuchFileOrDirectory { return nil }
            throw error
        }
        if bytes.isEmpty { return nil }
        do {
            return try JSONValue(parsing: bytes)
        } catch {
            throw EngineError(.failed, "read \(path): \(error)")
        }
    }
}

// MARK: - What crashes leave

extension ContainerStore {
    /// The containers whose supervisor has died, taken over one by one.
    ///
    /// - Parameter clean: Cleans up after one; it gets the lock, and has to finish or remove the container with it.
    func recover(_ clean: (consuming SupervisorLock) throws -> Void) throws {
        let running = try openRunning()
        for id in try running.entries() {
            if let lock = try SupervisorLock.recover(id: id, in: running) { try clean(lock) }
        }
        let marker = "\(runRoot)/recovered"
        if access(marker, F_OK) == 0 { return }
        try recoverAfterBoot(running, clean)
        _ = try Descriptor.open(marker, O_WRONLY | O_CREAT, mode: 0o600)
    }

    private func recoverAfterBoot(
        _ running: borrowing Descriptor, _ clean: (consuming SupervisorLock) throws -> Void
    ) throws {
        let containers = try open("\(root)/containers")
        for id in try containers.entries() where !containers.contains("\(id)/status.json") && !running.contains(id) {
            guard containers.contains(id) else { continue }
            let record = try json("\(directory(of: id))/container.json").map { try ContainerRecord(json: $0) }
            let lock: SupervisorLock
            do {
                lock = try SupervisorLock.create(
                    id: id, name: record?.name ?? "", removesItself: record?.removesItself ?? true,
                    phase: record == nil ? .removing : .running, in: running)
            } catch let error as EngineError where error.kind == .conflict {
                continue
            }
            try clean(lock)
        }
        let names = try open("\(root)/names")
        for name in try names.entries() {
            guard let owner = readName(name, in: names), !containers.contains(owner), !running.contains(owner) else {
                continue
            }
            try names.remove(name)
        }
    }
}
