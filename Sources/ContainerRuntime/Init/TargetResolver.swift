import CLinux
import LinuxSystem
import SystemPackage

/// Finds the place of a mount below the container's root, and makes it where the image has none.
struct TargetResolver {
    /// Borrowed.
    let root: Int32

    /// Marks errors that are about the target and not about what is mounted there.
    static let operation = "open mount target"

    /// - Parameter path: Without a leading slash and without `.` and `..`.
    /// - Parameter isPlain: Whether the last component must not be a symbolic link.
    func open(_ path: String, isDirectory: Bool, isPlain: Bool) throws(SystemError) -> Descriptor {
        if let found = try lookUp(path, isPlain: isPlain) { return try checked(found, path, isDirectory) }
        try make(path, isDirectory: isDirectory)
        guard let made = try lookUp(path, isPlain: isPlain) else {
            // The last component is a link to nowhere: the image says where the place is, and it is not there.
            throw SystemError(Self.operation, path, errno: .noSuchFileOrDirectory)
        }
        return try checked(made, path, isDirectory)
    }

    private func lookUp(_ path: String, isPlain: Bool) throws(SystemError) -> Descriptor? {
        let flags = UInt64(O_PATH | O_CLOEXEC | (isPlain ? O_NOFOLLOW : 0))
        let number = unsafe swn_openat2(root, path, flags, 0, UInt64(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS))
        guard number >= 0 else {
            if swn_errno() == ENOENT { return nil }
            throw SystemError(Self.operation, path, errno: .last)
        }
        return Descriptor(owning: number)
    }

    private func checked(
        _ target: consuming Descriptor, _ path: String, _ isDirectory: Bool
    ) throws(SystemError) -> Descriptor {
        switch try target.kind() {
        case .symbolicLink: throw SystemError(Self.operation, path, errno: .tooManySymbolicLinkLevels)
        case .directory:
            if !isDirectory { throw SystemError(Self.operation, path, errno: .isDirectory) }
        default:
            if isDirectory { throw SystemError(Self.operation, path, errno: .notDirectory) }
        }
        return target
    }

    /// Makes the missing components one by one, each in the open directory before it.
    private func make(_ path: String, isDirectory: Bool) throws(SystemError) {
        let parts = path.split(separator: "/").map(String.init)
        var known = ""
        var directory = try Descriptor.open(".", O_PATH | O_DIRECTORY, relativeTo: root)
        for (position, part) in parts.enumerated() {
            known += known.isEmpty ? part : "/\(part)"
            if let next = try lookUp(known, isPlain: false) {
                directory = next
                continue
            }
            if position == parts.count - 1 && !isDirectory {
                let file = openat(directory.rawValue, part)
                guard file >= 0 else { throw SystemError(Self.operation, path, errno: .last) }
                close(file)
            } else {
                guard unsafe mkdirat(directory.rawValue, part, 0o755) == 0 || swn_errno() == EEXIST else {
                    throw SystemError(Self.operation, path, errno: .last)
                }
                // EEXIST is a link to nowhere; O_NOFOLLOW refuses to go there.
                directory = try reopen(part, in: directory, path)
            }
        }
    }

    private func openat(_ directory: Int32, _ name: String) -> Int32 {
        unsafe swn_openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
    }

    private func reopen(
        _ name: String, in directory: borrowing Descriptor, _ path: String
    ) throws(SystemError) -> Descriptor {
        let number = unsafe swn_openat(directory.rawValue, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
        guard number >= 0 else { throw SystemError(Self.operation, path, errno: .last) }
        return Descriptor(owning: number)
    }
}
