/// A JSON document as a tree (RFC 8259).
enum JSONTree {
    case null
    case bool(Bool)
    /// As it is written: an integer keeps all its digits until somebody says which type it is.
    case number(Substring)
    case string(String)
    case array([JSONTree])
    /// In the order of the document. Of a name that comes twice, the last counts.
    case object([(name: String, value: JSONTree)])

    /// What it is, for an error message.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

/// A text that is not JSON, with the place where it stops being it.
struct JSONError: Error {
    var reason: String
    /// In bytes from the beginning.
    var offset: Int
}
