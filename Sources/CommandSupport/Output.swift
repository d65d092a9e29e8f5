import CLinux
import LinuxSystem
import SystemPackage

/// Writes to the standard streams without stdio: what is printed together leaves in one write.
public enum Output {
    /// Prints to standard output. A reader that has gone ends the program quietly, as SIGPIPE would.
    public static func write(_ text: String) { write(text, to: 1) }

    /// Prints a line to standard output.
    public static func line(_ text: String) { write(text + "\n") }

    /// Prints a line to standard output, for programs whose end is that nobody reads any more.
    ///
    /// - Returns: false when the reader has gone.
    public static func tryLine(_ text: String) -> Bool {
        guard let errno = send(text + "\n", to: 1) else { return true }
        if errno == .brokenPipe { return false }
        errorLine("write to standard output: \(errno)")
        _exit(1)
    }

    /// Prints to standard output, for programs that have to say what they have done when nobody gets to read it there.
    ///
    /// - Returns: What the kernel said; nil when all is written. A reader that has gone ends the program as ever.
    public static func attempt(_ text: String) -> String? {
        let errno = send(text, to: 1)
        if errno == .brokenPipe { _exit(128 + SIGPIPE) }
        return errno?.description
    }

    /// Prints to standard error.
    public static func error(_ text: String) { write(text, to: 2) }

    /// Prints a line to standard error.
    public static func errorLine(_ text: String) { write(text + "\n", to: 2) }

    private static func write(_ text: String, to descriptor: Int32) {
        guard let errno = send(text, to: descriptor), descriptor == 1 else { return }
        if errno == .brokenPipe { _exit(128 + SIGPIPE) }
        errorLine("write to standard output: \(errno)")
        _exit(1)
    }

    /// - Returns: What the kernel said; nil when all is written.
    private static func send(_ text: String, to descriptor: Int32) -> Errno? {
        var text = text
        return text.withUTF8 { bytes in
            var offset = 0
            while offset < bytes.count {
                let count = retryingOnInterrupt {
                    CLinux.write(descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
                }
                if count < 0 { return Errno(rawValue: swn_errno()) }
                offset += count
            }
            return nil
        }
    }
}
