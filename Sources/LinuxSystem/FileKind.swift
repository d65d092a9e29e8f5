import CLinux

/// The type of a file: the part of `st_mode` that is not permissions (inode(7)).
public enum FileKind: Hashable, Sendable {
    case regular, directory, symbolicLink, characterDevice, blockDevice, fifo, socket

    /// - Parameter mode: The `st_mode` of `fstat(2)`.
    public init(mode: UInt32) {
        self =
            switch Int32(mode) & S_IFMT {
            case S_IFDIR: .directory
            case S_IFLNK: .symbolicLink
            case S_IFCHR: .characterDevice
            case S_IFBLK: .blockDevice
            case S_IFIFO: .fifo
            case S_IFSOCK: .socket
            default: .regular
            }
    }

    /// The bits for `mknod(2)`, to be joined with permissions.
    public var bits: UInt32 {
        switch self {
        case .regular: UInt32(S_IFREG)
        case .directory: UInt32(S_IFDIR)
        case .symbolicLink: UInt32(S_IFLNK)
        case .characterDevice: UInt32(S_IFCHR)
        case .blockDevice: UInt32(S_IFBLK)
        case .fifo: UInt32(S_IFIFO)
        case .socket: UInt32(S_IFSOCK)
        }
    }
}

extension Descriptor {
    /// The type of the open file. The corresponding system call is `fstat`.
    public borrowing func kind() throws(SystemError) -> FileKind { FileKind(mode: try status().st_mode) }

    /// The type of an entry of the directory, without following a symbolic link; nil when there is none.
    /// The corresponding system call is `fstatat`.
    public borrowing func kind(of name: String) -> FileKind? {
        var status = stat()
        guard unsafe fstatat(rawValue, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
        return FileKind(mode: status.st_mode)
    }
}
