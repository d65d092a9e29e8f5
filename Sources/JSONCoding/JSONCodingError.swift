/// A document that cannot be read as what it should be, or a value that JSON cannot say.
public struct JSONCodingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The member's path from the top, for example `process.rlimits[2].type`; empty for the document as a whole.
    public var path: String
    /// What is wrong with it, and with which value.
    public var reason: String

    public init(_ path: String, _ reason: String) {
        self.path = path
        self.reason = reason
    }

    /// One line, whatever the document's own names and values are.
    public var description: String { (path.isEmpty ? reason : "\(path): \(reason)").printable }
}

extension JSONCodingError {
    /// The same as seen from one level further out.
    ///
    /// - Parameter step: The name of a member, or an element's `[0]`.
    public func inside(_ step: String) -> JSONCodingError {
        JSONCodingError(path.isEmpty || path.hasPrefix("[") ? step + path : "\(step).\(path)", reason)
    }

    /// What the standard library says about a value, such as a name that an enumeration does not have.
    init(_ error: DecodingError) {
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            self.init(Self.path(context.codingPath), Self.sentence(context.debugDescription))
        case .keyNotFound(let key, let context):
            self.init(Self.path(context.codingPath + [key]), "missing")
        @unknown default:
            self.init("", "\(error)")
        }
    }

    static func path(_ keys: [any CodingKey]) -> String {
        keys.reduce(into: "") { path, key in
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += path.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
    }

    private static func sentence(_ text: String) -> String {
        let text = text.hasSuffix(".") ? String(text.dropLast()) : text
        return text.prefix(1).lowercased() + text.dropFirst()
    }
}
