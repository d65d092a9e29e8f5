import CLinux
import LinuxSystem

/// A mount by `mount(2)`: one call where `FileSystemContext` takes four and one for each option, and no words for what
/// was wrong.
enum PlainMount {
    /// Mounts a file system.
    ///
    /// - Parameters:
    ///   - path: One of which no component may be anybody else's, or that of an open file or directory (`procPath`).
    ///   - settings: What the file system is told, `source` among it.
    ///   - attributes: `MOUNT_ATTR_*` bits.
    ///   - isReadOnly: Whether the file system itself may be read-only where its mount is, because `MS_RDONLY` is about
    ///     both.
    /// - Returns: Whether it is mounted; why not, `FileSystemContext` says in words. Nothing is mounted that cannot be said
    ///   in this way: a value with a comma, or a file system that is to be written to and mounted read-only here. The
    ///   corresponding system call is `mount`.
    static func attach(
        _ type: String, at path: String, _ settings: [MountSetting], attributes: UInt64, isReadOnly: Bool = false
    ) -> Bool {
        var source = type
        // By hand: `joined` has the runtime look for types by their names, 2 % of the time of a run.
        var data = ""
        for setting in settings {
            if setting.name == "source", let value = setting.value {
                source = value
                continue
            }
            if !data.isEmpty { data += "," }
            data += setting.name
            guard let value = setting.value else { continue }
            guard !value.contains(",") else { return false }
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
        guard rest == 0, data.utf8.count < 4096 else { return false }
        return unsafe data.withCString { unsafe swn_mount(source, path, type, UInt(flags), $0) == 0 }
    }

    /// `MOUNT_ATTR_*` and the `MS_*` of linux/mount.h that mean the same.
    private static let flags: [(UInt64, UInt64)] = [
        (UInt64(MOUNT_ATTR_NOSUID), 2), (UInt64(MOUNT_ATTR_NODEV), 4), (UInt64(MOUNT_ATTR_NOEXEC), 8),
        (UInt64(MOUNT_ATTR_STRICTATIME), 1 << 24), (UInt64(MOUNT_ATTR_NOATIME), 1024),
        (UInt64(MOUNT_ATTR_NODIRATIME), 2048), (UInt64(MOUNT_ATTR_NOSYMFOLLOW), 256),
    ]
}
