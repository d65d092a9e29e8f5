import CLinux
import LinuxSystem
import SystemPackage

/// A directory of a layer that is being unpacked: every call names one entry of it and follows no link.
///
/// Names are bytes without zero and slash. Nobody else writes to the layer meanwhile.
final class LayerDirectory {
    let descriptor: Descriptor

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    private var number: Int32 { descriptor.rawValue }

    /// What an entry is; nil when there is none.
    func status(_ name: [UInt8]) throws(SystemError) -> stat? {
        var status = stat()
        if unsafe fstatat(number, cString(name), &status, AT_SYMLINK_NOFOLLOW) == 0 { return status }
        let error = Errno.last
        if error == .noSuchFileOrDirectory { return nil }
        throw failure("stat", name, error)
    }

    func makeDirectory(_ name: [UInt8], mode: UInt32) throws(SystemError) {
        unsafe try check("mkdir", name, mkdirat(number, cString(name), mode))
    }

    func openDirectory(_ name: [UInt8]) throws(SystemError) -> LayerDirectory {
        LayerDirectory(try openEntry(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    }

    /// Makes a directory that the archive needs and does not describe: root's, and open to all whatever the umask is.
    func makeImplicitDirectory(_ name: [UInt8]) throws(SystemError) -> LayerDirectory {
        try makeDirectory(name, mode: 0o755)
        let directory = try openDirectory(name)
        try check("chmod", name, fchmod(directory.number, 0o755))
        return directory
    }

    /// Makes a file that did not exist.
    func makeFile(_ name: [UInt8]) throws(SystemError) -> Descriptor {
        try openEntry(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
    }

    func makeSymbolicLink(_ name: [UInt8], to target: [UInt8]) throws(SystemError) {
        unsafe try check("make symbolic link", name, symlinkat(cString(target), number, cString(name)))
    }

    /// Makes another name of a file; a link as target is not followed.
    func makeHardLink(_ name: [UInt8], to target: [UInt8], in directory: LayerDirectory) throws(SystemError) {
        unsafe try check("link", name, linkat(directory.number, cString(target), number, cString(name), 0))
    }

    /// Makes a device, fifo or, with character device 0:0, an overlay whiteout.
    func makeNode(_ name: [UInt8], type: Int32, device: UInt64 = 0) throws(SystemError) {
        unsafe try check("make device", name, mknodat(number, cString(name), mode_t(type) | 0o600, dev_t(device)))
    }

    /// Sets owner and, unless it is a link, mode; in this order, because a change of owner clears set-user-id.
    func setOwner(_ name: [UInt8], user: UInt32, group: UInt32, mode: UInt32?) throws(SystemError) {
        unsafe try check("chown", name, fchownat(number, cString(name), user, group, AT_SYMLINK_NOFOLLOW))
        if let mode { unsafe try check("chmod", name, fchmodat(number, cString(name), mode, 0)) }
    }

    func setTime(_ name: [UInt8], _ time: TarEntry.Time) throws(SystemError) {
        unsafe try check("set time of", name, utimensat(number, cString(name), timespecs(time), AT_SYMLINK_NOFOLLOW))
    }

    /// Sets an extended attribute of an entry that cannot be opened, such as a link: through the directory's own entry
    /// in /proc, as there is no `setxattrat` before Linux 6.13.
    func setAttribute(_ attribute: [UInt8], _ value: [UInt8], of name: [UInt8]) -> Int32 {
        let path = Array("/proc/self/fd/\(number)/".utf8) + name
        return unsafe lsetxattr(cString(path), cString(attribute), value, value.count, 0)
    }

    func remove(_ name: [UInt8]) throws(SystemError) { try descriptor.removeTree(named: name) }

    /// Marks the directory as hiding everything that layers below have in it.
    func makeOpaque() throws(SystemError) {
        guard unsafe fsetxattr(number, "trusted.overlay.opaque", "y", 1, 0) == 0 else {
            throw failure("mark as opaque", [], .last)
        }
    }

    private func openEntry(_ name: [UInt8], _ flags: Int32) throws(SystemError) -> Descriptor {
        let path = cString(name)
        let result = retryingOnInterrupt { unsafe swn_openat(number, path, flags | O_CLOEXEC, 0o600) }
        guard result >= 0 else { throw failure("open", name, .last) }
        return Descriptor(owning: result)
    }

    private func check(_ operation: String, _ name: [UInt8], _ result: Int32) throws(SystemError) {
        guard result == 0 else { throw failure(operation, name, .last) }
    }

    private func failure(_ operation: String, _ name: [UInt8], _ error: Errno) -> SystemError {
        SystemError(operation, printable(name), errno: error)
    }
}

extension stat {
    /// `S_IFDIR`, `S_IFREG` and so on.
    var type: Int32 { Int32(bitPattern: st_mode) & S_IFMT }

    /// Whether overlayfs takes it for the sign that a layer removed the file.
    var isWhiteout: Bool { type == S_IFCHR && st_rdev == 0 }
}

/// Bytes with the zero that ends them for C.
func cString(_ bytes: [UInt8]) -> [CChar] {
    var result = [CChar]()
    result.reserveCapacity(bytes.count + 1)
    for byte in bytes { result.append(CChar(bitPattern: byte)) }
    result.append(0)
    return result
}

/// Access and modification time, both the archive's.
func timespecs(_ time: TarEntry.Time) -> [timespec] {
    Array(repeating: timespec(tv_sec: time.seconds, tv_nsec: time.nanoseconds), count: 2)
}
