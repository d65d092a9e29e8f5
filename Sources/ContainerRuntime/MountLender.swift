import CLinux
import LinuxSystem
import SystemPackage

/// Makes mounts for a container in a user namespace, whose superuser may not: of what only the host's superuser comes to, of
/// files whose owners are to be mapped, and of device nodes. The container's process asks (`LentMounts`), and attaches what
/// it gets.
struct MountLender {
    let plan: InitPlan
    /// The container's, as this process numbers it.
    let process: Int32

    /// What a record asks for.
    ///
    /// - Parameters:
    ///   - namespace: The asking process's mount namespace.
    ///   - root: Its root, which may have the container's on top.
    func mount(_ record: InitRecord, namespace: Int32, root: Int32) throws(SystemError) -> Descriptor {
        switch record.stage {
        case .wantsSource:
            guard let step = plan.mounts.first(where: { $0.index == record.index }) else { break }
            return try source(step, namespace, root)
        case .wantsDevice where plan.devices.indices.contains(Int(record.index)):
            return try node(plan.devices[Int(record.index)])
        case .wantsNode where DefaultDevices.nodes.indices.contains(Int(record.index)):
            return try node(DefaultDevices.nodes[Int(record.index)].step)
        default: break
        }
        throw SystemError("lend a mount", errno: .invalidArgument)
    }

    /// A copy of a bind's source, in which the container's superuser cannot change what the host's mount is, such as
    /// read-only: the kernel locks that in what comes into a mount namespace of a user namespace (mount_namespaces(7)).
    private func source(_ step: MountStep, _ namespace: Int32, _ root: Int32) throws(SystemError) -> Descriptor {
        guard case .bind(let path, let isRecursive) = step.source else {
            throw SystemError("bind", errno: .invalidArgument)
        }
        let mapping = try step.mapping.map { mapping throws(SystemError) in
            SharedDescriptor(try MappedMounts.namespace(mapping, of: step))
        }
        func copy() throws(SystemError) -> Descriptor {
            let tree = try MappedMounts.clone(path, isRecursive, step.links, in: plan.rootDirectory)
            // Whatever it is there, nothing that the container mounts in it is mounted elsewhere.
            try MountTree.setAttributes(of: tree, propagation: MountOptions.slave, recursive: true)
            if let mapping { try MappedMounts.map(tree, path, step, mapping) }
            return tree
        }
        // There nothing is copied without what is mounted below it: that might show what it covers.
        if !isRecursive, plan.place == nil, MappedMounts.place(of: path, in: plan.rootDirectory) == nil {
            let users = try Namespace.of(process: process, .user)
            return try Self.inHelper { () throws(SystemError) in try Self.lock(try copy(), for: users) }
        }
        return try Self.inHelper { () throws(SystemError) in
            // Where the container's mounts are seen. Nothing is executed or loaded there: only this one path is looked up.
            guard setns(namespace, Int32(NamespaceKind.mnt.flag)) == 0, fchdir(root) == 0, unsafe chroot(".") == 0
            else {
                throw SystemError("enter the container's mount namespace", errno: .last)
            }
            return try copy()
        }
    }

    /// Has a mount come into a mount namespace of a user namespace's.
    ///
    /// - Returns: A copy of it.
    private static func lock(
        _ mount: consuming Descriptor, for users: borrowing Namespace
    ) throws(SystemError) -> Descriptor {
        let folder = try makeFolder()
        if try mount.kind() == .directory {
            try folder.makeDirectory("mount")
        } else if unsafe mknodat(folder.rawValue, "mount", mode_t(S_IFREG), 0) != 0 {
            throw SystemError("make file", errno: .last)
        }
        try MountTree.attach(mount, to: try Descriptor.open("mount", O_PATH, relativeTo: folder.rawValue))
        // What is in that namespace already has nothing to look for in this process, which has the launcher's files.
        guard fchdir(folder.rawValue) == 0, swn_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0,
            setns(users.descriptor.rawValue, Int32(NamespaceKind.user.flag)) == 0,
            unshare(Int32(NamespaceKind.mnt.flag)) == 0
        else { throw SystemError("enter the container's user namespace", errno: .last) }
        // The working directory came along.
        return try MountTree.clone(path: "mount", recursive: false, followsLink: false)
    }

