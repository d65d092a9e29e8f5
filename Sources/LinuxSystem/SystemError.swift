public import SystemPackage

/// A system call that failed: what was tried, on what, and what the kernel answered.
public struct SystemError: Error, Hashable, Sendable {
    /// What was tried, as a verb phrase: `open`, `mount overlay on`.
    public var operation: String
    /// The path, name or number it was tried on; empty when there is none.
    public var object: String
    /// The kernel's answer.
    public var errno: Errno
    /// What to do about it, when that is known.
    public var hint: String?

    public init(_ operation: String, _ object: String = "", errno: Errno, hint: String? = nil) {
        self.operation = operation
        self.object = object
        self.errno = errno
        self.hint = hint
    }
}

extension SystemError: CustomStringConvertible {
    public var description: String {
        let what = object.isEmpty ? operation : "\(operation) \(object)"
        let answer = "\(what): \(errno.description.lowercasedFirst)"
        return hint.map { "\(answer) (\($0))" } ?? answer
    }
}

extension Errno {
    /// The calling thread's `errno`, to be read right after a failed call.
    public static var last: Errno { Errno(rawValue: CurrentErrno.value) }
}

extension String {
    fileprivate var lowercasedFirst: String {
        guard let first else { return self }
        return first.lowercased() + dropFirst()
    }
}
