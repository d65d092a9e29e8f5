public import CLinux
import SystemPackage

/// Connects this process's own terminal, or pipes, with the controlling side of another one.
///
/// As long as it lives, standard input, if it is a terminal, is in raw mode: every key goes through, also Ctrl-C, and
/// becomes a signal only on the other side. Dropped, the terminal is what it was.
public struct TerminalRelay: ~Copyable {
    private let console: Descriptor
    private let former: termios?
    private var isInputOpen = true
    private var isConsoleOpen = true

    /// Lines are ended by this process's terminal, if there is one, so the other side had better not do it as well
    /// (`PseudoTerminal.setPlainLines()`).
    ///
    /// - Parameter console: The controlling side, as `PseudoTerminal.controller`.
    public init(owning console: consuming Descriptor) throws(SystemError) {
        var settings = termios()
        self.console = console
        if unsafe tcgetattr(0, &settings) == 0 {
            former = settings
            let output = settings.c_oflag
            unsafe cfmakeraw(&settings)
            // Lines are ended here, in one place: what goes to a file or a pipe has none of a terminal's returns.
            settings.c_oflag = output
            unsafe tcsetattr(0, TCSANOW, &settings)
        } else {
            former = nil
        }
        copySize()
    }

    deinit {
        if var former { unsafe tcsetattr(0, TCSANOW, &former) }
    }

    /// What to poll for: first the console, then standard input.
    public var events: [pollfd] {
        [
            pollfd(fd: isConsoleOpen ? console.rawValue : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: isInputOpen ? 0 : -1, events: Int16(POLLIN), revents: 0),
        ]
    }

    /// Gives the other side the size of this process's terminal.
    public borrowing func copySize() {
        var size = winsize()
        guard unsafe swn_ioctl_pointer(0, UInt(TIOCGWINSZ), &size) == 0 else { return }
        _ = unsafe swn_ioctl_pointer(console.rawValue, UInt(TIOCSWINSZ), &size)
    }

    /// Copies what `poll` has found, in the order of `events`.
    public mutating func copy(_ events: [pollfd]) {
        guard events.count == 2 else { return }
        if events[0].revents != 0 { isConsoleOpen = Self.copy(from: console.rawValue, to: 1) }
        if events[1].revents != 0 {
            isInputOpen = Self.copy(from: 0, to: console.rawValue)
            // The end of the input is a key in a terminal: Ctrl-D.
            if !isInputOpen { _ = unsafe write(console.rawValue, "\u{4}", 1) }
        }
    }

    /// Copies what is left when the other side has ended.
    public mutating func drain() {
        while isConsoleOpen {
            var event = pollfd(fd: console.rawValue, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&event, 1, 0) > 0 else { return }
            isConsoleOpen = Self.copy(from: console.rawValue, to: 1)
        }
    }

    /// False at the end of the input; a terminal's end is EIO.
    private static func copy(from source: Int32, to target: Int32) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = retryingOnInterrupt { unsafe read(source, &buffer, buffer.count) }
        guard count > 0 else { return false }
        var rest = buffer[..<count]
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { bytes in
                retryingOnInterrupt { unsafe write(target, bytes.baseAddress, bytes.count) }
            }
            guard written > 0 else { return false }
            rest = rest.dropFirst(written)
        }
        return true
    }
}
