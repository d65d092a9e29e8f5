import CLinux
import JSONCoding

/// A line on standard error that replaces itself while something long goes on; nothing when that is no terminal.
public struct ProgressLine: ~Copyable {
    private let isShown: Bool
    private var isEmpty = true
    private var last = timespec()

    public init() { isShown = Terminal.isTerminal(2) && Terminal.environment("TERM") != "dumb" }

    deinit { if !isEmpty { Self.write("\r\u{1b}[K") } }

    /// Shows a text in place of the last one, at most ten times a second.
    public mutating func show(_ text: @autoclosure () -> String) {
        guard isShown else { return }
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let elapsed = (now.tv_sec - last.tv_sec) * 1_000 + (now.tv_nsec - last.tv_nsec) / 1_000_000
        guard isEmpty || elapsed >= 100 else { return }
        last = now
        isEmpty = false
        Self.write("\r\u{1b}[K" + text().printable)
    }

    private static func write(_ text: String) {
        var text = text
        // A progress line that cannot be written is no reason to stop the work it is about.
        _ = text.withUTF8 { CLinux.write(2, $0.baseAddress, $0.count) }
    }
}
