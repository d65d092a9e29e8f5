/// Why the engine refused or failed, in words that name the object and the value.
public struct EngineError: Error, Hashable, Sendable {
    /// What kind of failure it is; docker's exit codes follow from it.
    public enum Kind: Hashable, Sendable {
        /// The request is wrong: a malformed or contradictory value.
        case invalid
        /// No such container, image or volume.
        case notFound
        /// A name that is taken, a container that is running or is not.
        case conflict
        /// The container's command exists and cannot be executed.
        case cannotExecute
        /// The container's command does not exist.
        case commandNotFound
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

extension EngineError: CustomStringConvertible {
    public var description: String { message }
}
