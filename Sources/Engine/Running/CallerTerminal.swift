import CLinux
import LinuxSystem
import RuntimeSpec

/// The terminal of the person who called, put into raw mode while a container has it, and always put back.
struct CallerTerminal: ~Copyable {
    private let descriptor: Int32
    private var saved = termios()
    private let isTerminal: Bool

    /// Does nothing to a descriptor that is no terminal.
    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var attributes = termios()
        guard tcgetattr(descriptor, &attributes) == 0 else {
            isTerminal = false
            return
        }
        isTerminal = true
        saved = attributes
        cfmakeraw(&attributes)
        tcsetattr(descriptor, TCSADRAIN, &attributes)
    }

    deinit {
        guard isTerminal else { return }
        var attributes = saved
        tcsetattr(descriptor, TCSADRAIN, &attributes)
    }

    /// The size of a terminal in characters; nil for what is none. The corresponding request is `TIOCGWINSZ`.
    static func size(of descriptor: Int32) -> Spec.ConsoleSize? {
        var size = winsize()
        guard swn_ioctl_pointer(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else { return nil }
        return Spec.ConsoleSize(height: UInt64(size.ws_row), width: UInt64(size.ws_col))
    }

    /// Gives a container's terminal the size of the caller's. The corresponding request is `TIOCSWINSZ`, which also
    /// sends SIGWINCH to the programs in it.
    static func copySize(from descriptor: Int32, to console: Int32) {
        var size = winsize()
        guard swn_ioctl_pointer(descriptor, UInt(TIOCGWINSZ), &size) == 0 else { return }
        _ = swn_ioctl_pointer(console, UInt(TIOCSWINSZ), &size)
    }
}
