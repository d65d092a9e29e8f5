public import CLinux
import SystemPackage

/// An advisory lock on a file, held until its owner goes out of scope or its process ends, however it ends.
///
/// The kernel releases it with the last descriptor, so a lock that can be taken proves that its former holder is gone:
/// this is how a crash is recognised without process ids, which may be reused.
public struct FileLock: ~Copyable, Sendable {
    public enum Mode: Sendable { case shared, exclusive }

    /// The locked file. A process that execs another program hands the lock on by keeping this descriptor open.
    public let descriptor: Descriptor

    /// Takes over a descriptor that already holds the lock, after an exec.
    public init(owning descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// Waits for the lock. The corresponding system call is `flock`.
    public init(_ path: String, _ mode: Mode = .exclusive, in directory: Int32 = AT_FDCWD) throws(SystemError) {
        let file = try Descriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600, relativeTo: directory)
        guard retryingOnInterrupt({ flock(file.rawValue, mode == .shared ? LOCK_SH : LOCK_EX) }) == 0 else {
            throw SystemError("lock", path, errno: .last)
        }
        descriptor = file
    }

    /// Takes the lock when it is free; nil when somebody holds it. The corresponding system call is `flock(LOCK_NB)`.
    public static func attempt(
        _ path: String, _ mode: Mode = .exclusive, in directory: Int32 = AT_FDCWD
    ) throws(SystemError) -> FileLock? {
        let file = try Descriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600, relativeTo: directory)
        guard flock(file.rawValue, (mode == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 else {
            if CurrentErrno.value == EWOULDBLOCK { return nil }
            throw SystemError("lock", path, errno: .last)
        }
        return FileLock(owning: file)
    }
}
