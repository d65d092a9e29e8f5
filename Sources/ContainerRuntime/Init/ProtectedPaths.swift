import CLinux
import LinuxSystem
import SystemPackage

/// Hides and write-protects paths of the container, chiefly in /proc and /sys.
struct ProtectedPaths: ~Copyable {
    let plan: InitPlan
    /// What hides a file; its root is that of the container.
    let null: NullDevice

    func apply() throws(InitFailure) {
        swn_leave_descriptors_open(1)
        defer { swn_leave_descriptors_open(0) }
        for (index, path) in plan.readOnlyPaths.enumerated() {
            do throws(SystemError) {
                guard let target = try open(path) else { continue }
                try MountTree.attach(try MountTree.readOnlyClone(of: target, recursive: true), to: target)
            } catch {
                throw InitFailure(.readOnlyPath, Int32(index), error)
            }
        }
        guard !plan.maskedPaths.isEmpty else { return }
        var masks = Masks(device: null)
        var hidden: String?
        for (index, path) in plan.maskedPaths.enumerated() {
            do throws(SystemError) {
                if let target = try open(path, O_DIRECTORY) {
                    // The first one's descriptor is of what is hidden; looked up again it is what hides.
                    let mask = try hidden.flatMap { path throws(SystemError) in try open(path, O_DIRECTORY) }
                    try masks.hide(directory: target, like: mask)
                    hidden = hidden ?? path
                } else if swn_errno() == ENOTDIR, let target = try open(path) {
                    try masks.hide(file: target)
                }
            } catch {
                throw InitFailure(.maskedPath, Int32(index), error)
            }
        }
    }

    /// Nil when this kernel or image has none. A link is followed, inside the root: what it leads to has other names.
    private func open(_ path: String, _ flags: Int32 = 0) throws(SystemError) -> Descriptor? {
        let resolve = UInt64(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
        let number = unsafe swn_openat2(null.root, path, UInt64(O_PATH | O_CLOEXEC | flags), 0, resolve)
        guard number >= 0 else {
            if swn_errno() == ENOENT || swn_errno() == ENOTDIR { return nil }
            throw SystemError("open", path, errno: .last)
        }
        return Descriptor(owning: number)
    }
}

/// What is mounted over masked paths, and cannot be changed: an empty tmpfs over a directory, the null device over a file.
private struct Masks: ~Copyable {
    let device: NullDevice
    /// A mount of it that is attached to nothing. Closed by the exec.
    private var null: Int32 = -1
    /// The root alone: there is no file to hold anything.
    private let settings: [(name: String, value: String?)] = [("mode", "755"), ("nr_inodes", "1")]
    private let attributes =
        UInt64(MOUNT_ATTR_RDONLY) | UInt64(MOUNT_ATTR_NOSUID) | UInt64(MOUNT_ATTR_NODEV) | UInt64(MOUNT_ATTR_NOEXEC)

    init(device: NullDevice) { self.device = device }

    /// - Parameter mask: A directory that is hidden already: one file system is enough for all of them.
    func hide(directory target: borrowing Descriptor, like mask: borrowing Descriptor?) throws(SystemError) {
        switch mask {
        case .some(let mask):
            if MountTree.bind(mask.procPath, at: target.procPath) { return }
            try MountTree.attach(try MountTree.clone(of: mask, recursive: false), to: target)
        case .none:
            let mount = PlainMount("tmpfs", settings, attributes: attributes, isReadOnly: true)
            if mount?.attach(at: target.procPath) == true { return }
            let context = try FileSystemContext("tmpfs")
            for (name, value) in settings { try context.set(name, value ?? "") }
            try MountTree.attach(try context.mount(attributes: attributes), to: target)
        }
    }

    mutating func hide(file target: borrowing Descriptor) throws(SystemError) {
        if null < 0 { null = try device.readOnlyMount().release() }
        if MountTree.bind("/proc/self/fd/\(null)", at: target.procPath) { return }
        // Kernels before 6.15 copy nothing of what is attached nowhere.
        try MountTree.attach(try device.readOnlyMount(), to: target)
    }
}
