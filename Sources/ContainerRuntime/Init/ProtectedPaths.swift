import CLinux
import LinuxSystem
import SystemPackage

/// Hides and write-protects paths of the container, chiefly in /proc and /sys.
struct ProtectedPaths: ~Copyable {
    let plan: InitPlan
    /// What hides a file; its root is that of the container.
    let null: NullDevice

    func apply() throws(InitFailure) {
        if plan.readOnlyPaths.isEmpty && plan.maskedPaths.isEmpty { return }
        swn_leave_descriptors_open(1)
        defer { swn_leave_descriptors_open(0) }
        var proc = ProcPlace(root: null.root)
        for (index, path) in plan.readOnlyPaths.enumerated() {
            do throws(SystemError) {
                if let (name, _) = proc.name(path), protect(name, in: proc) { continue }
                guard let target = try null.open(path) else { continue }
                try MountTree.attach(try MountTree.readOnlyClone(of: target, recursive: true), to: target)
                proc.mayBeCovered()
            } catch {
                throw InitFailure(.readOnlyPath, Int32(index), error)
            }
        }
        var masks = Masks(device: null)
        for (index, path) in plan.maskedPaths.enumerated() {
            do throws(SystemError) {
                if let (name, isDirectory) = proc.name(path), masks.hide(name, isDirectory, in: proc) { continue }
                if let target = try null.open(path, O_DIRECTORY) {
                    try masks.hide(directory: target, path)
                    proc.mayBeCovered()
                } else if swn_errno() == ENOTDIR, let target = try null.open(path) {
                    try masks.hide(file: target)
                }
            } catch {
                throw InitFailure(.maskedPath, Int32(index), error)
            }
        }
    }

    /// - Returns: Whether there is nothing more to be done about it; why not, the other way says.
    private func protect(_ name: String, in proc: ProcPlace) -> Bool {
        do throws(SystemError) {
            guard let tree = try MountTree.readOnlyClone(of: name, in: proc.number, recursive: true) else {
                return true
            }
            try MountTree.attach(ofNumber: tree.rawValue, toPath: name, in: proc.number)
            return true
        } catch {
            return false
        }
    }
}

/// The container's /proc, once it is known to be the kernel's: what is directly in it can be named, because nobody puts a
/// link there.
private struct ProcPlace {
    private let root: Int32
    /// Open, or -1. The exec closes it.
    private(set) var number: Int32 = -1
    private var isKnown = false

    init(root: Int32) { self.root = root }

    /// What was mounted somewhere may have been mounted over /proc itself: what is done by name from here on has to be done
    /// in what is seen there.
    mutating func mayBeCovered() { isKnown = false }

    private mutating func open() {
        isKnown = true
        let resolve = UInt64(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
        let number = unsafe swn_openat2(root, "proc", UInt64(O_PATH | O_DIRECTORY | O_CLOEXEC), 0, resolve)
        guard number >= 0 else {
            self.number = -1
            return
        }
        let proc = Descriptor(owning: number)
        let isProc = (try? proc.isProc()) == true
        self.number = isProc ? proc.release() : -1
    }

    /// What engines hide and protect, none of which the kernel has as a link, and whether it is a directory. A link may
    /// lead out of it: on some machines /proc/device-tree leads to /sys.
    private static func kind(of name: String) -> FileKind? {
        switch name {
        case "acpi", "asound", "bus", "fs", "irq", "scsi", "sys": .directory
        case "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "sysrq-trigger", "timer_list",
            "timer_stats":
            .regular
        default: nil
        }
    }

    /// The name of a path that is one of these.
    mutating func name(_ path: String) -> (name: String, isDirectory: Bool)? {
        guard let name = RootBuilder.name(path, in: "proc/"), let kind = Self.kind(of: name) else { return nil }
        if !isKnown { open() }
        return number >= 0 ? (name, kind == .directory) : nil
    }
}

/// What is mounted over masked paths, and cannot be changed: an empty tmpfs over a directory, the null device over a file.
private struct Masks: ~Copyable {
    let device: NullDevice
    /// A mount of it, which is attached to the first place that it hides and shown at the others. What is attached nowhere
    /// would be dissolved by the exec, which waits for every processor to notice; and kernels before 6.15 copy nothing of
    /// that. Closed by the exec.
    private var null: Int32 = -1
    private var isAttached = false
    /// Whether a place in /proc could be found by its name, so that one that cannot be found is none.
    private var isFound = false
    /// Where a directory is hidden already: one file system is enough for all of them.
    private var mask: String?
    /// The path of the first, as long as that is not known.
    private var first: String?
    /// The root alone: there is no file to hold anything.
    private let settings = [MountSetting("mode", "755"), MountSetting("nr_inodes", "1")]
    private let attributes =
        UInt64(MOUNT_ATTR_RDONLY) | UInt64(MOUNT_ATTR_NOSUID) | UInt64(MOUNT_ATTR_NODEV) | UInt64(MOUNT_ATTR_NOEXEC)

