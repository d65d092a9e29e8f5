/// A further process in a running container: the options of `swbox exec`.
public struct ExecOptions: Hashable, Sendable {
    public var arguments: [String]
    public var isDetached = false
    public var isInteractive = false
    public var hasTerminal = false
    /// `NAME=value`, on top of the container's own.
    public var environment: [String] = []
    /// `user[:group]`; nil is the container's.
    public var user: String?
    /// Nil is the container's.
    public var workingDirectory: String?
    public var isPrivileged = false

    public init(arguments: [String]) { self.arguments = arguments }
}
