import CLinux
import LinuxSystem
import SystemPackage

/// A directory of the store. Its errors name files by their whole paths, and say what to do.
///
/// Names are paths below it; the one exception is a `../NAME` beside it.
struct StateDirectory: ~Copyable {
    let path: String
    private let directory: Descriptor

    /// Opens it, and makes it and its parents when they are missing.
    ///
    /// - Parameter advice: What to do about something else in its place.
    init(_ path: String, orElse advice: String? = nil) throws(SystemError) {
        do throws(SystemError) {
            directory = try openMakingDirectories(path, mode: 0o700)
        } catch {
            let isStrange = [.notDirectory, .noSuchFileOrDirectory, .tooManySymbolicLinkLevels].contains(error.errno)
            guard isStrange, error.object == path, let advice else { throw Self.explained(error, error.object) }
            throw SystemError(error.operation, path, errno: error.errno, hint: "it is no folder: \(advice)")
        }
        self.path = path
    }

    /// For calls that take the directory's number.
    var rawValue: Int32 { directory.rawValue }

    /// Its path without symbolic links, whichever way it was named.
    borrowing func resolvedPath() throws(SystemError) -> String { try directory.path() }

    /// The whole path of a file.
    func file(_ name: String) -> String {
        name.hasPrefix("../")
            ? "\(path.prefix(upTo: path.lastIndex(of: "/") ?? path.endIndex))\(name.dropFirst(2))"
            : "\(path)/\(name)"
    }

    /// - Returns: The same error about a whole path, with what helps.
    private static func explained(_ error: SystemError, _ path: String, _ operation: String? = nil) -> SystemError {
        SystemError(
            operation ?? error.operation, path, errno: error.errno, hint: error.hint ?? advice(error.errno, path))
    }

    private static func advice(_ errno: Errno, _ path: String) -> String? {
        // The file itself need not be there.
        let folder = path.lastIndex(of: "/").map { path.prefix(upTo: $0) } ?? "."
        return switch errno {
        case .noSpace: "make room there: df \(folder); df -i \(folder)"
        case Errno(rawValue: EDQUOT): "make room there: quota -v"
        case .readOnlyFileSystem: "it is mounted read-only: findmnt -T \(folder)"
        case .ioError: "the disk is damaged: dmesg"
        case .isDirectory, .tooManySymbolicLinkLevels, .noSuchAddressOrDevice:
            "it is no regular file: rm -r \(path); swnet repair"
        default: nil
        }
    }

    private borrowing func naming<Result: ~Copyable>(
        _ name: String, _ operation: String? = nil, _ body: (borrowing Descriptor) throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        do throws(SystemError) {
            return try body(directory)
        } catch {
            throw Self.explained(error, file(name), operation)
        }
    }
}

// MARK: - Entries

extension StateDirectory {
    borrowing func contains(_ name: String) -> Bool { directory.contains(name) }

    /// What an entry is, without following a symbolic link; nil when there is none.
    borrowing func kind(_ name: String) -> FileKind? { directory.kind(of: name) }

    /// Opens a regular file.
    borrowing func open(_ name: String, _ flags: Int32, mode: UInt32 = 0) throws(SystemError) -> Descriptor {
        try naming(name) { directory throws(SystemError) in
            try Descriptor.openRegular(name, flags, mode: mode, relativeTo: directory.rawValue)
        }
    }

    /// The names in a directory below it, or in itself.
    borrowing func entries(of name: String = ".") throws(SystemError) -> [String] {
        try naming(name) { directory throws(SystemError) in
            try Descriptor.open(name, O_RDONLY | O_DIRECTORY, relativeTo: directory.rawValue).entries()
        }
    }

    /// Whether a directory has more entries than so many.
    borrowing func hasMoreEntries(than count: Int, in name: String) throws(SystemError) -> Bool {
        try naming(name) { directory throws(SystemError) in
            try Descriptor.open(name, O_RDONLY | O_DIRECTORY, relativeTo: directory.rawValue)
                .hasEntries(moreThan: count)
        }
    }

    /// A whole file; nil when it does not exist.
    borrowing func readFile(_ name: String) throws(SystemError) -> [UInt8]? {
        try naming(name, "read") { directory throws(SystemError) in try directory.readFile(name) }
    }

