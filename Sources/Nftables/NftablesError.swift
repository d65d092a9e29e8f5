public import SystemPackage

/// A request that failed: what was tried, on which object of the batch, and what the kernel answered.
public struct NftablesError: Error, Hashable, Sendable {
    /// What was tried, in nft's words: `add element`, `delete chain`, `list tables`.
    public var operation: String
    /// What it was tried on: `1.2.3.4 . tcp . 80 in map inet swnet published`.
    public var object: String
    /// The kernel's answer; `invalidArgument` for what was refused before it was sent.
    public var errno: Errno
    /// The kernel's own words (extended acknowledgement), or why it was not sent.
    public var message: String?
    /// The place of the failing command in the batch, from 0.
    public var command: Int?
    /// The element that failed, when it was one.
    public var element: Element?
    /// The element of the kernel's set that is in the way of `element`: its comment tells whose it is.
    public var existing: Element?
    /// What to do about it, or what may be the cause, when that is known.
    public var hint: String?

    public init(_ operation: String, _ object: String, errno: Errno, message: String? = nil) {
        self.operation = operation
        self.object = object
        self.errno = errno
        self.message = message
    }

    /// Refused before it is sent.
    init(invalid operation: String, _ object: String, _ problem: String) {
        self.init(operation, object, errno: .invalidArgument, message: problem)
    }
}

extension NftablesError: CustomStringConvertible {
    public var description: String {
        var text = "\(operation) \(object): "
        let answer = errno.description
        text += answer.prefix(1).lowercased() + answer.dropFirst()
        if let message { text += ": \(message)" }
        if let existing { text += " (the set has \(existing))" }
        if let hint { text += " (\(hint))" }
        return text
    }
}
