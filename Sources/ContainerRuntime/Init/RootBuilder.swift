import CLinux
import LinuxSystem
import SystemPackage

/// Makes the container's root and everything mounted in it, in a mount namespace that nobody else is in.
///
/// The root is opened once. Whatever is mounted in it is mounted on a descriptor that was resolved below that root,
/// so no link in an image leads out of it, however it is changed meanwhile (CVE-2021-30465, CVE-2023-27561).
struct RootBuilder {
    let plan: InitPlan
    let mapped: MappedMounts
    /// What binds show, opened by somebody who was allowed to; by the mount's number.
    let sources: [Int32: Int32]
    /// Nil where the launcher may do no more than this process.
    let lent: LentMounts?

    /// What the later steps need of the mounts.
    struct Mounted: ~Copyable {
        let root: Descriptor
        /// The container's /proc and /dev/pts, or -1. The exec closes them.
        var proc: Int32 = -1
        var pts: Int32 = -1
        /// The container's own /dev, and the null device in it, or -1.
        var dev: Int32 = -1
        var null: Int32 = -1
    }

    func build() throws(InitFailure) -> Mounted {
        try setPropagation()
        let root = try openRoot()
        // From here on hundreds of files are opened, and the exec closes them all at once.
        swn_leave_descriptors_open(1)
        defer { swn_leave_descriptors_open(0) }
        var mounted = Mounted(root: root)
        for mount in plan.mounts {
            do throws(SystemError) {
                try perform(mount, &mounted)
            } catch {
                let stage: InitStage = error.operation == TargetResolver.operation ? .mountTarget : .mount
                throw InitFailure(stage, mount.index, error)
            }
        }
        if plan.fillsDev { try fillPlainDev(mounted.root) }
        for (index, device) in plan.devices.enumerated() {
            do throws(SystemError) {
                try DefaultDevices.make(device, root: mounted.root) { () throws(SystemError) in
                    try lent?.device(Int32(index))
                }
            } catch {
                throw InitFailure(.device, Int32(index), error)
            }
        }
        makeWorkingDirectory(in: mounted.root)
        return mounted
    }

    /// Nothing that is mounted here shows outside, and what the host unmounts goes here as well.
    private func setPropagation() throws(InitFailure) {
        do throws(SystemError) {
            try MountTree.setPropagationOfAll(plan.propagation.ofHost)
        } catch {
            throw InitFailure(.propagation, 0, error)
        }
    }

    private func openRoot() throws(InitFailure) -> Descriptor {
        let root: Descriptor
        do throws(SystemError) {
            root =
                switch plan.root {
                // With the slash only a directory is one.
                case .directory(let path): try MountTree.clone(path: path + "/", recursive: true)
                case .overlay(let overlay): try OverlayMount(overlay).make()
                }
        } catch {
            throw InitFailure(.root, 0, error)
        }
        do throws(SystemError) {
            if plan.propagation.isShared {
                // What is mounted in a shared root would be mounted in the host's directory too.
                try MountTree.setAttributes(of: root, propagation: MountOptions.privately)
                // And the root itself on the host's. No other mount: what is copied from it for the container, asked to be
                // shared, would be no peer of the host's.
                try MountTree.setPropagation(MountOptions.privately, ofMountAround: place ?? "/")
            }
            // It has to be attached somewhere for `pivot_root` and for mounts in it. On top of the host's root it
            // needs no directory; this process goes on seeing the host's root, which is where it started from.
            try MountTree.attach(root, toPath: place ?? "/")
        } catch {
            throw InitFailure(.attachRoot, 0, error)
        }
        return root
    }

    /// The root's own directory, where hooks look for it, and binds of what is mounted in it. An overlay has none.
    private var place: String? {
        guard case .directory(let path) = plan.root, plan.pivots || !plan.propagation.isShared else { return nil }
        // With the slash also where it is a link to one.
        return path + "/"
    }

