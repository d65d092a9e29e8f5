/// Why a network operation was refused or failed, in words that name the object and the value.
public struct NetworkError: Error, Hashable, Sendable {
    /// What kind of failure it is, for callers that act on it; people read the message.
    public enum Kind: String, Hashable, Sendable {
        /// The request itself is wrong: a malformed or contradictory value.
        case invalid
        /// A network, sandbox or port that does not exist.
        case notFound
        /// A name, address, port or subnet that somebody else has.
        case taken
        /// The object is used by others, so it cannot be removed.
        case inUse
        /// The kernel or the file system said no.
        case failed
    }

    public var kind: Kind
    /// Lower case, no full stop.
    public var message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}

extension NetworkError: CustomStringConvertible {
    public var description: String { message }
}
