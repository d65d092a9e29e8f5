/// Something asked of a container that cannot be done: it is not there, or is not in the state for it.
///
/// The texts are runc's, because engines look for them.
public struct ContainerError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: Hashable, Sendable {
        case notFound, exists, invalid, wrongState, failed
    }

    public var kind: Kind
    public var description: String

    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    static let notFound = ContainerError(.notFound, "container does not exist")
    static let exists = ContainerError(.exists, "container with given ID already exists")
    static let notRunning = ContainerError(.wrongState, "container not running")
}