    private func perform(_ given: MountStep, _ mounted: inout Mounted) throws(SystemError) {
        let resolver = TargetResolver(root: mounted.root.rawValue)
        var step = given
        if step.role == .ordinary, case .fileSystem("tmpfs") = step.source,
            !step.settings.contains(where: { $0.name == "mode" }),
            // The places in a /dev that was made here say nothing.
            mounted.dev < 0 || Self.name(step.destination, in: "dev/") == nil,
            let mode = try resolver.mode(of: step.destination)
        {
            // What the image says of the directory is meant for what is mounted on it too.
            step.settings.append(MountSetting("mode", String(mode, radix: 8)))
        }
        switch step.source {
        case .bind(let path, let recursive):
            try bind(path, recursive, step, resolver)
        case .fileSystem(let type):
            if mountInDev(type, step, mounted) { return }
            // /proc, /sys and /dev are written to and trusted later: a link in their place is refused.
            let target = try resolver.open(step.destination, isDirectory: true, isPlain: step.role != .ordinary)
            if mountPlainly(type, step, on: target.procPath) { return }
            do throws(SystemError) {
                try mountNew(type, step, on: target, &mounted)
            } catch {
                guard error.errno == .notPermitted, let source = hostsOwn(type), unsafe access(source, F_OK) == 0 else {
                    throw error
                }
                // Only the owner of what it shows may mount a new one: the host's is shown, as with runc and crun.
                let tree = try MountTree.clone(path: source, recursive: true)
                try setAttributes(of: tree, step)
                // A new one would have nothing mounted in it; what comes with the host's may do no more than it.
                try MountTree.setAttributes(of: tree, set: step.set & MountOptions.lockable, recursive: true)
                try MountTree.attach(tree, to: target)
            }
        case .remount:
            // The kernel refuses what is no mount of its own, but not when nothing of it is to be changed.
            let target = try Descriptor.open(step.destination, O_PATH, within: mounted.root)
            guard try MountTree.isMount(target) else {
                throw SystemError(
                    "change attributes of mount", step.destination, errno: .invalidArgument, hint: "it is no mount")
            }
            try setAttributes(of: target, step)
        case .cgroups(let hierarchies):
            let target = try resolver.open(step.destination, isDirectory: true, isPlain: true)
            let isNamespaced = plan.makesCgroupNamespace || plan.joins.contains { $0.kind == .cgroup }
            try CgroupMount(
                hierarchies: hierarchies, settings: step.settings, attributes: step.set, isNamespaced: isNamespaced
            ).attach(to: target)
        }
    }

    private func bind(
        _ path: String, _ isRecursive: Bool, _ step: MountStep, _ resolver: TargetResolver
    ) throws(SystemError) {
        let tree = try copy(of: path, isRecursive, step)
        let kind = try tree.kind()
        if kind == .symbolicLink, step.links.copiesSource, let link = try tree.readSymbolicLink("") {
            return try resolver.link(step.destination, to: link)
        }
        let target: Descriptor
        if step.links.keepsTarget, let known = try resolver.lookUp(step.destination, isPlain: true) {
            // By a link in the image it may be any of those by which the kernel tells of processes, devices and terminals.
            guard try !known.isKernels() else {
                throw SystemError(
                    "mount on", step.destination, errno: .notPermitted, hint: "its links are the kernel's")
            }
            target = known
        } else {
            target = try resolver.open(step.destination, isDirectory: kind == .directory, isPlain: false)
        }
        if kind == .directory { try refuseProc(target, tree, step) }
        try setAttributes(of: tree, step)
        try MountTree.attach(tree, to: target)
    }

    private func mountNew(
        _ type: String, _ step: MountStep, on target: borrowing Descriptor, _ mounted: inout Mounted
    ) throws(SystemError) {
        let context = try FileSystemContext(type)
        try context.set(step.settings)
        let mount = try context.mount(
            attributes: step.isFilledFirst ? step.set & ~UInt64(MOUNT_ATTR_RDONLY) : step.set)
        if step.copiesUp {
            // What is open for writing keeps a file system from being read-only, and there may be more files than descriptors.
            swn_leave_descriptors_open(0)
            defer { swn_leave_descriptors_open(1) }
            try CopyUp.copy(from: target, to: mount)
        }
        // An ordinary user's /dev shows the host's nodes: kernels before 6.15 mount nothing on what is attached nowhere.
        if step.role == .dev {
            try MountTree.attach(mount, to: target)
            try fill(mount)
            // What the image has there may be called so as well.
            if !step.copiesUp { mounted.null = NullDevice.open(in: mount) }
        }
        try setAttributes(of: mount, step, isNew: true)
        if step.role != .dev { try MountTree.attach(mount, to: target) }
        switch step.role {
        case .proc: mounted.proc = mount.release()
        case .devpts: mounted.pts = mount.release()
        case .dev: mounted.dev = mount.release()
        default: break
        }
    }

    /// What a file system of the kernel shows of a namespace that is the host's; nil for one of the container's own.
    private func hostsOwn(_ type: String) -> String? {
        let (path, kind): (String, NamespaceKind)
        switch type {
        case "sysfs": (path, kind) = ("/sys", .net)
        case "proc": (path, kind) = ("/proc", .pid)
        case "mqueue": (path, kind) = ("/dev/mqueue", .ipc)
        default: return nil
        }
        return plan.cloneFlags & kind.flag == 0 && !plan.joins.contains { $0.kind == kind } ? path : nil
    }

    /// Mounts in two calls what needs neither a descriptor afterwards nor more than `mount(2)` can say.
    ///
    /// - Returns: Whether it is mounted; where it could not be, the other way says why.
    private func mountPlainly(
        _ type: String, _ step: MountStep, on target: String
    ) -> Bool {
        let isNeeded =
            switch step.role {
            case .proc: !plan.sysctls.isEmpty
            case .devpts: plan.process.terminal != nil
            case .dev: true
            case .ordinary, .sysfs: false
            }
        guard !isNeeded, !step.copiesUp, step.recursiveSet | step.recursiveClear | step.propagation == 0 else {
            return false
        }
        // By its descriptor, as the host's /proc shows it: nothing is looked up in the container. Nothing writes to what the
        // kernel tells of devices but who may, and who may can change it back.
        return PlainMount.attach(
            type, at: target, step.settings, attributes: step.set, isReadOnly: type == "sysfs")
    }

