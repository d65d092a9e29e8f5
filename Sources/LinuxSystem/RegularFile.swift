public import CLinux
import SystemPackage

extension Descriptor {
    /// Opens a regular file, and nothing that lies in its place: no symbolic link is followed, no FIFO waited for.
    ///
    /// - Throws: `SystemError` with the path; its `isNoRegularFile` tells of what lies there. The corresponding system
    ///   calls are `openat` and `fstat`.
    public static func openRegular(
        _ path: String, _ flags: Int32 = O_RDONLY, mode: UInt32 = 0, relativeTo directory: Int32 = AT_FDCWD
    ) throws(SystemError) -> Descriptor {
        let file = try open(path, flags | O_NOFOLLOW | O_NONBLOCK, mode: mode, relativeTo: directory)
        let kind = try file.kind()
        guard kind == .regular else {
            throw SystemError("open", path, errno: kind == .directory ? .isDirectory : .noSuchAddressOrDevice)
        }
        return file
    }
}

extension SystemError {
    /// Whether a file could not be opened because it is none: a directory, a symbolic link, or something that nobody is at
    /// the other end of.
    public var isNoRegularFile: Bool {
        [.isDirectory, .tooManySymbolicLinkLevels, .noSuchAddressOrDevice].contains(errno)
    }
}
