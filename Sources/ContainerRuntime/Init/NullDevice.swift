import CLinux
import LinuxSystem
import SystemPackage

/// The null device of a container, which hides files of it, and which its standard streams are instead of the host's.
///
/// The host's own node would be too much to give: the superuser inside could change its mode, owner and times, by a mount
/// and by a file that is open, and see who opens it. So it is the container's node, once it is known to be one
/// (CVE-2025-31133), and where there is none the host's by a mount through which nothing of it can be changed.
struct NullDevice {
    /// The node in a /dev that was made for the container, open for reading and writing, or -1. Borrowed.
    let own: Int32
    /// The container's root. Borrowed.
    let root: Int32

    /// Opens the node of a /dev that was just made, in which nobody can have changed anything yet.
    ///
    /// - Returns: -1 where there is none, or none that may be opened.
    static func open(in dev: borrowing Descriptor) -> Int32 {
        unsafe swn_openat(dev.rawValue, "null", O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0)
    }

    /// A copy of its mount, attached to nothing yet, through which it is read and written, and not changed.
    func readOnlyMount() throws(SystemError) -> Descriptor {
        if own >= 0 { return try MountTree.readOnlyClone(ofNumber: own, recursive: false) }
        let resolve = UInt64(RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)
        let number = unsafe swn_openat2(root, "dev/null", UInt64(O_PATH | O_CLOEXEC), 0, resolve)
        guard number >= 0 else { return try Self.hostsMount() }
        let node = Descriptor(owning: number)
        guard Self.isNull(number) else { return try Self.hostsMount() }
        return try MountTree.readOnlyClone(of: node, recursive: false)
    }

    private static func hostsMount() throws(SystemError) -> Descriptor {
        let node = try Descriptor.open("/dev/null", O_PATH | O_NOFOLLOW)
        guard isNull(node.rawValue) else {
            throw SystemError("mask with", "/dev/null", errno: Errno(rawValue: ENODEV), hint: "not device 1:3")
        }
        return try MountTree.readOnlyClone(of: node, recursive: false)
    }

    private static func isNull(_ number: Int32) -> Bool {
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { return false }
        return FileKind(mode: status.st_mode) == .characterDevice && UInt64(status.st_rdev) == swn_makedev(1, 3)
    }
}

/// Standard streams.
extension NullDevice {
    /// Takes the place of the host's, as long as the host's /proc is there.
    func takeStreams() {
        let streams = Self.streams()
        if streams.isEmpty { return }
        Self.replace(streams, by: own >= 0 ? own : Self.open { () throws(SystemError) in try readOnlyMount() })
    }

    /// Those that are a null device: the host's, until it is replaced.
    static func streams() -> [Int32] { (0..<3).filter(isNull) }

    static func replace(_ streams: [Int32], by null: Int32) {
        guard null >= 0 else { return }
        for stream in streams { dup2(null, stream) }
    }

    /// Opens the host's for a process that enters a container and may find anything in the place of its own.
    ///
    /// - Returns: -1 where no mount of the host's may be copied: in a user namespace, whose superuser may not change it.
    static func openHosts() -> Int32 { open(hostsMount) }

    /// Opens that of the container that this process has entered.
    ///
    /// - Returns: -1 for anything else.
    static func openInside() -> Int32 {
        // What opens only when somebody else comes, as a terminal may, is not waited for.
        let flags = UInt64(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        let number = unsafe swn_openat2(AT_FDCWD, "/dev/null", flags, 0, UInt64(RESOLVE_NO_SYMLINKS))
        if number < 0 || isNull(number) { return number }
        close(number)
        return -1
    }

    private static func open(_ mount: () throws(SystemError) -> Descriptor) -> Int32 {
        do throws(SystemError) {
            let mount = try mount()
            return unsafe swn_openat(AT_FDCWD, mount.procPath, O_RDWR | O_CLOEXEC, 0)
        } catch {
            return -1
        }
    }
}
