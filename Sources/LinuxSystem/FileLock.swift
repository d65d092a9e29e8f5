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

    /// Waits for an exclusive lock on an open file, and says so when one process keeps it for long. A lock that goes from
    /// hand to hand is waited for in silence.
    ///
    /// - Parameters:
    ///   - path: The file's, for errors.
    ///   - patience: Seconds between two looks at who has it. Nothing is said where SIGALRM is blocked.
    ///   - isLate: Is told who has the lock, once; nil when that cannot be seen from here.
    ///   The corresponding system call is `flock`.
    public init(
        locking file: consuming Descriptor, _ path: String, patience: Int, isLate: (FileLockHolder?) -> Void
    ) throws(SystemError) {
        let number = file.rawValue
        var result = flock(number, LOCK_EX | LOCK_NB)
        if result != 0 && CurrentErrno.value == EWOULDBLOCK {
            var isTaken = Self.wait(number, patience)
            var holder = isTaken ? nil : FileLockHolder(of: file)
            while !isTaken {
                isTaken = Self.wait(number, patience)
                let next = isTaken ? nil : FileLockHolder(of: file)
                if !isTaken && next?.processIdentifier == holder?.processIdentifier { break }
                holder = next
            }
            if !isTaken { isLate(FileLockHolder(of: file)) }
            result = isTaken ? 0 : retryingOnInterrupt { flock(number, LOCK_EX) }
        }
        guard result == 0 else { throw SystemError("lock", path, errno: .last) }
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

    /// Waits some seconds for an exclusive lock.
    ///
    /// A signal ends the wait: polling would have the lock lie idle between two looks while many want it.
    /// - Returns: Whether it was taken.
    private static func wait(_ number: Int32, _ seconds: Int) -> Bool {
        var blocked = sigset_t()
        guard unsafe pthread_sigmask(SIG_SETMASK, nil, &blocked) == 0, unsafe sigismember(&blocked, SIGALRM) == 0 else {
            return retryingOnInterrupt { flock(number, LOCK_EX) } == 0
        }
        var action = sigaction()
        var former = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { _ in }
        guard unsafe sigaction(SIGALRM, &action, &former) == 0 else { return false }
        // Again and again, for a signal that comes right before the call would be the last.
        var timer = itimerval(
            it_interval: timeval(tv_sec: 1, tv_usec: 0), it_value: timeval(tv_sec: seconds, tv_usec: 0))
        unsafe setitimer(ITIMER_REAL, &timer, nil)
        defer {
            var never = itimerval()
            unsafe setitimer(ITIMER_REAL, &never, nil)
            unsafe sigaction(SIGALRM, &former, nil)
        }
        var began = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &began)
        while flock(number, LOCK_EX) != 0 {
            guard CurrentErrno.value == EINTR else { return false }
            var now = timespec()
            unsafe clock_gettime(CLOCK_MONOTONIC, &now)
            if now.tv_sec - began.tv_sec >= seconds { return false }
        }
        return true
    }
}
