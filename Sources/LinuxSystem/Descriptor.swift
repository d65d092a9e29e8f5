public import CLinux
import SystemPackage

/// An open file descriptor with one owner: it closes when the owner goes out of scope.
///
/// Every descriptor is opened close-on-exec; one that a child should keep is named when the child is planned.
public struct Descriptor: ~Copyable, Sendable {
    /// The number, for calls that borrow the descriptor. Never close it or keep it past the owner's life.
    public let rawValue: Int32

    /// Takes ownership of an open descriptor.
    public init(owning rawValue: Int32) { self.rawValue = rawValue }

    deinit { swn_close(rawValue) }

    /// Gives the descriptor up: the caller has to close it.
    public consuming func release() -> Int32 {
        let number = rawValue
        discard self
        return number
    }

    /// Closes descriptors, given up by their owners: those that were opened one after the other in one call.
    /// The corresponding system call is `close_range`.
    public static func closeAll(_ numbers: [Int32]) {
        var first = 0
        for last in numbers.indices where last + 1 == numbers.count || numbers[last + 1] != numbers[last] + 1 {
            _ = swn_close_range(UInt32(numbers[first]), UInt32(numbers[last]), 0)
            first = last + 1
        }
    }

    /// Opens a path of this process's own mount namespace, close-on-exec.
    ///
    /// - Throws: `SystemError` with the path. The corresponding system call is `openat`.
    public static func open(
        _ path: String, _ flags: Int32 = O_RDONLY, mode: UInt32 = 0, relativeTo directory: Int32 = AT_FDCWD
    ) throws(SystemError) -> Descriptor {
        let number = retryingOnInterrupt { unsafe swn_openat(directory, path, flags | O_CLOEXEC, mode) }
        guard number >= 0 else { throw SystemError("open", path, errno: .last) }
        return Descriptor(owning: number)
    }

    /// Opens `path` below `root` in such a way that no symbolic link, `..` or magic link leads out of it.
    ///
    /// - Parameter resolve: `RESOLVE_*` bits of `openat2(2)`.
    /// - Throws: `SystemError` with the path; ELOOP or EXDEV where the path tried to leave; EAGAIN where somebody
    ///   renames without end.
    ///   The corresponding system call is `openat2`.
    public static func open(
        _ path: String, _ flags: Int32, mode: UInt32 = 0, within root: borrowing Descriptor,
        resolve: Int32 = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
    ) throws(SystemError) -> Descriptor {
        let how = UInt64(flags | O_CLOEXEC)
        let number = unsafe swn_openat2(root.rawValue, path, how, UInt64(mode), UInt64(resolve))
        guard number >= 0 else { throw SystemError("open", path, errno: .last) }
        return Descriptor(owning: number)
    }

    /// A second descriptor of the same open file. The corresponding system call is `fcntl(F_DUPFD_CLOEXEC)`.
    public borrowing func duplicate() throws(SystemError) -> Descriptor {
        let number = swn_fcntl(rawValue, F_DUPFD_CLOEXEC, 0)
        guard number >= 0 else { throw SystemError("duplicate descriptor", "\(rawValue)", errno: .last) }
        return Descriptor(owning: number)
    }

    /// A second descriptor that is kept over an exec, for a program that is told of it.
    public borrowing func duplicateForExec() throws(SystemError) -> Descriptor {
        let number = swn_fcntl(rawValue, F_DUPFD, 3)
        guard number >= 0 else { throw SystemError("duplicate descriptor", "\(rawValue)", errno: .last) }
        return Descriptor(owning: number)
    }

    /// A path that names the open file for calls that take only paths: `/proc/self/fd/N`.
    // As Int: the text of each type of integer is code of its own, far from what else a start executes.
    public var procPath: String { "/proc/self/fd/\(Int(rawValue))" }
}

extension Descriptor {
    /// Reads to the end of the file.
    ///
    /// - Parameters:
    ///   - limit: The most bytes accepted; a longer file is EFBIG, so that no input exhausts memory.
    ///   - isRegular: Whether it is known to be a regular file, which is at its end when a call answers less than asked.
    public borrowing func readAll(limit: Int = 64 << 20, isRegular: Bool = false) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let chunk = try readOnce(16384)
            if bytes.isEmpty { bytes = chunk } else { bytes += chunk }
            if bytes.count > limit { throw SystemError("read", procPath, errno: .fileTooLarge) }
            if chunk.isEmpty || isRegular && chunk.count < 16384 { return bytes }
        }
    }

    /// Reads a file of /proc or of a cgroup that is one record, which the kernel answers whole in one call. A file that is
    /// a list, such as mountinfo and cgroup.procs, it answers in parts.
    ///
    /// - Parameter limit: The most bytes accepted; a longer file is EFBIG.
    public borrowing func readRecord(limit: Int = 16384) throws(SystemError) -> [UInt8] {
        let bytes = try readOnce(limit + 1)
        if bytes.count > limit { throw SystemError("read", procPath, errno: .fileTooLarge) }
        return bytes
    }

    /// What one call answers: memory that it does not fill is not touched. The corresponding system call is `read`.
    private borrowing func readOnce(_ size: Int) throws(SystemError) -> [UInt8] {
        var answer = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            answer = retryingOnInterrupt { unsafe read(rawValue, buffer.baseAddress, size) }
            count = max(0, answer)
        }
        guard answer >= 0 else { throw SystemError("read", procPath, errno: .last) }
        return bytes
    }

    /// Writes every byte. The corresponding system call is `write`, repeated.
    public borrowing func writeAll(_ bytes: some Collection<UInt8>) throws(SystemError) {
        var rest = ArraySlice(Array(bytes))
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { buffer in
                retryingOnInterrupt { unsafe CLinux.write(rawValue, buffer.baseAddress, buffer.count) }
            }
            guard count > 0 else { throw SystemError("write", procPath, errno: count == 0 ? .ioError : .last) }
            rest = rest.dropFirst(count)
        }
    }

    /// Writes a text in one call, as files of /proc, /sys and cgroups want it.
    public borrowing func write(text: String) throws(SystemError) {
        var text = text
        let count = text.withUTF8 { buffer in
            retryingOnInterrupt { unsafe CLinux.write(rawValue, buffer.baseAddress, buffer.count) }
        }
        guard count == text.utf8.count else { throw SystemError("write '\(text)' to", procPath, errno: .last) }
    }

    /// What the file is. The corresponding system call is `fstat`.
    public borrowing func status() throws(SystemError) -> stat {
        var status = stat()
        guard unsafe fstat(rawValue, &status) == 0 else { throw SystemError("stat", procPath, errno: .last) }
        return status
    }
}

/// Repeats a call for as long as a signal interrupts it.
@inlinable
@inline(__always)
public func retryingOnInterrupt<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result != -1 || CurrentErrno.value != EINTR { return result }
    }
}
