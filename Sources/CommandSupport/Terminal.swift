import CLinux

/// What is known about the terminal behind a standard stream.
public enum Terminal {
    /// Whether a descriptor is a terminal. The corresponding C function is `isatty`.
    public static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// Whether a stream may be coloured: it is a terminal, `NO_COLOR` (no-color.org) is unset or empty, and the
    /// terminal is not a dumb one.
    public static func isColored(_ descriptor: Int32) -> Bool {
        isTerminal(descriptor) && (environment("NO_COLOR") ?? "").isEmpty && environment("TERM") != "dumb"
    }

    /// A variable of this process's environment.
    public static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// Whether a person's locale is of UTF-8 (POSIX, section 8.2: `LC_ALL` before `LC_CTYPE` before `LANG`).
    public static var isUTF8: Bool {
        let names = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(environment).first { !$0.isEmpty } ?? ""
        let lower = names.lowercased()
        return lower.contains("utf-8") || lower.contains("utf8")
    }

    /// A text with its arrows and lines in ASCII where the locale has no others.
    public static func shown(_ text: String) -> String {
        if isUTF8 { return text }
        let plain: [Character: String] = [
            "→": "->", "✗": "x", "─": "-", "│": "|", "├": "|", "└": "`", "…": "...", "•": "*",
        ]
        return text.map { plain[$0] ?? String($0) }.joined()
    }
}
