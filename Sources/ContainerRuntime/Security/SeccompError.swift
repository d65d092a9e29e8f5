public import SystemPackage

/// A filter for system calls that cannot be compiled, kept or loaded.
public struct SeccompError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was tried, as a verb phrase: `add rule for`.
    public var operation: String
    /// The system call, architecture or file it was about; empty when there is none.
    public var object: String
    public var errno: Errno
    /// What to do about it, or what is wrong with the value.
    public var hint: String?

    public init(_ operation: String, _ object: String = "", errno: Errno, hint: String? = nil) {
        self.operation = operation
        self.object = object
        self.errno = errno
        self.hint = hint
    }

    public var description: String {
        let what = object.isEmpty ? "seccomp: \(operation)" : "seccomp: \(operation) \(object)"
        let answer = "\(what): \(errno.description.lowercased())"
        return hint.map { "\(answer) (\($0))" } ?? answer
    }
}
