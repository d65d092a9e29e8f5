import CLinux
import SystemPackage

/// The kinds of namespace, with the kernel's flag and the name under `/proc/PID/ns`.
public enum NamespaceKind: String, CaseIterable, Hashable, Sendable {
    case cgroup, ipc, mnt, net, pid, time, user, uts

    /// The `CLONE_NEW*` flag.
    public var flag: UInt64 {
        switch self {
        case .cgroup: 0x0200_0000
        case .ipc: 0x0800_0000
        case .mnt: 0x0002_0000
        case .net: 0x4000_0000
        case .pid: 0x2000_0000
        case .time: 0x0000_0080
        case .user: 0x1000_0000
        case .uts: 0x0400_0000
        }
    }
}

/// What tells one namespace from another while either lives: the device and inode of its file.
public struct NamespaceIdentity: Hashable, Sendable {
    public var device: UInt64
    public var inode: UInt64

    public init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}

/// An open namespace: it lives at least as long as this handle.
public struct Namespace: ~Copyable, Sendable {
    public let descriptor: Descriptor
    public let identity: NamespaceIdentity

    /// Opens a namespace file (`/proc/PID/ns/net`, `/run/netns/NAME`) and checks that it is one.
    ///
    /// - Parameter kind: What it has to be a namespace of; nil when that is checked by who enters it.
    /// - Throws: `SystemError`; EINVAL when the file is not a namespace, or not of the kind.
    public init(path: String, kind: NamespaceKind? = nil) throws(SystemError) {
        // A path from outside may be a pipe that nobody writes to: opening it must not wait.
        let file = try Descriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
        var fileSystem = statfs()
        guard unsafe fstatfs(file.rawValue, &fileSystem) == 0 else {
            throw SystemError("statfs", path, errno: .last)
        }
        guard UInt64(fileSystem.f_type) == UInt64(NSFS_MAGIC) else {
            throw SystemError("open namespace", path, errno: .invalidArgument, hint: "not a namespace file")
        }
        if let kind, swn_namespace_type(file.rawValue) != Int32(kind.flag) {
            throw SystemError("open namespace", path, errno: .invalidArgument, hint: "not a \(kind.rawValue) namespace")
        }
        let status = try file.status()
        identity = NamespaceIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        descriptor = file
    }

    /// The calling thread's own namespace of a kind.
    public static func current(_ kind: NamespaceKind) throws(SystemError) -> Namespace {
        try Namespace(path: "/proc/thread-self/ns/\(kind.rawValue)")
    }

    /// What tells the calling thread's network namespace from all others of this boot, also those that have gone.
    ///
    /// The corresponding system call is `getsockopt` with SO_NETNS_COOKIE (Linux 5.14, net/core/net_namespace.c).
    public static func networkCookie() throws(SystemError) -> UInt64 {
        let number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemError("make socket", errno: .last) }
        let socket = Descriptor(owning: number)
        var cookie: UInt64 = 0
        var size = socklen_t(MemoryLayout.size(ofValue: cookie))
        guard unsafe getsockopt(socket.rawValue, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0 else {
            throw SystemError("identify the network namespace", errno: .last)
        }
        return cookie
    }

    /// The namespace of a process. A process that has ended is ESRCH.
    public static func of(process: Int32, _ kind: NamespaceKind) throws(SystemError) -> Namespace {
        do throws(SystemError) {
            return try Namespace(path: "/proc/\(process)/ns/\(kind.rawValue)")
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
            throw SystemError("open \(kind.rawValue) namespace of process", "\(process)", errno: .noSuchProcess)
        }
    }

    /// Runs `body` inside this network, ipc, uts or cgroup namespace and always comes back.
    ///
    /// The body must not be suspended or change threads. A thread that cannot return would do its next work in a
    /// container's namespace, so that case, which the kernel does not allow to happen, ends the process.
    /// The corresponding system call is `setns`.
    public borrowing func enter<Result: ~Copyable>(
        _ kind: NamespaceKind, _ body: () throws -> Result
    ) throws -> Result {
        try enter(kind, from: try Descriptor.open("/proc/thread-self/ns/\(kind.rawValue)"), body)
    }

    /// The same for who enters many, and keeps open the namespace that the calling thread is in.
    public borrowing func enter<Result: ~Copyable>(
        _ kind: NamespaceKind, from home: borrowing Descriptor, _ body: () throws -> Result
    ) throws -> Result {
        guard setns(descriptor.rawValue, Int32(kind.flag)) == 0 else {
            throw SystemError("enter \(kind.rawValue) namespace", descriptor.procPath, errno: .last)
        }
        defer {
            if setns(home.rawValue, Int32(kind.flag)) != 0 { abort() }
        }
        return try body()
    }
}
