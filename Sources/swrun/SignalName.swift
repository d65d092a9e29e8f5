import CLinux

/// Signals by name, as `kill -l` lists them.
enum SignalName {
    /// The number of `KILL`, `SIGKILL`, `9` or `RTMIN+3`; nil for what is none. 0 only asks whether somebody is there.
    static func number(of text: String) -> Int32? {
        if let number = Int32(text) { return (0...64).contains(number) ? number : nil }
        var name = text.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        if let number = numbers[name] { return number }
        for (base, start) in [("RTMIN", Int32(34)), ("RTMAX", Int32(64))] where name.hasPrefix(base) {
            let rest = name.dropFirst(base.count)
            guard let offset = rest.isEmpty ? 0 : Int32(rest), (34...64).contains(start + offset) else { return nil }
            return start + offset
        }
        return nil
    }

    private static let numbers: [String: Int32] = [
        "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "ILL": SIGILL, "TRAP": SIGTRAP, "ABRT": SIGABRT, "IOT": SIGABRT,
        "BUS": SIGBUS, "FPE": SIGFPE, "KILL": SIGKILL, "USR1": SIGUSR1, "SEGV": SIGSEGV, "USR2": SIGUSR2,
        "PIPE": SIGPIPE, "ALRM": SIGALRM, "TERM": SIGTERM, "STKFLT": SIGSTKFLT, "CHLD": SIGCHLD, "CLD": SIGCHLD,
        "CONT": SIGCONT, "STOP": SIGSTOP, "TSTP": SIGTSTP, "TTIN": SIGTTIN, "TTOU": SIGTTOU, "URG": SIGURG,
        "XCPU": SIGXCPU, "XFSZ": SIGXFSZ, "VTALRM": SIGVTALRM, "PROF": SIGPROF, "WINCH": SIGWINCH, "IO": SIGIO,
        "POLL": SIGIO, "PWR": SIGPWR, "SYS": SIGSYS,
    ]
}
