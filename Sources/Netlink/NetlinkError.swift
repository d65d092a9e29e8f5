public import SystemPackage

/// A request that the kernel refused, or that could not be made.
public struct NetlinkError: Error, Hashable, Sendable {
    /// What was tried, as a verb phrase: `create link`, `add route`.
    public var operation: String
    /// What it was tried on: a name, an address.
    public var object: String
    /// The kernel's answer.
    public var errno: Errno
    /// The kernel's own words, when it sent any (extended acknowledgement, `NLMSGERR_ATTR_MSG`).
    public var message: String?
    /// Where in the request the attribute begins that the kernel refused (`NLMSGERR_ATTR_OFFS`).
    public var offset: UInt32?
    /// The type of an attribute that the kernel missed (`NLMSGERR_ATTR_MISS_TYPE`).
    public var missingAttribute: UInt32?
    /// What to do about it, when that is known.
    public var hint: String?

    public init(
        _ operation: String, _ object: String = "", errno: Errno, message: String? = nil, offset: UInt32? = nil,
        missingAttribute: UInt32? = nil, hint: String? = nil
    ) {
        self.operation = operation
        self.object = object
        self.errno = errno
        self.message = message
        self.offset = offset
        self.missingAttribute = missingAttribute
        self.hint = hint
    }

    /// The same answer, said to be about something else: for a caller that knows better what was asked.
    public func about(_ operation: String, _ object: String) -> NetlinkError {
        var copy = self
        copy.operation = operation
        copy.object = object
        return copy
    }
}

extension NetlinkError: CustomStringConvertible {
    public var description: String {
        var text = object.isEmpty ? operation : "\(operation) \(object)"
        text += ": \(errno.description.lowercasedFirst)"
        if let message, !message.isEmpty {
            let words = message.hasSuffix(".") ? String(message.dropLast()) : message
            text += ": \(words.lowercasedFirst)"
        }
        if let missingAttribute { text += ": attribute \(missingAttribute) is missing" }
        if let hint { text += " (\(hint))" }
        return text
    }
}

extension String {
    /// The kernel's sentences begin with a capital, ours do not; an abbreviation (`IPv6`, `MTU`) keeps its own.
    fileprivate var lowercasedFirst: String {
        guard let first, let second = dropFirst().first, !second.isUppercase, !hasPrefix("IPv") else { return self }
        return first.lowercased() + dropFirst()
    }
}
