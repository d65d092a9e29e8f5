import CLinux
import SystemPackage

/// Removes directory trees that others made: names of any bytes, any depth, links and mount points in them.
extension Descriptor {
    /// Removes a whole tree below the directory without following links or crossing mounts; a missing one is fine.
    ///
    /// - Throws: `SystemError` for the first entry that cannot be removed (EBUSY names a mount still in use).
    ///   Equivalent to `rm -rf --one-file-system`.
    public borrowing func removeTree(_ name: String) throws(SystemError) {
        try removeTree(named: Array(name.utf8))
    }

    /// The same for a name that need not be UTF-8.
    public borrowing func removeTree(named name: [UInt8]) throws(SystemError) {
        guard try !unlinkEntry(name) else { return }
        let top = try openSubdirectory(name)
        // Directories met on the way are moved up into `top` before they are emptied, so that at most three
        // descriptors are open however deep the tree is.
        var counter: UInt64 = 0
        while true {
            let children = try top.removeFiles()
            if children.isEmpty { break }
            for child in children {
                let directory = try top.openSubdirectory(child)
                for grandchild in try directory.removeFiles() {
                    try directory.move(grandchild, into: top, counter: &counter)
                }
                try top.removeDirectory(child)
            }
        }
        try removeDirectory(name)
    }

    /// - Returns: Whether the entry has gone; false when it is a directory with something in it.
    private borrowing func unlinkEntry(_ name: [UInt8]) throws(SystemError) -> Bool {
        let path = name.map { CChar(bitPattern: $0) } + [0]
        if unsafe unlinkat(rawValue, path, 0) == 0 || CurrentErrno.value == ENOENT { return true }
        // POSIX answers EPERM for a directory, Linux EISDIR.
        guard CurrentErrno.value == EISDIR || CurrentErrno.value == EPERM else { throw removalError("unlink", name) }
        if unsafe unlinkat(rawValue, path, AT_REMOVEDIR) == 0 || CurrentErrno.value == ENOENT { return true }
        guard CurrentErrno.value == ENOTEMPTY || CurrentErrno.value == EEXIST else {
            throw removalError("rmdir", name)
        }
        return false
    }

    private borrowing func removeDirectory(_ name: [UInt8]) throws(SystemError) {
        let path = name.map { CChar(bitPattern: $0) } + [0]
        guard unsafe unlinkat(rawValue, path, AT_REMOVEDIR) == 0 || CurrentErrno.value == ENOENT else {
            throw removalError("rmdir", name)
        }
    }

    private borrowing func openSubdirectory(_ name: [UInt8]) throws(SystemError) -> Descriptor {
        let path = name.map { CChar(bitPattern: $0) } + [0]
        let flags = UInt64(O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        let resolve = UInt64(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV)
        let number = unsafe swn_openat2(rawValue, path, flags, 0, resolve)
        guard number >= 0 else { throw removalError("open", name) }
        return Descriptor(owning: number)
    }

    /// Removes every entry that can be removed at once and returns the names of the others.
    private borrowing func removeFiles() throws(SystemError) -> [[UInt8]] {
        var rest: [[UInt8]] = []
        for name in try rawEntries() where try !unlinkEntry(name) { rest.append(name) }
        return rest
    }

    private borrowing func move(
        _ name: [UInt8], into top: borrowing Descriptor, counter: inout UInt64
    ) throws(SystemError) {
        let path = name.map { CChar(bitPattern: $0) } + [0]
        while true {
            counter += 1
            // A name that is taken is passed over: an empty directory would be replaced, anything else refused.
            let flags = UInt32(RENAME_NOREPLACE)
            if unsafe swn_renameat2(rawValue, path, top.rawValue, ".removed-\(counter)", flags) == 0 { return }
            guard CurrentErrno.value == EEXIST else { throw removalError("move", name) }
        }
    }

    /// The names in the directory as the kernel has them, of any bytes, without `.` and `..`.
    public borrowing func rawEntries() throws(SystemError) -> [[UInt8]] {
        let listing = try Descriptor.open(".", O_RDONLY | O_DIRECTORY, relativeTo: rawValue).release()
        guard let stream = unsafe fdopendir(listing) else {
            close(listing)
            throw SystemError("list", "/proc/self/fd/\(rawValue)", errno: .last)
        }
        defer { unsafe closedir(stream) }
        var names: [[UInt8]] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe Array(bytes.prefix { $0 != 0 })
            }
            if name != Array(".".utf8) && name != Array("..".utf8) { names.append(name) }
        }
        return names
    }

    private func removalError(_ operation: String, _ name: [UInt8]) -> SystemError {
        let error = Errno.last
        return SystemError(operation, String(decoding: name, as: UTF8.self), errno: error)
    }
}
