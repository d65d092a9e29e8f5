import CLinux
import LinuxSystem
import SystemPackage

/// Signals that are read instead of interrupting: those a supervisor hands on to its container.
struct SignalQueue: ~Copyable {
    let descriptor: Descriptor

    /// What docker's client hands on, without those that are about the client itself (SIGCHLD, SIGPIPE, SIGTSTP…).
    static let proxied: [Int32] = [
        SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGCONT, SIGWINCH,
    ]

    /// Blocks the signals for this process and queues them. A child begins with none blocked; the launcher sees to it.
    init(_ signals: [Int32] = SignalQueue.proxied) throws(SystemError) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        guard sigprocmask(SIG_BLOCK, &set, nil) == 0 else { throw SystemError("block signals", errno: .last) }
        let number = signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK))
        guard number >= 0 else { throw SystemError("make a signal descriptor", errno: .last) }
        descriptor = Descriptor(owning: number)
    }

    /// The next signal; nil when there is none.
    borrowing func next() -> Int32? {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        return read(descriptor.rawValue, &info, size) == size ? Int32(info.ssi_signo) : nil
    }
}
