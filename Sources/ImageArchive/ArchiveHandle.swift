import CArchive
import CLinux

/// A libarchive reader over a stream of ours: decompression and the parsing of tar headers, never the making of files.
@safe final class ArchiveHandle {
    let pointer: OpaquePointer
    private let source: any ByteStream
    /// What the stream threw inside libarchive's callback, to be thrown again outside of it.
    private var failure: (any Error)?
    /// Bytes that libarchive has taken from the stream.
    private(set) var consumed: Int64 = 0

    init(_ source: any ByteStream) throws {
        guard let pointer = unsafe archive_read_new() else { throw ImageArchiveError(source.name, "out of memory") }
        unsafe self.pointer = unsafe pointer
        self.source = source
    }

    deinit { unsafe archive_read_free(pointer) }

    /// Starts reading, after formats and filters have been chosen.
    func open(skipping: Bool) throws {
        unsafe archive_read_set_callback_data(pointer, Unmanaged.passUnretained(self).toOpaque())
        unsafe archive_read_set_read_callback(pointer) { _, client, buffer in
            guard let client = unsafe client, let buffer = unsafe buffer else { return -1 }
            return unsafe Unmanaged<ArchiveHandle>.fromOpaque(client).takeUnretainedValue().read(into: buffer)
        }
        if skipping {
            unsafe archive_read_set_skip_callback(pointer) { _, client, count in
                guard let client = unsafe client else { return 0 }
                return unsafe Unmanaged<ArchiveHandle>.fromOpaque(client).takeUnretainedValue().skip(count)
            }
        }
        unsafe try check(archive_read_open1(pointer))
    }

    private func read(into buffer: UnsafeMutablePointer<UnsafeRawPointer?>) -> Int {
        do {
            let chunk = unsafe try source.next()
            consumed += Int64(chunk.count)
            unsafe buffer.pointee = chunk.baseAddress
            return chunk.count
        } catch {
            failure = error
            return -1
        }
    }

    private func skip(_ count: Int64) -> Int64 {
        do {
            return try source.skip(count)
        } catch {
            failure = error
            return -1
        }
    }

    /// Turns libarchive's answer into an error that names the archive and the entry.
    ///
    /// - Returns: Whether there is more; false at the end.
    @discardableResult
    func check(_ result: Int32, entry: String? = nil) throws -> Bool {
        if result == ARCHIVE_OK { return true }
        if result == ARCHIVE_EOF { return false }
        if let failure { throw failure }
        let message = unsafe archive_error_string(pointer).map { unsafe String(cString: $0) } ?? ""
        // Names are bytes to us, so it is no loss that they are no text in the C locale.
        if result == ARCHIVE_WARN, message.contains("can't be converted") { return true }
        throw ImageArchiveError(source.name, entry: entry, explain(message))
    }

    private func explain(_ message: String) -> String {
        switch message {
        case "": return "damaged or cut short"
        case "Unrecognized archive format":
            return "is not a tar archive (plain or compressed with gzip, bzip2, xz or zstd)"
        default: return "damaged or cut short: \(message.prefix(1).lowercased())\(message.dropFirst())"
        }
    }
}
