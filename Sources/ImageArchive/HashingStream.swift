import struct Crypto.SHA256
import ImageStore

/// Computes the digest of what passes through, and counts it.
final class HashingStream: ByteStream {
    let name: String
    private let source: any ByteStream
    private let limit: Int64?
    private var hash = SHA256()
    private(set) var count: Int64 = 0
    /// Whether a block of zeros is at the end of what has passed so far, as at the end of every tar archive.
    var endsWithZeroBlock: Bool { trailingZeros >= Self.block }
    private var trailingZeros = 0
    private static let block = 512

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
        unsafe countZeros(chunk)
        return unsafe chunk
    }

    /// Looks at the last block only, because an archive may be all zeros.
    private func countZeros(_ chunk: UnsafeRawBufferPointer) {
        guard unsafe !chunk.isEmpty else { return }
        let tail = unsafe chunk.suffix(Self.block)
        let zeros = unsafe tail.reversed().prefix { $0 == 0 }.count
        trailingZeros = unsafe zeros < tail.count ? zeros : min(Self.block, trailingZeros) + zeros
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
