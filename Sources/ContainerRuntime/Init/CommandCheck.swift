import CLinux
import LinuxSystem

/// Finds the container's program, and makes sure that it is not this runtime.
///
/// An image can make its command, the interpreter of a script or the loader of a program a link to /proc/self/exe.
/// The exec would then run the runtime itself inside the container, which gives whoever controls the container a handle
/// to the host's file, to be overwritten (CVE-2019-5736). So the whole chain that the kernel would follow is resolved
/// without magic links and compared with the running program. This costs three or four system calls; copying the
/// program before each start, the other defence, costs more than the whole start.
///
/// The check is as good as its files are quiet: a container's root is its own until it runs. Entering a container that
/// runs, or running a file on a volume that others write to, asks for `ProtectedExecutable` besides.
struct CommandCheck {
    let plan: ProcessPlan

    /// The path of the program to execute, looked up as the container's user.
    func find() throws(InitFailure) -> String {
        var denied: InitFailure?
        for candidate in plan.command.candidates {
            var status = stat()
            guard unsafe stat(candidate, &status) == 0 else {
                if swn_errno() != ENOENT && swn_errno() != ENOTDIR { denied = InitFailure(.commandDenied) }
                continue
            }
            guard FileKind(mode: status.st_mode) != .directory else {
                denied = InitFailure(.commandDirectory, errno: EISDIR)
                continue
            }
            // With the effective user, as execve(2) decides.
            if unsafe faccessat(AT_FDCWD, candidate, X_OK, AT_EACCESS) == 0 { return candidate }
            denied = InitFailure(.commandDenied)
        }
        throw denied ?? InitFailure(.commandMissing, errno: ENOENT)
    }

    /// Follows the chain of interpreters from `path`.
    func verify(_ path: String) throws(InitFailure) {
        // The exec closes them.
        swn_leave_descriptors_open(1)
        defer { swn_leave_descriptors_open(0) }
        var next = path
        // The kernel follows five (fs/exec.c, exec_binprm).
        for _ in 0..<6 {
            guard let file = try open(next), let interpreter = Interpreter.of(file) else { return }
            next = interpreter
        }
    }

    /// Opens a link of the chain; nil when there is nothing to check: the exec itself will say what is wrong.
    private func open(_ path: String) throws(InitFailure) -> Descriptor? {
        let how = UInt64(O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        let number = unsafe swn_openat2(AT_FDCWD, path, how, 0, UInt64(RESOLVE_NO_MAGICLINKS))
        guard number >= 0 else {
            if swn_errno() == ELOOP { throw InitFailure(.commandIsRuntime, errno: ELOOP) }
            return nil
        }
        let file = Descriptor(owning: number)
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { return nil }
        let identity = FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        guard identity != plan.ownExecutable else { throw InitFailure(.commandIsRuntime, errno: EACCES) }
        guard FileKind(mode: status.st_mode) == .regular else { return nil }
        return file
    }
}

/// What else the kernel executes in order to execute a file.
enum Interpreter {
    /// The path after `#!`, or the loader a program names (`PT_INTERP`); nil for neither.
    static func of(_ file: borrowing Descriptor) -> String? {
        let beginning = read(file, at: 0, count: 1024)
        // The kernel looks at no more of a script (linux/binfmts.h, BINPRM_BUF_SIZE).
        let head = beginning.prefix(256)
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        if head.count > 2, head[0] == UInt8(ascii: "#"), head[1] == UInt8(ascii: "!") {
            let line = head.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") && $0 != 0 }
            let path = line.drop(while: isBlank).prefix { !isBlank($0) }
            return path.isEmpty ? nil : String(decoding: path, as: UTF8.self)
        }
        // elf(5): 64-bit, program headers at byte 32, their size at 54, their number at 56.
        guard head.count >= 64, number(beginning, 0, 4) == 0x464C_457F, head[4] == 2 else { return nil }
        let (offset, size, count) = (number(beginning, 32, 8), number(beginning, 54, 2), number(beginning, 56, 2))
        guard size == 56, count > 0, count <= 128, offset < 1 << 40 else { return nil }
        let end = offset + size * count
        // Nearly always they follow the header.
        let headers =
            end <= beginning.count
            ? Array(beginning[offset..<end]) : read(file, at: offset, count: size * count)
        for start in stride(from: 0, to: headers.count - 55, by: 56) where number(headers, start, 4) == 3 {
            let (place, length) = (number(headers, start + 8, 8), number(headers, start + 32, 8))
            guard length > 1, length <= Int(PATH_MAX), place < 1 << 40 else { return nil }
            return String(decoding: read(file, at: place, count: length).prefix { $0 != 0 }, as: UTF8.self)
        }
        return nil
    }

    private static func read(_ file: borrowing Descriptor, at offset: Int, count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let length = unsafe pread(file.rawValue, &bytes, count, off_t(offset))
        return Array(bytes.prefix(max(0, length)))
    }

    /// Little-endian, as every machine is that this runs on; a number too large to be an offset counts as one.
    private static func number(_ bytes: [UInt8], _ at: Int, _ size: Int) -> Int {
        let value = (0..<size).reduce(UInt64(0)) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) }
        return value > UInt64(Int.max) ? Int.max : Int(value)
    }
}
