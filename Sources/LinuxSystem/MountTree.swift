import CLinux
import SystemPackage

/// Mounts by descriptor, so that no path is looked up twice and none is looked up inside a container by name.
public enum MountTree {
    /// A copy of the mount at a path of this process's mount namespace, attached to nothing yet: the first half of a
    /// bind mount. The corresponding system call is `open_tree(OPEN_TREE_CLONE)`.
    ///
    /// - Parameter followsLink: Whether a symbolic link at the path's end stands for what it leads to, or for itself.
    public static func clone(
        path: String, recursive: Bool, followsLink: Bool = true
    ) throws(SystemError) -> Descriptor {
        let flags =
            UInt32(OPEN_TREE_CLONE) | UInt32(O_CLOEXEC) | (recursive ? UInt32(AT_RECURSIVE) : 0)
            | (followsLink ? 0 : UInt32(AT_SYMLINK_NOFOLLOW))
        let number = unsafe swn_open_tree(AT_FDCWD, path, flags)
        guard number >= 0 else { throw SystemError("bind", path, errno: .last) }
        return Descriptor(owning: number)
    }

    /// A copy of the mount that an open file or directory is on, with that as its root.
    public static func clone(of file: borrowing Descriptor, recursive: Bool) throws(SystemError) -> Descriptor {
        try clone(ofNumber: file.rawValue, recursive: recursive)
    }

    /// The same of a borrowed descriptor.
    public static func clone(ofNumber file: Int32, recursive: Bool) throws(SystemError) -> Descriptor {
        let flags =
            UInt32(OPEN_TREE_CLONE) | UInt32(O_CLOEXEC) | UInt32(AT_EMPTY_PATH)
            | (recursive ? UInt32(AT_RECURSIVE) : 0)
        let number = unsafe swn_open_tree(file, "", flags)
        guard number >= 0 else { throw SystemError("bind", "/proc/self/fd/\(file)", errno: .last) }
        return Descriptor(owning: number)
    }

    /// A copy of a mount, attached to nothing yet, that cannot be written to.
    ///
    /// - Parameters:
    ///   - file: An open file or directory, borrowed.
    ///   - recursive: Whether the mounts below it are copied too, and made read-only.
    /// - Throws: `SystemError`. The corresponding system calls are `open_tree_attr`, of Linux 6.15, or `open_tree` and
    ///   `mount_setattr`.
    public static func readOnlyClone(
        of file: borrowing Descriptor, recursive: Bool
    ) throws(SystemError) -> Descriptor {
        try readOnlyClone(ofNumber: file.rawValue, recursive: recursive)
    }

    /// The same of a borrowed descriptor.
    public static func readOnlyClone(ofNumber file: Int32, recursive: Bool) throws(SystemError) -> Descriptor {
        guard let tree = try readOnlyClone(file, "", UInt32(AT_EMPTY_PATH), recursive) else {
            throw SystemError("bind", "/proc/self/fd/\(file)", errno: .noSuchFileOrDirectory)
        }
        return tree
    }

    /// The same of a name in an open directory in which nobody else can change names, borrowed; nil where there is no such
    /// name. A link is not followed.
    public static func readOnlyClone(
        of name: String, in directory: Int32, recursive: Bool
    ) throws(SystemError) -> Descriptor? {
        try readOnlyClone(directory, name, UInt32(AT_SYMLINK_NOFOLLOW), recursive)
    }

    private static func readOnlyClone(
        _ directory: Int32, _ path: String, _ flags: UInt32, _ recursive: Bool
    ) throws(SystemError) -> Descriptor? {
        let flags = flags | UInt32(OPEN_TREE_CLONE) | UInt32(O_CLOEXEC) | (recursive ? UInt32(AT_RECURSIVE) : 0)
        var attributes = mount_attr(attr_set: UInt64(MOUNT_ATTR_RDONLY), attr_clr: 0, propagation: 0, userns_fd: 0)
        var number = unsafe swn_open_tree_attr(directory, path, flags, &attributes)
        if number >= 0 { return Descriptor(owning: number) }
        // An older kernel does not know the call, and a filter of another runtime that we are under may refuse it.
        if swn_errno() != ENOENT { number = unsafe swn_open_tree(directory, path, flags) }
        guard number >= 0 else {
            if swn_errno() == ENOENT { return nil }
            throw SystemError("bind", path.isEmpty ? "/proc/self/fd/\(directory)" : path, errno: .last)
        }
        let tree = Descriptor(owning: number)
        try setAttributes(of: tree, set: UInt64(MOUNT_ATTR_RDONLY), recursive: recursive)
        return tree
    }

    /// Attaches a mount to an open file or directory. The corresponding system call is `move_mount`.
    public static func attach(
        _ mount: borrowing Descriptor, to target: borrowing Descriptor
    ) throws(SystemError) {
        try attach(ofNumber: mount.rawValue, to: target.rawValue)
    }

    /// The same of borrowed descriptors.
    public static func attach(ofNumber mount: Int32, to target: Int32) throws(SystemError) {
        let flags = UInt32(MOVE_MOUNT_F_EMPTY_PATH) | UInt32(MOVE_MOUNT_T_EMPTY_PATH)
        guard unsafe swn_move_mount(mount, "", target, "", flags) == 0 else {
            throw SystemError("attach mount to", "/proc/self/fd/\(target)", errno: .last)
        }
    }

