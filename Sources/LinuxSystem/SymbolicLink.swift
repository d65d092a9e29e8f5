import CLinux
import SystemPackage

/// Symbolic links as entries of an open directory.
extension Descriptor {
    /// The path of the open file as this process sees it now, where it is a directory that is not removed.
    /// The corresponding system call is `readlink` on /proc/self/fd/N.
    public borrowing func path() throws(SystemError) -> String {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink(procPath, &bytes, bytes.count)
        guard count > 0 else { throw SystemError("read link", procPath, errno: .last) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// Makes a symbolic link. The corresponding system call is `symlinkat`.
    public borrowing func makeSymbolicLink(_ name: String, to target: String) throws(SystemError) {
        guard unsafe symlinkat(target, rawValue, name) == 0 else {
            throw SystemError("make symbolic link", name, errno: .last)
        }
    }

    /// What a symbolic link says; nil when there is no entry of that name.
    ///
    /// - Throws: `SystemError`; EINVAL when the entry is not a symbolic link. The corresponding system call is
    ///   `readlinkat`.
    public borrowing func readSymbolicLink(_ name: String) throws(SystemError) -> String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlinkat(rawValue, name, &bytes, bytes.count)
        guard count >= 0 else {
            if CurrentErrno.value == ENOENT { return nil }
            throw SystemError("read symbolic link", name, errno: .last)
        }
        return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
