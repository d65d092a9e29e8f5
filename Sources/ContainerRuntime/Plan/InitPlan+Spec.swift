import CLinux
public import RuntimeSpec
import LinuxSystem

extension InitPlan {
    /// Decides how a document is carried out.
    ///
    /// - Throws: `SpecError` that names the field which cannot be done, before anything has been made;
    ///   `SystemError` when something of the host that the plan needs cannot be read.
    public init(spec: Spec, options: LaunchOptions) throws {
        try spec.validate()
        // Only who starts the container needs one (config.md, "Process").
        let process = spec.process ?? Spec.Process(args: ["none"])
        let linux = spec.linux ?? Spec.Linux()
        hooks = nil
        if let hooks = spec.hooks, !hooks.isEmpty {
            guard let state = options.hookState else { throw SpecError("hooks", "is not supported here") }
            self.hooks = try HookPlan(hooks, state: state)
        }

        (cloneFlags, makesCgroupNamespace, joins) = try Self.namespaces(linux)
        timeOffsets = try Self.timeOffsets(linux)
        userNamespace = try UserNamespaceStep(linux)
        userNamespace?.isOrdinary = geteuid() != 0
        cgroup = options.cgroup
        root = try Self.root(spec, options)
        place = cloneFlags & NamespaceKind.mnt.flag == 0 ? options.place : nil
        guard cloneFlags & NamespaceKind.mnt.flag != 0 || place != nil else {
            throw SpecError("linux.namespaces", "a mount namespace of others is not supported here")
        }
        isRootReadOnly = spec.root?.readonly ?? false
        propagation = RootPropagation(linux.rootfsPropagation)

        var mounts: [MountStep] = []
        let label = Self.mountLabel(linux)
        for (index, mount) in (spec.mounts ?? []).enumerated() {
            let step = try MountStep(mount, index: index, options: options, root: root, linux).labelled(label)
            guard place == nil || step.propagation != MountOptions.unbindable else {
                // It is made elsewhere, and copied there.
                throw SpecError("mounts[\(index)].options", "'unbindable' needs a new namespace of type mount")
            }
            mounts.append(step)
        }
        self.mounts = mounts
        fillsDev = !mounts.contains { $0.destination == "dev" }
        devices = try (linux.devices ?? []).enumerated().compactMap { index, device throws(SpecError) in
            try DeviceStep(device, field: "linux.devices[\(index)]")
        }
        workingDirectory = try? MountStep.normalize(process.cwd, field: "process.cwd")
        // Once each: a mask over a mask is of no use.
        var masked: Set<String> = []
        maskedPaths = try (linux.maskedPaths ?? []).enumerated().compactMap { index, path throws(SpecError) in
            let place = try MountStep.normalize(path, field: "linux.maskedPaths[\(index)]")
            return masked.insert(place).inserted ? place : nil
        }
        readOnlyPaths = try (linux.readonlyPaths ?? []).enumerated().map { index, path throws(SpecError) in
            try MountStep.normalize(path, field: "linux.readonlyPaths[\(index)]")
        }

        hostname = spec.hostname.flatMap { $0.isEmpty ? nil : $0 }
        domainname = spec.domainname.flatMap { $0.isEmpty ? nil : $0 }
        sysctls = try SysctlStep.steps(linux, domainname: spec.domainname)
        pivots = options.pivots
        bringsLoopbackUp = options.bringsLoopbackUp && cloneFlags & NamespaceKind.net.flag != 0

        self.process = try ProcessPlan(process, options: options, linux)
        self.process.isMissing = spec.process == nil
    }

    /// What files of the container's own file systems are labelled with.
    private static func mountLabel(_ linux: Spec.Linux) -> String? {
        guard let label = linux.mountLabel, !label.isEmpty else { return nil }
        // Where nobody looks at labels there are none (`OCIRuntime` tells of it).
        guard LabelStep.hasSELinux else { return nil }
        return label
    }

    private static func namespaces(_ linux: Spec.Linux) throws(SpecError) -> (UInt64, Bool, [NamespaceJoin]) {
        var flags: UInt64 = 0
        var makesCgroup = false
        var joins: [NamespaceJoin] = []
        for (index, namespace) in (linux.namespaces ?? []).enumerated() {
            let field = "linux.namespaces[\(index)]"
            let kind = namespace.type.kernel
            if let path = namespace.path, !path.isEmpty {
                joins.append(NamespaceJoin(kind: kind, path: path, field: "\(field).path"))
            } else if namespace.type == .cgroup {
                makesCgroup = true
            } else if namespace.type == .time {
                // The launcher makes it, and sets its clocks, before there is a process in it.
                continue
            } else {
                flags |= kind.flag
            }
        }
        // In the kernel's order: the user namespace decides what may be done to the others, and with the mounts go the files
        // that the others are named by.
        joins.sort { ($0.kind == .user && $1.kind != .user) || ($0.kind != .mnt && $1.kind == .mnt) }
        if flags & NamespaceKind.mnt.flag == 0, linux.namespace(.user) != nil {
            throw SpecError(
                "linux.namespaces", "a user namespace needs a new mount namespace: in others it may mount nothing")
        }
        return (flags, makesCgroup, joins)
    }

