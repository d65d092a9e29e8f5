import CLinux
public import ImageStore
import LinuxSystem

/// Makes an image of one layer out of an archive of a root file system, as `docker import` does.
public struct ImageImport: Sendable {
    /// Changes to the empty configuration in the words of a Dockerfile: `CMD ["sh"]`, `ENV A=b`.
    public var changes: [String] = []
    /// A note for the image's history.
    public var message: String?
    public var limits = ArchiveLimits()

    public init() {}

    /// Reads the archive and adds the image.
    ///
    /// - Parameter reference: The image's name; nil leaves it without.
    /// - Returns: The image, and the id of the image that had the name before.
    /// - Throws: `ImageArchiveError`, `ImageStoreError` or `SystemError`; nothing is left of the image then.
    ///   Equivalent to `docker import`.
    public func run(
        _ input: ArchiveInput, into store: ImageStore, as reference: ImageReference?,
        progress: @escaping (ArchiveProgress) -> Void = { _ in }
    ) throws -> (image: Image, replaced: Digest?) {
        if let reference, reference.digest != nil {
            throw ImageStoreError(.invalidReference, "import as \(reference.familiar): a digest cannot be chosen")
        }
        var config = ImageConfig()
        for change in changes { try ConfigChange(change).apply(to: &config) }
        try requireRoot()
        let stream = try Self.stream(of: input)
        let transaction = try store.begin()
        let root = try transaction.makeLayer("layer")
        var unpacker = LayerUnpacker(limits: limits)
        unpacker.needsEndMark = true
        let layer = try unpacker.unpack(ProgressStream(stream, layer: nil, progress: progress), into: root)
        try transaction.addLayer("layer", diffID: layer.diffID, size: layer.size)
        progress(.unpacked(layer: layer.diffID, bytes: layer.size))

        var document = ImageDocument(
            architecture: Platform.host.architecture, os: "linux", config: config, diffIDs: [layer.diffID])
        let now = Timestamp.text(secondsSince1970: Int64(time(nil)))
        document.created = now
        document.history = [ImageDocument.History(created: now, comment: message ?? "imported from \(stream.name)")]
        let bytes = try document.encoded()
        let image = Image(id: try digest(of: bytes, name: "image"), document: document, size: layer.size)
        let replaced = try transaction.commit(image, document: bytes, references: reference.map { [$0] } ?? [])
        return (image, replaced.values.first)
    }

    private static func stream(of input: ArchiveInput) throws -> FileStream {
        switch try input.open() {
        case .directory(_, let name):
            throw ImageArchiveError(name, "is a directory: import reads a tar archive of one (tar -C DIR -c . | …)")
        case .file(let file, let name, let start): return FileStream(file, name: name, from: start)
        case .pipe(let file, let name): return FileStream(file, name: name, from: nil)
        }
    }
}

/// Layers hold devices and other users' files.
func requireRoot() throws {
    guard geteuid() == 0 else { throw ImageStoreError(.conflict, "unpacking layers needs root (sudo)") }
}