    /// A folder in a mount namespace of this process's own.
    private static func makeFolder() throws(SystemError) -> Descriptor {
        guard unshare(Int32(NamespaceKind.mnt.flag)) == 0 else {
            throw SystemError("make mount namespace", errno: .last)
        }
        try MountTree.setPropagationOfAll(MountOptions.privately)
        let folder = try FileSystemContext("tmpfs").mount()
        // Kernels before 6.15 copy nothing of what is attached nowhere.
        try MountTree.attach(folder, toPath: "/")
        return folder
    }

    /// A node that belongs to whom the document says. One that a user namespace has made cannot be opened.
    private func node(_ device: DeviceStep) throws(SystemError) -> Descriptor {
        let uid = try number(device.uid, "uid_map")
        let gid = try number(device.gid, "gid_map")
        return try Self.inHelper { () throws(SystemError) in
            umask(0)
            let folder = try Self.makeFolder()
            guard unsafe mknodat(folder.rawValue, "node", device.mode, dev_t(device.number)) == 0,
                unsafe fchownat(folder.rawValue, "node", uid, gid, AT_SYMLINK_NOFOLLOW) == 0
            else { throw SystemError("make device", device.path, errno: .last) }
            let file = try Descriptor.open("node", O_PATH | O_NOFOLLOW, relativeTo: folder.rawValue)
            return try MountTree.clone(of: file, recursive: false)
        }
    }

    /// Who an identifier of the container is here.
    private func number(_ identifier: UInt32, _ map: String) throws(SystemError) -> UInt32 {
        let bytes = try Descriptor.open("/proc/\(process)/\(map)").readAll(limit: 1 << 16)
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let numbers = line.split(separator: " ").compactMap { UInt32($0) }
            guard numbers.count == 3, identifier >= numbers[0], identifier - numbers[0] < numbers[2] else { continue }
            // Who is nobody here is the last number there is (user_namespaces(7)).
            let sum = numbers[1].addingReportingOverflow(identifier - numbers[0])
            if !sum.overflow { return sum.partialValue }
        }
        throw SystemError("find \(identifier) in", map, errno: .invalidArgument)
    }

    /// Has a process of its own do what changes its namespaces, and takes what it has made.
    private static func inHelper(_ make: () throws(SystemError) -> Descriptor) throws(SystemError) -> Descriptor {
        let pair = try SequencedSocket.pair()
        var pidfd: Int32 = -1
        let launcher = getpid()
        let number = unsafe swn_clone3(UInt64(CLONE_CLEAR_SIGHAND), SIGCHLD, &pidfd, -1)
        let errno = Errno.last
        if number == 0 {
            // It holds whatever the launcher does, and ends with it, also with one that came to its end before it could say so.
            _ = swn_prctl(PR_SET_PDEATHSIG, UInt(SIGKILL), 0, 0, 0)
            if getppid() != launcher { swn_exit_now(1) }
            do throws(SystemError) {
                let mount = try make()
                try pair.far.send(InitRecord(.lent).bytes, descriptor: mount.rawValue)
            } catch {
                try? pair.far.send(InitRecord(InitFailure(.lent, 0, error)).bytes)
            }
            swn_exit_now(0)
        }
        guard number > 0 else { throw SystemError("clone", errno: errno) }
        // Reaped when this is over.
        let helper = HalfMadeChild(pidfd: pidfd, processIdentifier: number)
        defer { _ = helper.pidfd }
        guard var answer = try nearEnd(pair).receive(limit: InitRecord.size),
            let record = InitRecord(bytes: answer.bytes)
        else { throw SystemError("make a mount for the container", errno: .ioError) }
        if let mount = answer.descriptor.take() { return mount }
        throw SystemError(
            "make a mount for the container", errno: Errno(rawValue: record.errno),
            hint: record.words.isEmpty ? nil : record.words)
    }

    /// Without the other, so that the helper's end is the end.
    private static func nearEnd(_ pair: consuming SequencedSocket.Pair) -> SequencedSocket { pair.near }
}