    /// Lines for timens_offsets (time_namespaces(7)); nil without a new time namespace.
    private static func timeOffsets(_ linux: Spec.Linux) throws(SpecError) -> String? {
        let offsets = (linux.timeOffsets ?? [:]).sorted { $0.key < $1.key }
        guard let namespace = linux.namespace(.time), (namespace.path ?? "").isEmpty else {
            guard offsets.isEmpty else {
                throw SpecError("linux.timeOffsets", "needs a new namespace of type time in linux.namespaces")
            }
            return nil
        }
        var text = ""
        for (clock, offset) in offsets {
            guard ["monotonic", "boottime"].contains(clock) else {
                throw SpecError("linux.timeOffsets.\(clock)", "unknown clock, one of monotonic, boottime")
            }
            text += "\(clock) \(offset.secs ?? 0) \(offset.nanosecs ?? 0)\n"
        }
        return text
    }

    private static func root(_ spec: Spec, _ options: LaunchOptions) throws(SpecError) -> RootFilesystem {
        if let root = options.root { return root }
        guard let path = spec.root?.path else { throw SpecError("root", "missing") }
        return .directory(path.utf8.first == UInt8(ascii: "/") ? path : "\(options.bundle)/\(path)")
    }
}

extension ProcessPlan {
    /// - Parameter linux: What a container's first process gets besides; later ones have it from nowhere.
    init(_ process: Spec.Process, options: LaunchOptions, _ linux: Spec.Linux? = nil) throws {
        listener = options.seccompListener
        security = try SecurityStep(
            process, seccomp: options.seccomp, personality: linux?.personality ?? options.personality,
            keepsGroups: options.keepsGroups)
        security.landlock = options.landlock
        scheduling = try SchedulingStep(process, memoryPolicy: linux?.memoryPolicy ?? options.memoryPolicy)
        command = try CommandStep(process)
        streams = options.streams
        terminal =
            process.terminal ?? false
            ? TerminalStep(
                hasPlainLines: options.relaysTerminal, height: UInt16(clamping: process.consoleSize?.height ?? 0),
                width: UInt16(clamping: process.consoleSize?.width ?? 0)) : nil
        parentDeathSignal = options.parentDeathSignal
        inherited = try .current()
        inheritsBoundingSet = linux.map { $0.namespace(.user) == nil } ?? !options.ownNamespaces.contains(.user)
        preservedDescriptors = options.preservedDescriptors
        startListener = options.startListener
        waitingDescriptor = options.waitingDescriptor
        lockDescriptor = options.lockDescriptor
        makesKeyring = options.makesKeyring
        ownExecutable = try FileIdentity.ofThisProgram()
    }
}

extension Spec.Linux.Namespace.Kind {
    var kernel: NamespaceKind {
        switch self {
        case .pid: .pid
        case .network: .net
        case .mount: .mnt
        case .ipc: .ipc
        case .uts: .uts
        case .user: .user
        case .cgroup: .cgroup
        case .time: .time
        }
    }
}

extension FileIdentity {
    /// Of the program that is running. Read through /proc before there is a child: in a container its /proc lies.
    static func ofThisProgram() throws(SystemError) -> FileIdentity {
        var status = stat()
        guard unsafe stat("/proc/self/exe", &status) == 0 else {
            throw SystemError("stat", "/proc/self/exe", errno: .last)
        }
        return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}

extension DeviceStep {
    /// - Parameter field: Where the document has it.
    /// - Returns: Nil for the nodes that every container gets anyway, just as they are.
    fileprivate init?(_ device: Spec.Linux.Device, field: String) throws(SpecError) {
        let place = try MountStep.normalize(device.path, field: "\(field).path")
        // The host's would give out the host's terminals; the container's leads to its own devpts.
        if place == "dev/ptmx" { return nil }
        path = place
        self.field = field
        let kind: FileKind =
            switch device.type {
            case "b": .blockDevice
            case "p": .fifo
            default: .characterDevice
            }
        mode = kind.bits | (device.fileMode ?? 0o666) & 0o7777
        number = swn_makedev(UInt32(device.major ?? 0), UInt32(device.minor ?? 0))
        uid = device.uid ?? 0
        gid = device.gid ?? 0
        if uid | gid == 0, DefaultDevices.nodes.contains(where: { isSame(as: $0) }) { return nil }
    }

    private func isSame(as node: DefaultDevices.Node) -> Bool {
        path == "dev/\(node.name)" && mode == FileKind.characterDevice.bits | 0o666
            && number == swn_makedev(node.major, node.minor)
    }
}
