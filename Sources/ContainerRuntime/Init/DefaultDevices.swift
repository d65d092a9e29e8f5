import CLinux
import LinuxSystem
import SystemPackage

/// The device nodes and links that every container has (runtime-spec, config-linux.md, "Default Devices").
enum DefaultDevices {
    struct Node {
        var name: String
        var major: UInt32
        var minor: UInt32

        /// The same in the words of a document.
        var step: DeviceStep {
            DeviceStep(
                field: "", path: "dev/\(name)", mode: FileKind.characterDevice.bits | 0o666,
                number: swn_makedev(major, minor), uid: 0, gid: 0)
        }
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
    ///   - isMapped: Whether this is a user namespace, in which nodes are shown and not made.
    ///   - lent: Who has the launcher make what this process may not.
    static func fill(
        _ directory: borrowing Descriptor, withConsole: Bool = false, besides devices: [DeviceStep], isMapped: Bool,
        lent: LentMounts?
    ) throws(SystemError) {
        if withConsole { try makePlace("console", mode: 0o600, in: directory) }
        for (index, node) in nodes.enumerated() {
            let step = node.step
            if devices.contains(where: { $0.path == step.path }) { continue }
            do throws(SystemError) {
                if try make(step, node.name, in: directory) != .denied { continue }
            } catch {
                guard error.errno == .fileExists else { throw error }
                // As with runc and crun: another file of the image's stays what it is, or has the node on top.
                let kind = directory.kind(of: node.name)
                guard kind != .symbolicLink, kind != .directory else { throw error }
                guard isMapped else { continue }
            }
            try show(try standard(step, lent, Int32(index)), node.name, in: directory)
        }
        for (name, target) in links {
            // Not every kernel has one (CONFIG_PROC_KCORE).
            if name == "core", unsafe access(target, F_OK) != 0 { continue }
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
        switch try make(device, name, in: directory) {
        case .made:
            guard unsafe fchownat(directory.rawValue, name, device.uid, device.gid, AT_SYMLINK_NOFOLLOW) == 0 else {
                throw SystemError("change owner of", device.path, errno: .last)
            }
        case .found: return
        case .denied:
            let node: Descriptor
            if let lent = try? lend() {
                try MountTree.setAttributes(of: lent, set: UInt64(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC))
                node = lent
            } else {
                node = try hosts(device)
            }
            try show(node, name, in: directory)
        }
    }

    private enum Answer { case made, found, denied }

    private static func make(
        _ device: DeviceStep, _ name: String, in directory: borrowing Descriptor
    ) throws(SystemError) -> Answer {
        if unsafe mknodat(directory.rawValue, name, device.mode, dev_t(device.number)) == 0 { return .made }
        switch swn_errno() {
        case EEXIST:
            // The image's own: right, or not to be trusted with the name.
            var status = stat()
            guard unsafe fstatat(directory.rawValue, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
                throw SystemError("make device", name, errno: .last)
            }
            let wanted = words(device.mode, device.number)
            let found = words(status.st_mode, UInt64(status.st_rdev))
            if found == wanted { return .found }
            throw SystemError(
                "make device", name, errno: .fileExists, hint: "/\(device.path) is not \(wanted) but \(found)")
        // Without the right to make nodes, as in a user namespace.
        case EPERM: return .denied
        default: throw SystemError("make device", name, errno: .last)
        }
    }

    /// What a file is, with its number where it is a device.
    private static func words(_ mode: UInt32, _ number: UInt64) -> String {
        let numbers = "\(swn_major(number)):\(swn_minor(number))"
        return switch FileKind(mode: mode) {
        case .characterDevice: "character device \(numbers)"
        case .blockDevice: "block device \(numbers)"
        case .regular: "a regular file"
        case .directory: "a directory"
        case .symbolicLink: "a symbolic link"
        case .fifo: "a FIFO"
        case .socket: "a socket"
        }
    }

    /// A node that every container has, where it is not made.
    private static func standard(
        _ device: DeviceStep, _ lent: LentMounts?, _ index: Int32
    ) throws(SystemError) -> Descriptor {
        let node = try hosts(device)
        // In most user namespaces the host's belongs to nobody (user_namespaces(7)), and costs less. Who has its owner's
        // number inside may change it, and who may mount besides makes a mount of it writable again.
        guard let lent, try node.status().st_uid != 65534, let own = try? lent.node(index) else { return node }
        try MountTree.setAttributes(of: own, set: UInt64(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC))
        return own
    }

    private static func show(
        _ node: consuming Descriptor, _ name: String, in directory: borrowing Descriptor
    ) throws(SystemError) {
        try makePlace(name, mode: 0o644, in: directory)
        let file = try Descriptor.open(name, O_PATH | O_NOFOLLOW, relativeTo: directory.rawValue)
        try MountTree.attach(node, to: file)
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

    /// The host's node, to be shown in the container by a mount through which its mode, owner and times are not changed.
    private static func hosts(_ device: DeviceStep) throws(SystemError) -> Descriptor {
        let source = try MountTree.clone(path: "/\(device.path)", recursive: false)
        let status = try source.status()
        guard FileKind(mode: status.st_mode) == FileKind(mode: device.mode), UInt64(status.st_rdev) == device.number
        else {
            throw SystemError(
                "make device", device.path, errno: .notPermitted,
                hint: "without the right to make one it is the host's /\(device.path), which is another device")
        }
        try MountTree.setAttributes(
            of: source, set: UInt64(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC))
        return source
    }
}