    /// Replaces a file in one step. There is one writer, so one temporary name is enough.
    ///
    /// What it says already need not be written, so that an operation can be taken back where nothing can be written.
    borrowing func replace(_ name: String, with bytes: [UInt8]) throws(SystemError) {
        do throws(SystemError) {
            try naming(name, "write") { directory throws(SystemError) in
                do throws(SystemError) {
                    try directory.replaceFile(name, with: bytes, mode: 0o600, by: ".new")
                } catch {
                    // A directory in its place is nobody's; anything else has been replaced.
                    guard error.errno == .isDirectory else { throw error }
                    try directory.removeTree(name)
                    try directory.replaceFile(name, with: bytes, mode: 0o600, by: ".new")
                }
            }
        } catch {
            guard error.isNoRoom, (try? readFile(name)) == bytes else { throw error }
        }
    }

    /// Appends to a file, which is made when it is missing: all bytes or none.
    borrowing func append(_ bytes: [UInt8], to name: String) throws(SystemError) {
        try naming(name, "write") { directory throws(SystemError) in
            let file = try Descriptor.openRegular(
                name, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600, relativeTo: directory.rawValue)
            let size = try file.status().st_size
            do throws(SystemError) {
                try file.writeAll(bytes)
            } catch {
                _ = ftruncate(file.rawValue, size)
                throw error
            }
        }
    }

    /// Writes fewer bytes over a file's, which takes no room. Who is killed meanwhile leaves part of both.
    borrowing func shorten(_ name: String, to bytes: [UInt8]) throws(SystemError) {
        try naming(name, "write") { directory throws(SystemError) in
            let file = try Descriptor.openRegular(name, O_WRONLY, relativeTo: directory.rawValue)
            try file.writeAll(bytes)
            guard ftruncate(file.rawValue, off_t(bytes.count)) == 0 else {
                throw SystemError("truncate", name, errno: .last)
            }
        }
    }

    borrowing func makeDirectory(_ name: String) throws(SystemError) {
        try naming(name) { directory throws(SystemError) in try directory.makeDirectory(name, mode: 0o700) }
    }

    /// Removes a file, or whatever lies in its place; a missing one is fine.
    borrowing func remove(_ name: String) throws(SystemError) {
        try naming(name) { directory throws(SystemError) in
            do throws(SystemError) {
                try directory.remove(name)
            } catch {
                if error.errno == .isDirectory { return try directory.removeTree(name) }
                // A read-only file system says no before it looks whether there is anything to remove.
                if error.errno != .readOnlyFileSystem || directory.contains(name) { throw error }
            }
        }
    }

    /// Removes a directory with all that is in it.
    borrowing func removeTree(_ name: String, in parent: String = ".") throws(SystemError) {
        try naming(parent == "." ? name : "\(parent)/\(name)") { directory throws(SystemError) in
            if parent == "." { return try directory.removeTree(name) }
            try Descriptor.open(parent, O_RDONLY | O_DIRECTORY, relativeTo: directory.rawValue).removeTree(name)
        }
    }

    borrowing func makeSymbolicLink(_ name: String, to target: String) throws(SystemError) {
        try naming(name) { directory throws(SystemError) in try directory.makeSymbolicLink(name, to: target) }
    }

    /// What a symbolic link says; nil when there is none, and empty, which no link is, when something else lies there.
    borrowing func readSymbolicLink(_ name: String) throws(SystemError) -> String? {
        try naming(name) { directory throws(SystemError) in
            do throws(SystemError) {
                return try directory.readSymbolicLink(name)
            } catch {
                guard error.errno == .invalidArgument else { throw error }
                return ""
            }
        }
    }
}

extension SystemError {
    /// What is wrong with a record that cannot be read because of what it is; nil when that is somebody else's fault.
    var damage: String? {
        isNoRegularFile ? "it is no regular file" : errno == .fileTooLarge ? "it is too large" : nil
    }

    /// Whether a file system takes nothing any more, for want of room or because it is read-only.
    var isNoRoom: Bool { [.noSpace, .readOnlyFileSystem, Errno(rawValue: EDQUOT)].contains(errno) }
}
