import CArchive
import CLinux

/// Reads a tar archive entry by entry: ustar, pax and GNU headers, long names, sparse files.
final class TarReader {
    private let archive: ArchiveHandle
    private let name: String
    private var current: String?

    /// - Parameter skipping: Whether the data of entries that are not read may be passed over with `skip`.
    init(_ source: any ByteStream, skipping: Bool = false) throws {
        name = source.name
        archive = try ArchiveHandle(source)
        unsafe try archive.check(archive_read_support_format_tar(archive.pointer))
        unsafe try archive.check(archive_read_support_format_empty(archive.pointer))
        try archive.open(skipping: skipping)
    }

    /// The next entry; nil at the end of the archive.
    func next() throws -> TarEntry? {
        var entry: OpaquePointer?
        let previous = current
        do {
            guard unsafe try archive.check(archive_read_next_header(archive.pointer, &entry)) else { return nil }
        } catch let error as ImageArchiveError {
            guard error.entry == nil, error.archive == name, let previous else { throw error }
            throw ImageArchiveError(name, entry: "after \(previous)", error.reason)
        }
        guard let entry = unsafe entry else { return nil }
        let result = unsafe try read(entry)
        current = printable(result.path)
        return result
    }

    /// The next piece of the current entry's data and its place in the file; nil at the end.
    ///
    /// Places that are passed over are holes. The bytes are valid until the next call.
    func data() throws -> (bytes: UnsafeRawBufferPointer, offset: Int64)? {
        var start: UnsafeRawPointer?
        var count = 0
        var offset: Int64 = 0
        guard
            unsafe try archive.check(archive_read_data_block(archive.pointer, &start, &count, &offset), entry: current)
        else { return nil }
        return unsafe (UnsafeRawBufferPointer(start: start, count: count), offset)
    }

    private func read(_ entry: OpaquePointer) throws -> TarEntry {
        func bytes(_ text: UnsafePointer<CChar>?, _ utf8: UnsafePointer<CChar>?) -> [UInt8] {
            guard let start = unsafe text ?? utf8 else { return [] }
            return unsafe Array(UnsafeRawBufferPointer(start: start, count: strlen(start)))
        }
        let path = unsafe bytes(archive_entry_pathname(entry), archive_entry_pathname_utf8(entry))
        let hardLink = unsafe bytes(archive_entry_hardlink(entry), archive_entry_hardlink_utf8(entry))
        let symbolicLink = unsafe bytes(archive_entry_symlink(entry), archive_entry_symlink_utf8(entry))
        let major = unsafe UInt32(truncatingIfNeeded: archive_entry_rdevmajor(entry))
        let minor = unsafe UInt32(truncatingIfNeeded: archive_entry_rdevminor(entry))
        let type = unsafe Int32(bitPattern: archive_entry_filetype(entry))
        let kind: TarEntry.Kind =
            switch type {
            case _ where !hardLink.isEmpty: .hardLink
            case S_IFREG: .file
            case S_IFDIR: .directory
            case S_IFLNK: .symbolicLink
            case S_IFIFO: .fifo
            case S_IFCHR: .characterDevice(major: major, minor: minor)
            case S_IFBLK: .blockDevice(major: major, minor: minor)
            default: .other(type)
            }
        return unsafe TarEntry(
            path: path, kind: kind, linkTarget: kind == .hardLink ? hardLink : symbolicLink,
            mode: UInt32(archive_entry_perm(entry)) & 0o7777, user: archive_entry_uid(entry),
            group: archive_entry_gid(entry), size: archive_entry_size(entry),
            modified: TarEntry.Time(
                seconds: archive_entry_mtime(entry), nanoseconds: archive_entry_mtime_nsec(entry)),
            extendedAttributes: attributes(entry))
    }

    private func attributes(_ entry: OpaquePointer) -> [(name: [UInt8], value: [UInt8])] {
        guard unsafe archive_entry_xattr_reset(entry) > 0 else { return [] }
        var result: [(name: [UInt8], value: [UInt8])] = []
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while unsafe archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK {
            guard let name = unsafe name else { continue }
            unsafe result.append(
                (
                    Array(UnsafeRawBufferPointer(start: name, count: strlen(name))),
                    Array(UnsafeRawBufferPointer(start: value, count: size))
                ))
        }
        return result
    }
}
