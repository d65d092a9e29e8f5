/// A message to be sent and what it is about, so that a refusal can be told in the caller's words.
public struct NetlinkRequest: Sendable {
    public var message: MessageBuilder
    /// What is tried, as a verb phrase: `add route`.
    public var operation: String
    /// What it is tried on.
    public var object: String
    /// What to add to a refusal, from a caller that knows more than the kernel says: which kind of link it lacks.
    public var hint: (@Sendable (NetlinkError) -> String?)?

    public init(
        _ message: MessageBuilder, _ operation: String, _ object: String,
        hint: (@Sendable (NetlinkError) -> String?)? = nil
    ) {
        self.message = message
        self.operation = operation
        self.object = object
        self.hint = hint
    }

    /// The kernel's answer, said to be about this request.
    func refused(_ answer: NetlinkError) -> NetlinkError {
        var error = answer.about(operation, object)
        if error.hint == nil { error.hint = hint?(error) }
        return error
    }
}
