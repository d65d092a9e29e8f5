import CLinux
public import LinuxSystem
import SystemPackage

/// Takes the program's own file out of reach of what runs in containers.
///
/// A process that enters a running container is for a moment a process of that container, with /proc/self/exe being
/// the host's program. `CommandCheck` makes sure that the container cannot have it executed as its command, but
/// files that others can change while they are checked allow no certainty. And the first process of a container that waits
/// is this program, for whoever is in the container by then, by a hook or `exec`, and may look at other processes
/// (CAP_SYS_PTRACE): what is opened now can be written to when the program has been executed. So a program that is about
/// to enter a running container, or to make one that waits or shares writable files with others, first executes itself
/// again from a read-only mount of its own file that is attached nowhere: whoever gets hold of it cannot write to it
/// (CVE-2019-5736). Running a container with a root of its own at once does without. An ordinary user's program is safe
/// when it is root's; one of the user's own is copied into memory and sealed.
public enum ProtectedExecutable {
    /// Returns at once when the program's file is already on a read-only mount; else starts the program over, with
    /// the same arguments and environment. To be called before anything has been made.
    ///
    /// - Throws: `SystemError`. The corresponding system calls are `open_tree`, `mount_setattr` and `execveat`.
    public static func ensure() throws(SystemError) {
        if try isProtected() { return }
        let program: Descriptor
        do throws(SystemError) {
            program = try MountTree.clone(path: "/proc/self/exe", recursive: false)
        } catch {
            // An ordinary user may mount nothing.
            guard error.errno == .notPermitted else { throw error }
            if try isForeign() { return }
            if try isSealed() { return }
            return try execute(try sealedCopy())
        }
        try MountTree.setAttributes(of: program, set: UInt64(MOUNT_ATTR_RDONLY))
        try execute(program)
    }

    /// The same at the very beginning of a program that will need it: the sooner, the less is done twice. What goes wrong
    /// goes wrong again where the error can be told.
    public static func begin() {
        guard unsafe getenv(pathVariable) == nil else { return }
        try? ensure()
    }

    private static func execute(_ program: borrowing Descriptor) throws(SystemError) {
        // As they came, also those arguments that are not UTF-8.
        let arguments = unsafe swn_arguments()
        unsafe setenv(pathVariable, try path(), 1)
        _ = unsafe swn_execveat(program.rawValue, "", arguments, swn_environment(), AT_EMPTY_PATH)
        throw SystemError("execute again from a read-only mount or copy", "/proc/self/exe", errno: .last)
    }

    /// Whether the file is the host's root's and closed to this user, whose containers have no more rights than it.
    private static func isForeign() throws(SystemError) -> Bool {
        let status = try Descriptor.open("/proc/self/exe", O_PATH).status()
        // 65534 is who is in no map of this user namespace.
        let isOthers = status.st_uid == 65534 || (status.st_uid == 0 && geteuid() != 0)
        guard isOthers else { return false }
        return unsafe faccessat(AT_FDCWD, "/proc/self/exe", W_OK, AT_EACCESS) != 0
    }

    /// Whether the program is such a copy already.
    private static func isSealed() throws(SystemError) -> Bool {
        // A value that has no name is closed before its number is used.
        let program = try Descriptor.open("/proc/self/exe")
        let seals = swn_fcntl(program.rawValue, F_GET_SEALS, 0)
        return seals >= 0 && seals & F_SEAL_WRITE != 0
    }

    /// A copy in memory that nobody can change. The corresponding system calls are `memfd_create` and
    /// `fcntl(F_ADD_SEALS)`.
    private static func sealedCopy() throws(SystemError) -> Descriptor {
        let source = try Descriptor.open("/proc/self/exe")
        let size = Int(try source.status().st_size)
        let number = unsafe swn_executable_memory("swrun")
        guard number >= 0 else { throw SystemError("make a file in memory", errno: .last) }
        let copy = Descriptor(owning: number)
        var rest = size
        while rest > 0 {
            let count = retryingOnInterrupt { sendfile(copy.rawValue, source.rawValue, nil, rest) }
            guard count > 0 else { throw SystemError("copy", "/proc/self/exe", errno: .last) }
            rest -= count
        }
        let seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE
        guard swn_fcntl(copy.rawValue, F_ADD_SEALS, seals) == 0 else {
            throw SystemError("seal the copy of", "/proc/self/exe", errno: .last)
        }
        return copy
    }

    /// Where the program's file lies. The kernel does not know it any more of a mount that is attached nowhere, so whoever
    /// executes the program again tells.
    ///
    /// - Throws: `SystemError`. The corresponding system call is `readlink`.
    static func path() throws(SystemError) -> String {
        if let path = unsafe getenv(pathVariable), try isProtected() { return unsafe String(cString: path) }
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        guard length > 0 else { throw SystemError("read", "/proc/self/exe", errno: .last) }
        return String(decoding: buffer[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static let pathVariable = "SWRUN_PROGRAM"

    /// Whether the file of the running program cannot be written to through the mount it was started from.
    static func isProtected() throws(SystemError) -> Bool {
        let program = try Descriptor.open("/proc/self/exe", O_PATH)
        var fileSystem = statvfs()
        guard unsafe fstatvfs(program.rawValue, &fileSystem) == 0 else {
            throw SystemError("statvfs", "/proc/self/exe", errno: .last)
        }
        return fileSystem.f_flag & UInt(ST_RDONLY) != 0
    }
}
