import ImageStore
import LinuxSystem

/// Unpacks one layer from a stream and tells its digests.
struct LayerUnpacker {
    struct Result {
        /// The digest of the stream as it came.
        var blob: Digest
        /// The digest of the uncompressed archive.
        var diffID: Digest
        /// Bytes of the files.
        var size: Int64
    }

    var limits = ArchiveLimits()
    /// The compression that the media type promises; nil accepts any.
    var compression: Compression?
    /// The bytes of the stream that the descriptor promises.
    var declaredSize: Int64?
    /// Whether an archive without an end mark is refused. One whose digest is known needs no mark.
    var needsEndMark = false

    /// - Parameter root: An empty directory.
    /// - Throws: `ImageArchiveError` that names the stream and the entry; what was unpacked until then stays.
    func unpack(_ stream: any ByteStream, into root: consuming Descriptor) throws -> Result {
        let blob = HashingStream(stream, limit: declaredSize)
        let archive = HashingStream(try Decompressor(blob, expected: compression, limits: limits))
        let reader = try TarReader(archive)
        let extractor = LayerExtractor(into: root, name: stream.name, limits: limits)
        while let entry = try reader.next() { try extractor.extract(entry, from: reader) }
        // What follows the end mark belongs to the digests too.
        try archive.drain()
        try blob.drain()
        if needsEndMark, !archive.endsWithZeroBlock {
            throw ImageArchiveError(
                stream.name,
                archive.count == 0
                    ? "is empty"
                    : "ends without an end-of-archive mark after \(extractor.entries) entries: it is cut short")
        }
        if let declaredSize, blob.count != declaredSize {
            throw ImageArchiveError(
                stream.name, "has \(blob.count) bytes, and its descriptor declares \(declaredSize): it is cut short")
        }
        try extractor.finish()
        return Result(blob: try blob.digest(), diffID: try archive.digest(), size: extractor.size)
    }
}
