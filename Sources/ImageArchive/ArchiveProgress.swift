public import ImageStore

/// What goes on while an archive is read, for a person who waits.
public enum ArchiveProgress: Sendable {
    /// Standard input is copied, because it has to be read more than once; bytes so far.
    case copying(bytes: Int64)
    /// A layer is being unpacked; uncompressed bytes so far.
    case unpacking(layer: Digest?, bytes: Int64)
    /// A layer is there already.
    case present(layer: Digest)
    /// A layer has been unpacked; bytes of its files.
    case unpacked(layer: Digest, bytes: Int64)
}

/// Tells progress about what passes through.
final class ProgressStream: ByteStream {
    let name: String
    private let source: any ByteStream
    private let layer: Digest?
    private let progress: (ArchiveProgress) -> Void
    private var count: Int64 = 0

    init(_ source: any ByteStream, layer: Digest?, progress: @escaping (ArchiveProgress) -> Void) {
        self.source = source
        self.layer = layer
        self.progress = progress
        name = source.name
    }

    func next() throws -> UnsafeRawBufferPointer {
        let chunk = unsafe try source.next()
        count += Int64(chunk.count)
        progress(.unpacking(layer: layer, bytes: count))
        return unsafe chunk
    }
}