    /// Mounts at a place of the /dev that was made and filled here, in which nobody can have changed anything.
    private func mountInDev(_ type: String, _ step: MountStep, _ mounted: borrowing Mounted) -> Bool {
        // A link there leads out of it.
        guard mounted.dev >= 0, let name = Self.name(step.destination, in: "dev/"), !DefaultDevices.has(name) else {
            return false
        }
        return mountPlainly(type, step, on: "/proc/self/fd/\(mounted.dev)/\(name)")
    }

    /// Fills the container's own /dev, also with the places of the mounts that come into it.
    private func fill(_ dev: borrowing Descriptor) throws(SystemError) {
        try DefaultDevices.fill(
            dev, withConsole: plan.process.terminal != nil, besides: plan.devices,
            isMapped: plan.userNamespace != nil, lent: lent)
        var names: Set<String> = []
        for mount in plan.mounts {
            guard case .fileSystem = mount.source, let name = Self.name(mount.destination, in: "dev/") else { continue }
            if names.insert(name).inserted { try dev.makeDirectory(name) }
        }
    }

    /// The name of a place that is in a folder itself.
    ///
    /// - Parameter folder: With a slash at its end.
    static func name(_ path: String, in folder: String) -> String? {
        guard path.utf8.starts(with: folder.utf8) else { return nil }
        let name = path.utf8.dropFirst(folder.utf8.count)
        return name.contains(UInt8(ascii: "/")) ? nil : String(Substring(name))
    }

    private func copy(of path: String, _ isRecursive: Bool, _ step: MountStep) throws(SystemError) -> Descriptor {
        if let mount = try mapped.mount(step) { return mount }
        // To map its owners is the launcher's right alone.
        if step.mapping != nil { return try borrow(step) }
        do throws(SystemError) {
            return try MountTree.clone(path: path, recursive: isRecursive, followsLink: step.links.followsSource)
        } catch {
            // A user namespace may not copy a mount without those below, which might show what they cover.
            if error.errno == .invalidArgument, !isRecursive, lent != nil { return try borrow(step) }
            guard error.errno == .permissionDenied else { throw error }
            if let source = sources[step.index] { return try MountTree.clone(ofNumber: source, recursive: isRecursive) }
            // Below a folder that is closed to all but the host's superuser.
            return try borrow(step)
        }
    }

    private func borrow(_ step: MountStep) throws(SystemError) -> Descriptor {
        guard let lent else { throw SystemError("bind", errno: .permissionDenied) }
        return try lent.source(step.index)
    }

    /// A directory in the place of /proc, or of one in it, could tell lies to whoever enters the container
    /// (CVE-2019-16884); by a link in the image that place can have any name. Another procfs is none.
    private func refuseProc(
        _ target: borrowing Descriptor, _ tree: borrowing Descriptor, _ step: MountStep
    ) throws(SystemError) {
        if try target.isProc(), try !tree.isProc() {
            throw SystemError("mount on", step.destination, errno: .notPermitted, hint: "it is in /proc")
        }
    }

    private func setAttributes(
        of mount: borrowing Descriptor, _ step: MountStep, isNew: Bool = false
    ) throws(SystemError) {
        // A new mount was made with its attributes; only one that is filled had to be writable until then.
        let isOpenYet = step.isFilledFirst && step.set & UInt64(MOUNT_ATTR_RDONLY) != 0
        if isNew ? isOpenYet : step.set | step.clear | step.clearOfSource != 0 {
            do throws(SystemError) {
                try MountTree.setAttributes(of: mount, set: step.set, clear: step.clear | step.clearOfSource)
            } catch {
                guard error.errno == .notPermitted, step.clearOfSource != 0 else { throw error }
                // What is locked, and was not asked to go, stays.
                let locked = MountOptions.lockable | UInt64(MOUNT_ATTR_NODIRATIME)
                let clear = step.clear | step.clearOfSource & ~locked
                try MountTree.setAttributes(of: mount, set: step.set, clear: clear)
            }
        }
        if step.recursiveSet | step.recursiveClear != 0 {
            try MountTree.setAttributes(
                of: mount, set: step.recursiveSet, clear: step.recursiveClear, recursive: true)
        }
        if step.propagation != 0 {
            try MountTree.setAttributes(
                of: mount, propagation: step.propagation, recursive: step.isPropagationRecursive)
        }
    }

    private func makeWorkingDirectory(in root: borrowing Descriptor) {
        guard let path = plan.workingDirectory else { return }
        do throws(SystemError) {
            _ = try TargetResolver(root: root.rawValue).open(path, isDirectory: true, isPlain: false)
        } catch {
            // Entering it fails as well then, and says why.
        }
    }

    private func fillPlainDev(_ root: borrowing Descriptor) throws(InitFailure) {
        do throws(SystemError) {
            let resolver = TargetResolver(root: root.rawValue)
            try DefaultDevices.fill(
                try resolver.open("dev", isDirectory: true, isPlain: true), besides: plan.devices,
                isMapped: plan.userNamespace != nil, lent: lent)
        } catch {
            throw InitFailure(.deviceLinks, 0, error)
        }
    }
}
