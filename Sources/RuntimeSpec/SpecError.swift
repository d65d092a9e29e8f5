import JSONCoding

/// A document that cannot be used, with the field that is to blame.
public struct SpecError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The field's path from the top, for example `process.rlimits[2].type`; empty for the document as a whole.
    public var field: String
    /// What is wrong with it, and with which value.
    public var reason: String

    public init(_ field: String, _ reason: String) {
        self.field = field
        self.reason = reason
    }

    /// One line, whatever the document's own names and values are.
    public var description: String { (field.isEmpty ? reason : "\(field): \(reason)").printable }
}
