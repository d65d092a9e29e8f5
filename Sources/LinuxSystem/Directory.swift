import CLinux
import SystemPackage

/// Operations on entries of an open directory: names are single components or paths below it, never absolute.
///
/// They extend `Descriptor` because a directory is held open by the same owner as any other file.
extension Descriptor {
    /// Opens a directory by path. `O_PATH` unless it is to be listed.
    public static func openDirectory(_ path: String, forListing: Bool = false) throws(SystemError) -> Descriptor {
        try open(path, O_DIRECTORY | (forListing ? O_RDONLY : O_PATH))
    }

    /// Makes a directory; an existing one is fine. The corresponding system call is `mkdirat`.
    public borrowing func makeDirectory(_ name: String, mode: UInt32 = 0o755) throws(SystemError) {
        guard unsafe mkdirat(rawValue, name, mode) == 0 || CurrentErrno.value == EEXIST else {
            throw SystemError("mkdir", name, errno: .last)
        }
    }

    /// Removes a file, or an empty directory; a missing one is fine. The corresponding system call is `unlinkat`.
    public borrowing func remove(_ name: String, directory: Bool = false) throws(SystemError) {
        guard unsafe unlinkat(rawValue, name, directory ? AT_REMOVEDIR : 0) == 0 || CurrentErrno.value == ENOENT else {
            throw SystemError(directory ? "rmdir" : "unlink", name, errno: .last)
        }
    }

    /// Renames within the directory, replacing the target. The corresponding system call is `renameat`.
    public borrowing func rename(_ name: String, to target: String) throws(SystemError) {
        guard unsafe renameat(rawValue, name, rawValue, target) == 0 else {
            throw SystemError("rename \(name) to", target, errno: .last)
        }
    }

    /// Whether an entry exists (without following a symbolic link).
    public borrowing func contains(_ name: String) -> Bool {
        unsafe faccessat(rawValue, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0
    }

    /// The names in the directory, without `.` and `..`, sorted. Empty when it has gone.
    public borrowing func entries() throws(SystemError) -> [String] {
        let listing = try Descriptor.open(".", O_RDONLY | O_DIRECTORY, relativeTo: rawValue).release()
        guard let stream = unsafe fdopendir(listing) else {
            close(listing)
            throw SystemError("list", "/proc/self/fd/\(rawValue)", errno: .last)
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                unsafe tuple.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Whether the directory has more entries than so many. A thousand are not looked at to find more than ten: the kernel
    /// is asked for a few at a time, and takes 0.3 µs for each.
    public borrowing func hasEntries(moreThan count: Int) throws(SystemError) -> Bool {
        let listing = try Descriptor.open(".", O_RDONLY | O_DIRECTORY, relativeTo: rawValue)
        // `.` and `..` are among them.
        var left = count + 2
        var entries = [UInt8](repeating: 0, count: 1024)
        while left >= 0 {
            let length = unsafe getdents64(listing.rawValue, &entries, entries.count)
            guard length >= 0 else { throw SystemError("list", "/proc/self/fd/\(rawValue)", errno: .last) }
            if length == 0 { return false }
            // Each says at its 16th byte how long it is (getdents(2)).
            var start = 0
            while start < length {
                start += Int(entries[start + 16]) | Int(entries[start + 17]) << 8
                left -= 1
            }
        }
        return true
    }

    /// Reads a whole regular file of the directory; nil when nothing lies there.
    ///
    /// - Throws: `SystemError`; for what is no regular file as `openRegular` does.
    public borrowing func readFile(_ name: String, limit: Int = 64 << 20) throws(SystemError) -> [UInt8]? {
        do throws(SystemError) {
            return try Descriptor.openRegular(name, relativeTo: rawValue).readAll(limit: limit, isRegular: true)
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
            return nil
        }
    }

    private static func temporaryName(for name: String) -> String {
        let slash = name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex
        return "\(name[..<slash]).\(name[slash...]).\(getpid())"
    }

    /// Replaces a file in one step: a reader sees the old bytes or the new ones, never a part, even after a crash.
    ///
    /// The temporary name starts with a dot and ends with the writer's process id; a left-over is ignored by readers
    /// that list names without a leading dot.
    ///
    /// - Parameter temporary: Another name, for who is alone in the directory.
    public borrowing func replaceFile(
        _ name: String, with bytes: some Collection<UInt8>, mode: UInt32 = 0o644, by temporary: String? = nil
    ) throws(SystemError) {
        let temporary = temporary ?? Self.temporaryName(for: name)
        let file: Descriptor
        // A file that is made here is a regular one, and nobody else's.
        let flags = O_WRONLY | O_CREAT | O_EXCL
        do throws(SystemError) {
            file = try Descriptor.open(temporary, flags, mode: mode, relativeTo: rawValue)
        } catch {
            guard error.errno == .fileExists else { throw error }
            // What a killed process has left, or somebody put there.
            try removeTree(temporary)
            file = try Descriptor.open(temporary, flags, mode: mode, relativeTo: rawValue)
        }
        do throws(SystemError) {
            try file.writeAll(bytes)
            try rename(temporary, to: name)
        } catch {
            unsafe unlinkat(rawValue, temporary, 0)
            throw error
        }
    }
}

/// Makes a directory and its parents, like `mkdir -p`, and opens it.
public func openMakingDirectories(_ path: String, mode: UInt32 = 0o755) throws(SystemError) -> Descriptor {
    // It is there nearly always.
    do throws(SystemError) {
        return try Descriptor.openDirectory(path)
    } catch {
        guard error.errno == .noSuchFileOrDirectory else { throw error }
    }
    guard unsafe mkdir(path, mode) != 0, CurrentErrno.value != EEXIST else { return try Descriptor.openDirectory(path) }
    let failure = Errno.last
    if failure == .noSuchFileOrDirectory {
        var prefix = path.hasPrefix("/") ? "/" : ""
        for component in path.split(separator: "/") {
            prefix += component
            if unsafe mkdir(prefix, mode) != 0 && CurrentErrno.value != EEXIST {
                throw SystemError("mkdir", prefix, errno: .last)
            }
            prefix += "/"
        }
    } else {
        throw SystemError("mkdir", path, errno: failure)
    }
    return try Descriptor.openDirectory(path)
}
