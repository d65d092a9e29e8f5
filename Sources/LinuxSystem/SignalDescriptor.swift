import CLinux
import SystemPackage

/// Signals as something to read instead of something that interrupts. The signals are blocked as long as it lives.
public struct SignalDescriptor: ~Copyable {
    /// Readable when a signal is pending.
    public let descriptor: Descriptor
    private let former: sigset_t

    /// Takes every signal that a person or a service manager sends to a program that stands for another: all but the
    /// ones the kernel sends for a fault of the program's own, `SIGCHLD`, `SIGPIPE`, and those nobody can take.
    ///
    /// The corresponding system calls are `sigprocmask` and `signalfd`.
    public init(forwarding: Bool) throws(SystemError) {
        var set = sigset_t()
        unsafe sigfillset(&set)
        for number in [SIGCHLD, SIGPIPE, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGTTIN, SIGTTOU] {
            unsafe sigdelset(&set, number)
        }
        try self.init(blocking: set)
    }

    /// Takes these signals and leaves the others as they are.
    public init(_ signals: [Int32]) throws(SystemError) {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in signals { unsafe sigaddset(&set, number) }
        try self.init(blocking: set)
    }

    private init(blocking signals: sigset_t) throws(SystemError) {
        var set = signals
        var former = sigset_t()
        guard unsafe sigprocmask(SIG_BLOCK, &set, &former) == 0 else {
            throw SystemError("block signals", errno: .last)
        }
        let number = unsafe signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK))
        guard number >= 0 else {
            let errno = Errno.last
            unsafe sigprocmask(SIG_SETMASK, &former, nil)
            throw SystemError("make signal descriptor", errno: errno)
        }
        descriptor = Descriptor(owning: number)
        self.former = former
    }

    deinit {
        var former = former
        unsafe sigprocmask(SIG_SETMASK, &former, nil)
    }

    /// The next pending signal; nil when there is none.
    public borrowing func next() -> Int32? {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        guard retryingOnInterrupt({ unsafe read(descriptor.rawValue, &info, size) }) == size else { return nil }
        return Int32(info.ssi_signo)
    }
}
