import CArchive
import CLinux

/// A way of compression that layers use.
enum Compression: String, CaseIterable {
    case plain, gzip, bzip2, xz, zstd

    /// libarchive's number for it.
    fileprivate var code: Int32 {
        switch self {
        case .plain: ARCHIVE_FILTER_NONE
        case .gzip: ARCHIVE_FILTER_GZIP
        case .bzip2: ARCHIVE_FILTER_BZIP2
        case .xz: ARCHIVE_FILTER_XZ
        case .zstd: ARCHIVE_FILTER_ZSTD
        }
    }

    fileprivate func enable(_ archive: ArchiveHandle, name: String) throws {
        let result =
            switch self {
            case .plain: ARCHIVE_OK
            case .gzip: unsafe archive_read_support_filter_gzip(archive.pointer)
            case .bzip2: unsafe archive_read_support_filter_bzip2(archive.pointer)
            case .xz: unsafe archive_read_support_filter_xz(archive.pointer)
            case .zstd: unsafe archive_read_support_filter_zstd(archive.pointer)
            }
        // A warning says that libarchive would run an external program, which we never do.
        guard result == ARCHIVE_OK else { throw ImageArchiveError(name, "this libarchive cannot read \(self)") }
    }
}

/// The uncompressed bytes of a stream, within the limits against decompression bombs.
final class Decompressor: ByteStream {
    let name: String
    /// What the stream turned out to be compressed with.
    let compression: Compression
    private let archive: ArchiveHandle
    private let limits: ArchiveLimits
    private var produced: Int64 = 0
    private var isAtEnd: Bool

    /// - Parameter expected: The one compression that is accepted; nil accepts any.
    init(_ source: any ByteStream, expected: Compression? = nil, limits: ArchiveLimits) throws {
        name = source.name
        self.limits = limits
        archive = try ArchiveHandle(source)
        for compression in Compression.allCases where expected == nil || expected == compression {
            try compression.enable(archive, name: name)
        }
        unsafe try archive.check(archive_read_support_format_raw(archive.pointer))
        unsafe try archive.check(archive_read_support_format_empty(archive.pointer))
        try archive.open(skipping: false)
        var entry: OpaquePointer?
        isAtEnd = unsafe try !archive.check(archive_read_next_header(archive.pointer, &entry))
        let code = unsafe archive_filter_code(archive.pointer, 0)
        // The last filter of the count is libarchive's own reading of the source.
        guard let found = Compression.allCases.first(where: { $0.code == code }),
            unsafe archive_filter_count(archive.pointer) <= 2
        else { throw ImageArchiveError(name, "is compressed more than once") }
        compression = found
        if let expected, expected != found {
            throw ImageArchiveError(name, "is not compressed with \(expected), as its media type says")
        }
    }

    func next() throws -> UnsafeRawBufferPointer {
        if isAtEnd { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
        var start: UnsafeRawPointer?
        var count = 0
        var offset: Int64 = 0
        repeat {
            guard unsafe try archive.check(archive_read_data_block(archive.pointer, &start, &count, &offset)) else {
                isAtEnd = true
                return unsafe UnsafeRawBufferPointer(start: nil, count: 0)
            }
        } while count == 0
        produced += Int64(count)
        guard produced <= limits.bytes else {
            throw ImageArchiveError(name, "unpacks to more than the limit of \(limits.bytes) bytes")
        }
        guard produced <= limits.ratioFloor || produced / limits.ratio <= archive.consumed else {
            throw ImageArchiveError(
                name, "unpacks to more than \(limits.ratio) times its size, like a decompression bomb")
        }
        return unsafe UnsafeRawBufferPointer(start: start, count: count)
    }
}
