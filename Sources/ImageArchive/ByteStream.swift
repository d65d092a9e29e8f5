import CLinux
import LinuxSystem
import SystemPackage

/// Bytes that come in chunks. Archives are read through a chain of these: file, digest, decompression, digest, tar.
protocol ByteStream: AnyObject {
    /// What an error calls it.
    var name: String { get }

    /// The next chunk, which is valid until the next call; empty at the end.
    func next() throws -> UnsafeRawBufferPointer

    /// Passes over bytes without reading them.
    ///
    /// - Returns: How many were passed over; 0 when the stream can only be read.
    func skip(_ count: Int64) throws -> Int64
}

extension ByteStream {
    func skip(_ count: Int64) throws -> Int64 { 0 }

    /// Reads what is left, for the sake of a digest further down the chain.
    func drain() throws {
        while unsafe try !next().isEmpty {}
    }
}

/// A descriptor that several streams can share.
final class OpenFile {
    let descriptor: Descriptor

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
}

/// The bytes of an open file, or of what a pipe delivers.
@safe final class FileStream: ByteStream {
    let name: String
    private let file: OpenFile
    /// The next byte to read; nil for a file without positions.
    private var position: Int64?
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)

    /// - Parameter start: Where to begin; nil for a pipe.
    init(_ file: OpenFile, name: String, from start: Int64?) {
        self.file = file
        self.name = name
        position = start
    }

    deinit { unsafe buffer.deallocate() }

    func next() throws -> UnsafeRawBufferPointer {
        let number = file.descriptor.rawValue
        let count = retryingOnInterrupt {
            if let position { return unsafe pread(number, buffer.baseAddress, buffer.count, Int(position)) }
            return unsafe read(number, buffer.baseAddress, buffer.count)
        }
        guard count >= 0 else { throw SystemError("read", name, errno: .last) }
        position = position.map { $0 + Int64(count) }
        return unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }

    func skip(_ count: Int64) throws -> Int64 {
        guard let position else { return 0 }
        let (target, overflow) = position.addingReportingOverflow(count)
        guard !overflow else { return 0 }
        self.position = target
        return count
    }
}
