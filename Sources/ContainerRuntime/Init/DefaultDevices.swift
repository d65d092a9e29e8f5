import CLinux
import LinuxSystem
import SystemPackage

/// The device nodes and links that every container has (runtime-spec, config-linux.md, "Default Devices").
enum DefaultDevices {
    struct Node {
        var name: String
        var major: UInt32
        var minor: UInt32
    }

    static let nodes = [
        Node(name: "null", major: 1, minor: 3), Node(name: "zero", major: 1, minor: 5),
        Node(name: "full", major: 1, minor: 7), Node(name: "random", major: 1, minor: 8),
        Node(name: "urandom", major: 1, minor: 9), Node(name: "tty", major: 5, minor: 0),
    ]

    private static let links = [
        ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"), ("core", "/proc/kcore"), ("ptmx", "pts/ptmx"),
    ]

    /// Whether a name in /dev is that of a node or a link.
    static func has(_ name: String) -> Bool {
        nodes.contains { $0.name == name } || links.contains { $0.0 == name } || name == "console"
    }

    /// Fills an open directory, usually a tmpfs that is not attached yet, so that nobody can be in the way.
    ///
    /// - Parameters:
    ///   - withConsole: Whether there is to be a place for the terminal, which may be read-only later.
    ///   - devices: Those of the document, which come later: where they say how one of the nodes is they are that node.
    static func fill(
        _ directory: borrowing Descriptor, withConsole: Bool = false, besides devices: [DeviceStep]
    ) throws(SystemError) {
        if withConsole { try makePlace("console", mode: 0o600, in: directory) }
        for node in nodes where !devices.contains(where: { $0.path == "dev/\(node.name)" }) {
            let number = swn_makedev(node.major, node.minor)
            _ = try make(
                node.name, mode: FileKind.characterDevice.bits | 0o666, number: number, in: directory,
                host: "/dev/\(node.name)")
        }
        for (name, target) in links {
            guard unsafe symlinkat(target, directory.rawValue, name) == 0 || swn_errno() == EEXIST else {
                throw SystemError("link /dev/\(name) to", target, errno: .last)
            }
        }
    }

    /// Makes a node of the document.
    ///
    /// - Parameter lend: Has the launcher make it where this process may not; nil where that may not either.
    static func make(
        _ device: DeviceStep, root: borrowing Descriptor, lend: () throws(SystemError) -> Descriptor?
    ) throws(SystemError) {
        let parts = device.path.split(separator: "/").map(String.init)
        guard let name = parts.last else { return }
        let resolver = TargetResolver(root: root.rawValue)
        let directory =
            parts.count == 1
            ? try root.duplicate()
            : try resolver.open(parts.dropLast().joined(separator: "/"), isDirectory: true, isPlain: false)
        // The launcher has given it its owner; the host's node keeps its own, and so does what was there before, as with runc
        // and crun: where the document binds the host's /dev, that is the host's as well.
        guard
            try make(
                name, mode: device.mode, number: device.number, in: directory, host: "/\(device.path)", lend: lend)
        else { return }
        guard unsafe fchownat(directory.rawValue, name, device.uid, device.gid, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw SystemError("change owner of", device.path, errno: .last)
        }
    }

    /// - Returns: Whether the node is new.
    private static func make(
        _ name: String, mode: UInt32, number: UInt64, in directory: borrowing Descriptor, host: String,
        lend: () throws(SystemError) -> Descriptor? = { nil }
    ) throws(SystemError) -> Bool {
        if unsafe mknodat(directory.rawValue, name, mode, dev_t(number)) == 0 { return true }
        switch swn_errno() {
        case EEXIST:
            // The image's own: right, or not to be trusted with the name.
            var status = stat()
            guard unsafe fstatat(directory.rawValue, name, &status, AT_SYMLINK_NOFOLLOW) == 0,
                FileKind(mode: status.st_mode) == FileKind(mode: mode), UInt64(status.st_rdev) == number
            else { throw SystemError("make device", name, errno: .fileExists) }
            return false
        case EPERM:
            // Without the right to make nodes, as in a user namespace.
            let source: Descriptor
            if let node = try? lend() {
                source = node
            } else {
                source = try hosts(host, name, mode: mode, number: number)
            }
            try MountTree.setAttributes(of: source, set: UInt64(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC))
            try makePlace(name, mode: 0o644, in: directory)
            let file = try Descriptor.open(name, O_PATH | O_NOFOLLOW, relativeTo: directory.rawValue)
            try MountTree.attach(source, to: file)
            return false
        default: throw SystemError("make device", name, errno: .last)
        }
    }

    /// Makes a file to mount on, unless there is one. Without opening it: nothing that is open for writing may become
    /// read-only, as the root may.
    private static func makePlace(
        _ name: String, mode: UInt32, in directory: borrowing Descriptor
    ) throws(SystemError) {
        guard unsafe mknodat(directory.rawValue, name, mode_t(S_IFREG) | mode, 0) == 0 || swn_errno() == EEXIST else {
            throw SystemError("make file in /dev", name, errno: .last)
        }
    }

    /// The host's node, to be shown in the container.
    private static func hosts(
        _ path: String, _ name: String, mode: UInt32, number: UInt64
    ) throws(SystemError) -> Descriptor {
        let source = try MountTree.clone(path: path, recursive: false)
        let status = try source.status()
        guard FileKind(mode: status.st_mode) == FileKind(mode: mode), UInt64(status.st_rdev) == number else {
            throw SystemError(
                "make device", name, errno: .notPermitted,
                hint: "without the right to make one it is the host's \(path), which is another device")
        }
        return source
    }
}
