import CLinux
import SystemPackage

/// A mount by `mount(2)`: one call where `FileSystemContext` takes four and one for each option, and no words for what
/// was wrong.
public struct PlainMount: Sendable {
    private let type: String
    private let source: String
    private let data: String
    private let flags: UInt

    /// - Parameters:
    ///   - settings: What the file system is told, `source` among it.
    ///   - attributes: `MOUNT_ATTR_*` bits.
    ///   - isReadOnly: Whether the file system itself may be read-only where its mount is, because `MS_RDONLY` is about
    ///     both.
    /// - Returns: Nil for what cannot be said in this way: a value with a comma, or a file system that is to be written
    ///   to and mounted read-only here.
    public init?(
        _ type: String, _ settings: [(name: String, value: String?)], attributes: UInt64, isReadOnly: Bool = false
    ) {
        var source = type
        // By hand: `joined` has the runtime look for types by their names, 2 % of the time of a run.
        var data = ""
        for (name, value) in settings {
            if name == "source", let value {
                source = value
                continue
            }
            if !data.isEmpty { data += "," }
            data += name
            guard let value else { continue }
            guard !value.contains(",") else { return nil }
            data += "="
            data += value
        }
        var rest = attributes
        var flags: UInt64 = 0
        if isReadOnly, rest & UInt64(MOUNT_ATTR_RDONLY) != 0 {
            rest &= ~UInt64(MOUNT_ATTR_RDONLY)
            flags |= 1
        }
        for (attribute, flag) in Self.flags where rest & attribute == attribute {
            rest &= ~attribute
            flags |= flag
        }
        // The data is one page (mount(2)).
        guard rest == 0, data.utf8.count < 4096 else { return nil }
        self.type = type
        self.source = source
        self.data = data
        self.flags = UInt(flags)
    }

    /// `MOUNT_ATTR_*` and the `MS_*` of linux/mount.h that mean the same.
    private static let flags: [(UInt64, UInt64)] = [
        (UInt64(MOUNT_ATTR_NOSUID), 2), (UInt64(MOUNT_ATTR_NODEV), 4), (UInt64(MOUNT_ATTR_NOEXEC), 8),
        (UInt64(MOUNT_ATTR_STRICTATIME), 1 << 24), (UInt64(MOUNT_ATTR_NOATIME), 1024),
        (UInt64(MOUNT_ATTR_NODIRATIME), 2048), (UInt64(MOUNT_ATTR_NOSYMFOLLOW), 256),
    ]

    /// Mounts at a path of which no component may be anybody else's, or on an open file or directory (`procPath`).
    ///
    /// - Returns: Whether it is mounted; why not, `FileSystemContext` says in words. The corresponding system call is
    ///   `mount`.
    public func attach(at path: String) -> Bool {
        unsafe data.withCString { unsafe swn_mount(source, path, type, flags, $0) == 0 }
    }
}
