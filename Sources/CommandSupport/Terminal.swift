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
}
