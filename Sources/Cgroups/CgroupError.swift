import LinuxSystem
public import SystemPackage

/// Something about a cgroup that failed: which one, which file and value where there is one, the kernel's answer.
public struct CgroupError: Error, Hashable, Sendable {
    /// What was tried, as a verb phrase: `create`, `set memory.max`.
    public var operation: String
    /// The cgroup's path below the hierarchy's root; empty for limits that were refused before there was one.
    public var object: String
    /// The resource it was about, when it was about one.
    public var controller: CgroupController?
    /// The file that was to be written.
    public var file: String?
    /// The value that was to be written.
    public var value: String?
    /// The kernel's answer, or what it would have been when the value was refused before asking.
    public var errno: Errno
    /// What to do about it, when that is known.
    public var hint: String?

    public init(
        _ operation: String, _ object: String, controller: CgroupController? = nil, value: String? = nil,
        errno: Errno, hint: String? = nil
    ) {
        self.operation = operation
        self.object = object
        self.controller = controller
        self.value = value
        self.errno = errno
        self.hint = hint
    }

    init(_ operation: String, _ object: String, _ error: SystemError) {
        self.init(operation, object, errno: error.errno, hint: error.hint)
    }
}

extension CgroupError: CustomStringConvertible {
    public var description: String {
        var text = object.isEmpty ? "cgroup: \(operation)" : "cgroup \(object): \(operation)"
        if let value { text += " to '\(value)'" }
        if let controller { text += " (\(controller.rawValue) controller)" }
        let answer = SystemError(text, errno: errno, hint: hint)
        return answer.description
    }
}