    /// Attaches a mount to a path of this process's mount namespace.
    public static func attach(_ mount: borrowing Descriptor, toPath path: String) throws(SystemError) {
        try attach(ofNumber: mount.rawValue, toPath: path, in: AT_FDCWD)
    }

    /// Attaches a mount to a name in an open directory in which nobody else can change names. Both are borrowed. A link is
    /// not followed.
    public static func attach(
        ofNumber mount: Int32, toPath path: String, in directory: Int32
    ) throws(SystemError) {
        guard unsafe swn_move_mount(mount, "", directory, path, UInt32(MOVE_MOUNT_F_EMPTY_PATH)) == 0 else {
            throw SystemError("attach mount to", path, errno: .last)
        }
    }

    /// Changes attributes (`MOUNT_ATTR_*`) and propagation (`MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE`, `MS_UNBINDABLE`)
    /// of a mount, with every mount below it when `recursive`. Nothing changes when it is an error.
    /// The corresponding system call is `mount_setattr`, of Linux 5.12.
    public static func setAttributes(
        of mount: borrowing Descriptor, set: UInt64 = 0, clear: UInt64 = 0, propagation: UInt64 = 0,
        recursive: Bool = false
    ) throws(SystemError) {
        var attributes = mount_attr(attr_set: set, attr_clr: clear, propagation: propagation, userns_fd: 0)
        // The access time setting is a number and not a bit: to set it, its whole field has to be cleared.
        if (set | clear) & UInt64(MOUNT_ATTR__ATIME) != 0 { attributes.attr_clr |= UInt64(MOUNT_ATTR__ATIME) }
        let flags = UInt32(AT_EMPTY_PATH) | (recursive ? UInt32(AT_RECURSIVE) : 0)
        guard unsafe swn_mount_setattr(mount.rawValue, "", flags, &attributes) == 0 else {
            throw SystemError("change attributes of mount", mount.procPath, errno: .last)
        }
    }

    /// Whether a mount begins at an open file. The corresponding system call is `statx`.
    public static func isMount(_ file: borrowing Descriptor) throws(SystemError) -> Bool {
        let answer = swn_is_mount(file.rawValue)
        guard answer >= 0 else { throw SystemError("statx", file.procPath, errno: .last) }
        return answer == 1
    }

    /// Changes the propagation of all mounts of this process's mount namespace. The corresponding system call is `mount`.
    public static func setPropagationOfAll(_ propagation: UInt64) throws(SystemError) {
        // MS_REC of sys/mount.h, which cannot be included next to linux/mount.h.
        guard unsafe swn_mount(nil, "/", nil, UInt(propagation) | 16384, nil) == 0 else {
            throw SystemError("change propagation of", "/", errno: .last)
        }
    }

    /// Changes the propagation of the mount that a directory of this process's mount namespace is in.
    public static func setPropagation(_ propagation: UInt64, ofMountAround path: String) throws(SystemError) {
        var directory = try Descriptor.open(path, O_PATH | O_DIRECTORY)
        while true {
            do throws(SystemError) {
                return try setAttributes(of: directory, propagation: propagation)
            } catch {
                // Only where a mount begins can it be changed.
                let parent = try Descriptor.open("..", O_PATH | O_DIRECTORY, relativeTo: directory.rawValue)
                let (here, above) = (try directory.status(), try parent.status())
                guard error.errno == .invalidArgument, (here.st_dev, here.st_ino) != (above.st_dev, above.st_ino)
                else { throw error }
                directory = parent
            }
        }
    }

    /// Makes the files of a mount that is attached to nothing yet belong, as seen through it, to whom a user namespace
    /// says. The corresponding system call is `mount_setattr(MOUNT_ATTR_IDMAP)`, of Linux 5.12.
    public static func mapIdentifiers(
        of mount: borrowing Descriptor, as namespace: borrowing Descriptor, recursive: Bool
    ) throws(SystemError) {
        var attributes = mount_attr(
            attr_set: UInt64(MOUNT_ATTR_IDMAP), attr_clr: 0, propagation: 0, userns_fd: UInt64(namespace.rawValue))
        let flags = UInt32(AT_EMPTY_PATH) | (recursive ? UInt32(AT_RECURSIVE) : 0)
        guard unsafe swn_mount_setattr(mount.rawValue, "", flags, &attributes) == 0 else {
            throw SystemError("map identifiers of mount", mount.procPath, errno: .last)
        }
    }

    /// Shows a file or directory at another path. Of neither may a component be anybody else's, or both are open
    /// (`procPath`).
    ///
    /// - Returns: Whether it is shown. The corresponding system call is `mount(MS_BIND)`.
    public static func bind(_ source: String, at path: String) -> Bool {
        // MS_BIND, likewise.
        unsafe swn_mount(source, path, nil, 4096, nil) == 0
    }

    /// Detaches the mount at a path and everything below it. The corresponding system call is `umount2(MNT_DETACH)`.
    public static func detach(_ path: String) throws(SystemError) {
        // MNT_DETACH of sys/mount.h, which cannot be included next to linux/mount.h.
        guard unsafe swn_umount2(path, 2) == 0 else { throw SystemError("unmount", path, errno: .last) }
    }
}
