import struct Crypto.SHA256
import ImageStore

/// Computes the digest of what passes through, and counts it.
final class HashingStream: ByteStream {
    let name: String
    private let source: any ByteStream
    private let limit: Int64?
    private var hash = SHA256()
    private(set) var count: Int64 = 0
    /// Zero bytes at the end of what has passed so far.
    private(set) var trailingZeros: Int64 = 0

    /// - Parameter limit: The most bytes that may pass; more are an error, whatever they are.
    init(_ source: any ByteStream, limit: Int64? = nil) {
        self.source = source
        self.limit = limit
        name = source.name
    }

    func next() throws -> UnsafeRawBufferPointer {
        let chunk = unsafe try source.next()
        count += Int64(chunk.count)
        if let limit, count > limit {
            throw ImageArchiveError(name, "is longer than the \(limit) bytes that its descriptor declares")
        }
        unsafe hash.update(bufferPointer: chunk)
        if let last = unsafe chunk.lastIndex(where: { $0 != 0 }) {
            trailingZeros = Int64(chunk.count - 1 - last)
        } else {
            trailingZeros += Int64(chunk.count)
        }
        return unsafe chunk
    }

    /// The digest of all bytes so far.
    func digest() throws -> Digest {
        guard let digest = Digest(bytes: hash.finalize()) else { throw ImageArchiveError(name, "has no digest") }
        return digest
    }
}

/// The digest of bytes in memory.
func digest(of bytes: [UInt8], name: String) throws -> Digest {
    guard let digest = Digest(bytes: SHA256.hash(data: bytes)) else { throw ImageArchiveError(name, "has no digest") }
    return digest
}