    init(device: NullDevice) { self.device = device }

    /// Hides what has a name in /proc. What of it is a directory is known: a mount over the other kind is taken back, and
    /// every processor has to notice.
    ///
    /// - Returns: Whether there is nothing more to be done about it; why not, the other way says.
    mutating func hide(_ name: String, _ isDirectory: Bool, in proc: ProcPlace) -> Bool {
        if !isDirectory, !isAttached { return attach(to: name, in: proc) }
        let place = "/proc/self/fd/\(Int(proc.number))/\(name)"
        if let hider = isDirectory ? mask : nullPath { return show(hider, at: place) }
        guard first == nil, attachPlainly(at: place) else { return false }
        mask = place
        return true
    }

    private mutating func attach(to name: String, in proc: ProcPlace) -> Bool {
        if null < 0 { null = (try? device.readOnlyMount())?.release() ?? -1 }
        guard null >= 0 else { return false }
        do throws(SystemError) {
            try MountTree.attach(ofNumber: null, toPath: name, in: proc.number)
            isAttached = true
            return true
        } catch {
            return error.errno == .noSuchFileOrDirectory
        }
    }

    private mutating func show(_ hider: String, at place: String) -> Bool {
        if MountTree.bind(hider, at: place) {
            isFound = true
            return true
        }
        return isFound && swn_errno() == ENOENT
    }

    mutating func hide(directory target: borrowing Descriptor, _ path: String) throws(SystemError) {
        // The first one's descriptor is of what is hidden; looked up again it is what hides.
        if mask == nil, let first, let hider = try device.open(first, O_DIRECTORY) {
            // Closed by the exec.
            mask = "/proc/self/fd/\(Int(hider.release()))"
        }
        if let mask {
            if MountTree.bind(mask, at: target.procPath) { return }
            return try MountTree.attach(try MountTree.clone(path: mask, recursive: false), to: target)
        }
        first = path
        if attachPlainly(at: target.procPath) { return }
        let context = try FileSystemContext("tmpfs")
        try context.set(settings)
        try MountTree.attach(try context.mount(attributes: attributes), to: target)
    }

    mutating func hide(file target: borrowing Descriptor) throws(SystemError) {
        if isAttached {
            if MountTree.bind(nullPath, at: target.procPath) { return }
            // Moved from one place to another it would hide only that.
            return try MountTree.attach(try device.readOnlyMount(), to: target)
        }
        if null < 0 { null = try device.readOnlyMount().release() }
        try MountTree.attach(ofNumber: null, to: target.rawValue)
        isAttached = true
    }

    private var nullPath: String { "/proc/self/fd/\(Int(null))" }

    private func attachPlainly(at path: String) -> Bool {
        PlainMount.attach("tmpfs", at: path, settings, attributes: attributes, isReadOnly: true)
    }
}

extension NullDevice {
    /// Opens a path of the container; nil when this kernel or image has none. A link is followed, inside the root: what it
    /// leads to has other names.
    fileprivate func open(_ path: String, _ flags: Int32 = 0) throws(SystemError) -> Descriptor? {
        let resolve = UInt64(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
        let number = unsafe swn_openat2(root, path, UInt64(O_PATH | O_CLOEXEC | flags), 0, resolve)
        guard number >= 0 else {
            if swn_errno() == ENOENT || swn_errno() == ENOTDIR { return nil }
            throw SystemError("open", path, errno: .last)
        }
        return Descriptor(owning: number)
    }
}
