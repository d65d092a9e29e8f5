import CLinux
import JSONCoding
import LinuxSystem
import SystemPackage

/// The right and the duty to look after one container, held by the process that supervises it.
///
/// It is a locked file `running/ID` that appears already locked and disappears last. While it is locked, its holder is
/// at work; a file that can be locked has lost its holder, and whoever finds it cleans up. Its content says what.
struct SupervisorLock: ~Copyable {
    let id: String
    let name: String
    /// Whether nothing is to be kept of the container when it ends.
    let removesItself: Bool
    /// Who made it. Whoever takes it over after a crash leaves this as it is: the container is still that one's.
    let supervisor: SupervisorIdentity?
    let file: Descriptor

    /// Takes over the lock with its descriptor after an exec, or after a crash of its holder.
    init(
        owning file: consuming Descriptor, id: String, name: String, removesItself: Bool,
        supervisor: SupervisorIdentity? = nil
    ) {
        self.file = file
        self.supervisor = supervisor
        self.id = id
        self.name = name
        self.removesItself = removesItself
    }

    /// Makes the file, locks it and only then gives it its name, so that nobody ever sees it unlocked.
    ///
    /// - Parameter directory: `running`, open.
    /// - Throws: `EngineError` of kind conflict when somebody looks after the container already.
    static func create(
        id: String, name: String, removesItself: Bool, phase: ContainerStatus.Phase, in directory: borrowing Descriptor
    ) throws -> SupervisorLock {
        let file = try Descriptor.open(".", O_TMPFILE | O_RDWR, mode: 0o600, relativeTo: directory.rawValue)
        guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 else { throw SystemError("lock", id, errno: .last) }
        let source = file.procPath
        let lock = SupervisorLock(
            owning: file, id: id, name: name, removesItself: removesItself, supervisor: try .own())
        try lock.write(ContainerStatus(phase))
        guard linkat(AT_FDCWD, source, directory.rawValue, id, AT_SYMLINK_FOLLOW) == 0 else {
            if swn_errno() == EEXIST {
                throw EngineError(.conflict, "container \(name) is being worked on by another command")
            }
            throw SystemError("link", "running/\(id)", errno: .last)
        }
        return lock
    }

    /// The lock of a container whose supervisor has died; nil when it is alive, or has finished meanwhile.
    ///
    /// Where the supervisor is dead and the lock is held all the same, its child is about to die too, or another command
    /// cleans up already: either is over soon, and afterwards nothing of the container is in anybody's way.
    static func recover(id: String, in directory: borrowing Descriptor) throws -> SupervisorLock? {
        let number = swn_openat(directory.rawValue, id, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0)
        guard number >= 0 else { return nil }
        let file = Descriptor(owning: number)
        var patience = Patience(seconds: 60)
        while flock(file.rawValue, LOCK_EX | LOCK_NB) != 0 {
            guard supervisor(in: content(of: file))?.isDoomed == true, patience.wait() else { return nil }
        }
        // A holder that finishes removes the name before it lets the lock go.
        guard try file.status().st_nlink > 0 else { return nil }
        let content = content(of: file)
        return SupervisorLock(
            owning: file, id: id, name: (try? content?.string("name")) ?? "",
            removesItself: (try? content?.flag("remove")) ?? false, supervisor: supervisor(in: content))
    }

    /// What is written in a lock's file; nil while it changes.
    private static func content(of file: borrowing Descriptor) -> JSONValue? {
        guard lseek(file.rawValue, 0, SEEK_SET) == 0, let bytes = try? file.readAll(limit: 65536) else { return nil }
        return try? JSONValue(parsing: bytes)
    }

    private static func supervisor(in content: JSONValue?) -> SupervisorIdentity? {
        content?["supervisor"].flatMap { try? SupervisorIdentity(json: $0) }
    }

    /// The supervisor of a container; nil when nobody looks after it, or it is not known who does.
    static func supervisor(id: String, in directory: borrowing Descriptor) -> SupervisorIdentity? {
        guard let file = try? Descriptor.open(id, O_RDONLY | O_NOFOLLOW, relativeTo: directory.rawValue) else {
            return nil
        }
        return supervisor(in: content(of: file))
    }

    /// Takes the lock of a supervisor that exec'ed this program with the descriptor open.
    static func inherit(descriptor: Int32, id: String) throws -> SupervisorLock {
        let file = Descriptor(owning: descriptor)
        _ = swn_fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        guard try file.status().st_nlink > 0, let content = content(of: file), try content.string("id") == id else {
            throw EngineError(.failed, "container \(id): descriptor \(descriptor) is not its lock")
        }
        return SupervisorLock(
            owning: file, id: id, name: try content.string("name"), removesItself: try content.flag("remove"),
            supervisor: supervisor(in: content))
    }

    /// Says in the file how far the container is. One write, so that a reader sees the old text or the new one.
    borrowing func write(_ status: ContainerStatus) throws {
        var bytes = JSONValue([
            "id": .string(id), "name": .string(name), "remove": .bool(removesItself),
            "supervisor": supervisor?.json, "status": status.json,
        ]).bytes
        bytes.append(UInt8(ascii: "\n"))
        guard pwrite(file.rawValue, bytes, bytes.count, 0) == bytes.count, ftruncate(file.rawValue, bytes.count) == 0
        else {
            throw SystemError("write", "running/\(id)", errno: .last)
        }
    }

    /// The status that the last holder left.
    borrowing func lastStatus() -> ContainerStatus {
        guard let json = Self.content(of: file)?["status"], let status = try? ContainerStatus(json: json) else {
            return ContainerStatus(.creating)
        }
        return status
    }
}
