/// Signals as people name them: `TERM`, `SIGTERM`, `15`, in any case.
public enum SignalName {
    /// The numbers of signal(7) for the architectures we run on (x86_64, arm64).
    private static let numbers: [String: Int32] = [
        "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "IOT": 6, "BUS": 7, "FPE": 8, "KILL": 9,
        "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16, "CHLD": 17, "CLD": 17,
        "CONT": 18, "STOP": 19, "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24, "XFSZ": 25, "VTALRM": 26,
        "PROF": 27, "WINCH": 28, "IO": 29, "POLL": 29, "PWR": 30, "SYS": 31, "RTMIN": 34, "RTMAX": 64,
    ]

    /// The number of a signal, 1 to 64.
    ///
    /// - Throws: `EngineError` for a name or number that is no signal.
    public static func number(parsing text: String) throws(EngineError) -> Int32 {
        if let number = Int32(text) {
            guard (1...64).contains(number) else { throw EngineError(.invalid, "invalid signal '\(text)' (1 to 64)") }
            return number
        }
        let upper = text.uppercased()
        let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
        if let number = numbers[name] { return number }
        for (base, sign) in [("RTMIN+", Int32(1)), ("RTMAX-", Int32(-1))] where name.hasPrefix(base) {
            if let offset = Int32(name.dropFirst(base.count)), (0...30).contains(offset) {
                return sign > 0 ? 34 + offset : 64 - offset
            }
        }
        throw EngineError(.invalid, "invalid signal '\(text)'")
    }
}
