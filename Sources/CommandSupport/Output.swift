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
        var text = text + "\n"
        return text.withUTF8 { bytes in
            var offset = 0
            while offset < bytes.count {
                let count = retryingOnInterrupt {
                    CLinux.write(1, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
                }
                if count < 0 {
                    if swn_errno() == EPIPE { return false }
                    errorLine("write to standard output: \(Errno(rawValue: swn_errno()).description)")
                    _exit(1)
                }
                offset += count
            }
            return true
        }
    }

    /// Prints to standard error.
    public static func error(_ text: String) { write(text, to: 2) }

    /// Prints a line to standard error.
    public static func errorLine(_ text: String) { write(text + "\n", to: 2) }

    private static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { bytes in
            var offset = 0
            while offset < bytes.count {
                let count = retryingOnInterrupt {
                    CLinux.write(descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
                }
                if count < 0 {
                    guard descriptor == 1 else { return }
                    let errno = swn_errno()
                    if errno == EPIPE { _exit(128 + SIGPIPE) }
                    errorLine("write to standard output: \(Errno(rawValue: errno).description)")
                    _exit(1)
                }
                offset += count
            }
        }
    }
}
