import CLinux
import LinuxSystem
import SystemPackage

/// Copies a directory of an image into a new volume: owners, permissions, times, extended attributes, links and
/// devices, as docker does. Sockets are left out; they are nothing without their process.
struct TreeCopy {
    /// What has several names, by device and inode, and the first name of its copy.
    private var links: [FileNumber: [UInt8]] = [:]
    private let target: Int32

    private struct FileNumber: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    /// - Parameter target: An empty directory that nobody else writes to.
    static func copy(_ source: LayeredDirectory, to target: borrowing Descriptor) throws(SystemError) {
        var copy = TreeCopy(target: target.rawValue)
        try copy.fill(target, from: source, path: [])
    }

    private init(target: Int32) { self.target = target }

    private mutating func fill(
        _ directory: borrowing Descriptor, from source: LayeredDirectory, path: [UInt8]
    ) throws(SystemError) {
        for name in try source.names() {
            let place = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
            switch try source.entry(name) {
            case nil: continue
            case .directory(let next):
                try check("mkdir", place, mkdirat(directory.rawValue, cString(name), 0o700))
                let made = try open(name, O_RDONLY | O_DIRECTORY, in: directory)
                try fill(made, from: next, path: place)
            case .file(let part, let status):
                try copy(name, status, from: part, to: directory, place)
            }
        }
        // At the end, because what is made in a directory changes its time, and may need its permissions.
        try finish(directory, like: source.top.descriptor, path)
    }

    private mutating func copy(
        _ name: [UInt8], _ status: stat, from part: LayeredDirectory.Part, to directory: borrowing Descriptor,
        _ place: [UInt8]
    ) throws(SystemError) {
        let number = FileNumber(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        if status.st_nlink > 1 {
            if let first = links[number] {
                return try check(
                    "link", place, linkat(target, cString(first), directory.rawValue, cString(name), 0))
            }
            links[number] = place
        }
        switch FileKind(mode: status.st_mode) {
        case .regular:
            // It is the image's file, and no pipe that would be waited for: the layer is nobody's to change.
            let from = try part.open(name, O_RDONLY | O_NONBLOCK)
            let to = try open(name, O_WRONLY | O_CREAT | O_EXCL, in: directory)
            try copyData(from, to, size: Int(status.st_size), place)
            try finish(to, like: from, place)
        case .symbolicLink:
            let text = try part.linkTarget(name)
            try check("link", place, symlinkat(cString(text), directory.rawValue, cString(name)))
            try finishEntry(name, status, in: directory, place)
        case .fifo, .characterDevice, .blockDevice:
            try check(
                "make device", place, mknodat(directory.rawValue, cString(name), status.st_mode, status.st_rdev))
            try finishEntry(name, status, in: directory, place)
        case .socket, .directory: break
        }
    }

    /// Copies what is not a hole.
    private func copyData(
        _ from: borrowing Descriptor, _ to: borrowing Descriptor, size: Int, _ place: [UInt8]
    ) throws(SystemError) {
        // First the size, so that what is not written is a hole.
        try check("extend", place, ftruncate(to.rawValue, off_t(size)))
        var position = 0
        while position < size {
            let start = Int(lseek(from.rawValue, off_t(position), Int32(SEEK_DATA)))
            // ENXIO: the rest is a hole. Anything else: this file system does not know about holes.
            if start < 0 && swn_errno() == ENXIO { return }
            let end = start < 0 ? size : Int(lseek(from.rawValue, off_t(start), Int32(SEEK_HOLE)))
            let begin = max(start, 0)
            for descriptor in [from.rawValue, to.rawValue] {
                guard lseek(descriptor, off_t(begin), SEEK_SET) >= 0 else {
                    throw SystemError("copy", printable(place), errno: .last)
                }
            }
            position = end > begin ? end : size
            try copyRange(from, to, length: position - begin, place)
        }
    }

    private func copyRange(
        _ from: borrowing Descriptor, _ to: borrowing Descriptor, length: Int, _ place: [UInt8]
    ) throws(SystemError) {
        var rest = length
        var isShared = true
        var buffer = [UInt8]()
        while rest > 0 {
            let (source, target) = (from.rawValue, to.rawValue)
            if isShared {
                let count = retryingOnInterrupt { swn_copy_file_range(source, target, rest) }
                if count > 0 { rest -= count } else { isShared = false }
                continue
            }
            if buffer.isEmpty { buffer = [UInt8](repeating: 0, count: 1 << 17) }
            let count = retryingOnInterrupt { read(source, &buffer, min(rest, buffer.count)) }
            guard count >= 0 else { throw SystemError("read", printable(place), errno: .last) }
            if count == 0 { return }
            try to.writeAll(buffer[..<count])
            rest -= count
        }
    }

    // MARK: - Owner, permissions, attributes, times

    private func finish(
        _ copy: borrowing Descriptor, like original: borrowing Descriptor, _ place: [UInt8]
    ) throws(SystemError) {
        let status = try original.status()
        // In this order: a change of owner takes set-user-id and security.capability away.
        try check("chown", place, fchown(copy.rawValue, status.st_uid, status.st_gid))
        try check("chmod", place, fchmod(copy.rawValue, status.st_mode & 0o7777))
        try copyAttributes(from: original.rawValue, to: copy.rawValue, place)
        try check("set time of", place, futimens(copy.rawValue, [status.st_atim, status.st_mtim]))
    }

    /// For what cannot be opened.
    private func finishEntry(
        _ name: [UInt8], _ status: stat, in directory: borrowing Descriptor, _ place: [UInt8]
    ) throws(SystemError) {
        let (number, text) = (directory.rawValue, cString(name))
        try check("chown", place, fchownat(number, text, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW))
        if FileKind(mode: status.st_mode) != .symbolicLink {
            try check("chmod", place, fchmodat(number, text, status.st_mode & 0o7777, 0))
        }
        try check(
            "set time of", place, utimensat(number, text, [status.st_atim, status.st_mtim], AT_SYMLINK_NOFOLLOW))
    }

    private func copyAttributes(from: Int32, to: Int32, _ place: [UInt8]) throws(SystemError) {
        var list = [CChar](repeating: 0, count: 1 << 16)
        let length = flistxattr(from, &list, list.count)
        guard length > 0 else { return }
        for name in list[..<length].split(separator: 0) {
            // An overlay's own marks would make the volume mean something else in the next overlay.
            let text = String(decoding: name.map(UInt8.init(bitPattern:)), as: UTF8.self)
            if text.hasPrefix("trusted.overlay.") || text.hasPrefix("user.overlay.") { continue }
            let attribute = Array(name) + [0]
            var value = [UInt8](repeating: 0, count: 1 << 16)
            let size = fgetxattr(from, attribute, &value, value.count)
            guard size >= 0, fsetxattr(to, attribute, value, size, 0) != 0 else { continue }
            // Volumes may be on a file system that has none of that kind.
            if swn_errno() != EOPNOTSUPP { throw SystemError("set \(text) of", printable(place), errno: .last) }
        }
    }

    private func open(
        _ name: [UInt8], _ flags: Int32, in directory: borrowing Descriptor
    ) throws(SystemError) -> Descriptor {
        let number = swn_openat(directory.rawValue, cString(name), flags | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw SystemError("open", printable(name), errno: .last) }
        return Descriptor(owning: number)
    }

    private func check(_ operation: String, _ place: [UInt8], _ result: Int32) throws(SystemError) {
        guard result == 0 else { throw SystemError(operation, printable(place), errno: .last) }
    }
}
