/// A message to be sent and what it is about, so that a refusal can be told in the caller's words.
public struct NetlinkRequest: Sendable {
    public var message: MessageBuilder
    /// What is tried, as a verb phrase: `add route`.
    public var operation: String
    /// What it is tried on.
    public var object: String

    public init(_ message: MessageBuilder, _ operation: String, _ object: String) {
        self.message = message
        self.operation = operation
        self.object = object
    }
}
