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
        if let found = try lookUp(path, isPlain: isPlain, isDirectory) { return try checked(found, path, isDirectory) }
        // Where a link leads nowhere, the image says where the place is, and it is made there: `/etc/resolv.conf` of many
        // distributions is a link to what their own resolver makes at boot.
        var place = path
        var links = 10
        while let next = try make(place, isDirectory: isDirectory, followsLinks: !isPlain) {
            links -= 1
            guard links > 0 else { throw SystemError(Self.operation, path, errno: .tooManySymbolicLinkLevels) }
            place = next
        }
        guard let made = try lookUp(path, isPlain: isPlain, isDirectory) else {
            throw SystemError(Self.operation, path, errno: .noSuchFileOrDirectory)
        }
        return try checked(made, path, isDirectory)
    }

    /// The permission bits of a directory that is there.
    func mode(of path: String) throws(SystemError) -> UInt32? {
        guard let directory = try lookUp(path, isPlain: false) else { return nil }
        var status = stat()
        guard unsafe fstat(directory.rawValue, &status) == 0, FileKind(mode: status.st_mode) == .directory else {
            return nil
        }
        return status.st_mode & 0o7777
    }

    /// Makes a symbolic link, in a folder that is made where the image has none.
    func link(_ path: String, to target: String) throws(SystemError) {
        let parts = path.split(separator: "/").map(String.init)
        guard let name = parts.last else { return }
        let folder = parts.dropLast().joined(separator: "/")
        let directory =
            folder.isEmpty
            ? try Descriptor.open(".", O_PATH | O_DIRECTORY, relativeTo: root)
            : try open(folder, isDirectory: true, isPlain: false)
        if unsafe symlinkat(target, directory.rawValue, name) == 0 { return }
        let errno = Errno.last
        // It may be there already; anything else in its place stays.
        guard errno == .fileExists, linkTarget(name, in: directory) == target else {
            throw SystemError(Self.operation, path, errno: errno)
        }
    }

    /// What is there; nil for nothing.
    func lookUp(
        _ path: String, isPlain: Bool, _ isDirectory: Bool = false
    ) throws(SystemError) -> Descriptor? {
        let flags = UInt64(O_PATH | O_CLOEXEC | (isPlain ? O_NOFOLLOW : 0) | (isDirectory ? O_DIRECTORY : 0))
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
        // The kernel has opened nothing but a directory where one was wanted.
        if isDirectory { return target }
        switch try target.kind() {
        case .symbolicLink: throw SystemError(Self.operation, path, errno: .tooManySymbolicLinkLevels)
        // What mount(2) says of a file on a directory, by which engines ask whether the two were mistaken.
        case .directory: throw SystemError(Self.operation, path, errno: .notDirectory)
        default: return target
        }
    }

    /// Makes the missing components one by one, each in the open directory before it.
    ///
    /// - Returns: Nil when all is there; else what the path becomes by a link to nowhere that is in it. It is looked up
    ///   from the root like any other path, so that it leads out as little.
    private func make(_ path: String, isDirectory: Bool, followsLinks: Bool) throws(SystemError) -> String? {
        let parts = path.split(separator: "/").map(String.init)
        var known = ""
        var directory = try Descriptor.open(".", O_PATH | O_DIRECTORY, relativeTo: root)
        for (position, part) in parts.enumerated() {
            let above = known
            known += known.isEmpty ? part : "/\(part)"
            if let next = try lookUp(known, isPlain: false) {
                directory = next
                continue
            }
            if followsLinks, let target = linkTarget(part, in: directory) {
                let rest = parts[(position + 1)...].joined(separator: "/")
                return (target.utf8.first == UInt8(ascii: "/") ? "" : above + "/") + target + "/" + rest
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
        return nil
    }

    private func linkTarget(_ name: String, in directory: borrowing Descriptor) -> String? {
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = unsafe readlinkat(directory.rawValue, name, &target, target.count)
        return length > 0 ? String(decoding: target[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
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

extension Descriptor {
    /// Whether the file is of the kernel's process file system. The corresponding system call is `fstatfs`.
    borrowing func isProc() throws(SystemError) -> Bool { try fileSystem() == PROC_SUPER_MAGIC }

    /// Whether it is of one that tells of the kernel: proc, sysfs or devpts.
    borrowing func isKernels() throws(SystemError) -> Bool {
        let type = try fileSystem()
        return type == PROC_SUPER_MAGIC || type == SYSFS_MAGIC || type == DEVPTS_SUPER_MAGIC
    }

    private borrowing func fileSystem() throws(SystemError) -> Int {
        var status = statfs()
        guard unsafe fstatfs(rawValue, &status) == 0 else { throw SystemError("stat file system", errno: .last) }
        return Int(status.f_type)
    }
}
