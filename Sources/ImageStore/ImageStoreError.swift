/// Why the store cannot do what was asked; the text names the object and says what to do where that is known.
///
/// A file that cannot be read or written is a `SystemError` instead.
public struct ImageStoreError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: Hashable, Sendable {
        /// The name is not an image reference.
        case invalidReference
        /// No image of that name or id.
        case notFound
        /// An id prefix that several images share.
        case ambiguous
        /// Another name or a container still needs the image.
        case conflict
        /// A file of the store or of an image is not what it should be.
        case damaged
    }

    public var kind: Kind
    public var description: String

    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
