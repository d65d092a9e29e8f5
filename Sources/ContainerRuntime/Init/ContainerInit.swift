import CLinux
import LinuxSystem
import RuntimeSpec
import SystemPackage

/// A container's first process, from the clone to the exec.
///
/// It runs in a copy of the launcher's memory, in Swift, which is sound only because the launcher has one thread.
/// It only walks its plan, never returns, and leaves by `execve` or `_exit`; nothing of the launcher's own clean-up
/// runs in it. Each step's place has a reason, which is given where the step is taken.
struct ContainerInit {
    let plan: InitPlan
    let mapped: MappedMounts
    let child: ChildProcess

    func walk() throws(InitFailure) {
        let isOrdinary = plan.userNamespace?.isOrdinary == true
        let isMapped = plan.userNamespace?.isNew == true
        if isOrdinary && isMapped { try prepareAsUser() }
        try child.tieToParent()
        if isMapped ? !isOrdinary : plan.cgroup.unit != nil { try child.waitForLauncher() }
        try child.takeStreams()
        try joinNamespaces()
        // The last to be entered: with the mounts go the files that the others are named by.
        let others = try SharedMounts(plan)
        try child.join(plan.cgroup)
        try child.setScheduling()
        // The root of a cgroup namespace is the cgroup its maker is in, so it is not made by the clone, before the
        // move, but here.
        if plan.makesCgroupNamespace {
            guard unshare(Int32(NamespaceKind.cgroup.flag)) == 0 else { throw InitFailure(.cgroupNamespace) }
        }
        // Who came through a passage inherited it.
        if !isOrdinary && !isInside { try child.setOutOfMemoryScore() }
        let label = try child.prepareSession()
        let sources = plan.userNamespace == nil ? [:] : openSources()
        if plan.userNamespace != nil { try child.becomeRoot() }
        // Device nodes and directories get exactly the modes they are given.
        umask(0)
        let lent = plan.asksForMounts ? LentMounts(socket: child.socket) : nil
        let mounted = try RootBuilder(plan: plan, mapped: mapped, sources: sources, lent: lent).build()
        let null = NullDevice(own: mounted.null, root: mounted.root.rawValue)
        if child.plan.terminal == nil { null.takeStreams() }
        if child.plan.terminal != nil, others == nil {
            try child.makeTerminal(devpts: mounted.pts, root: mounted.root.rawValue)
        }
        try setNames()
        try setSysctls(mounted.proc)
        try ProtectedPaths(plan: plan, null: null).apply()
        guard let hooks = plan.hooks, hooks.needsPause else {
            try enterRoot(mounted.root, others)
            return try child.becomeUser(label: label)
        }
        // The container is complete, and the host's files are still in sight: that is where these hooks are found.
        let number = try child.waitForHooks()
        let root = mounted.root.rawValue
        try child.run(hooks.createContainer, hooks.text(.creating, number)) {
            // As runc has it: where they begin is what they are about.
            fchdir(root) == 0 ? 0 : 126
        }
        try enterRoot(mounted.root, others)
        try child.becomeUser(label: label, hooks: hooks.startContainer, state: hooks.text(.created, number))
    }

    /// What an ordinary user's process does as long as its files in /proc are the user's, who is to write its maps: those of
    /// a process that nobody may look at belong to root. Nobody else is in a user namespace that was just made.
    private func prepareAsUser() throws(InitFailure) {
        child.leaveParentsSocket()
        try child.waitForLauncher()
        if let offsets = plan.timeOffsets { try makeTimeNamespace(offsets) }
        try child.setOutOfMemoryScore()
    }

    /// The launcher, who does it otherwise, may not.
    private func makeTimeNamespace(_ offsets: String) throws(InitFailure) {
        guard unshare(Int32(NamespaceKind.time.flag)) == 0 else { throw InitFailure(.timeNamespace) }
        do throws(SystemError) {
            if !offsets.isEmpty { try Descriptor.open("/proc/self/timens_offsets", O_WRONLY).write(text: offsets) }
            let namespace = try Namespace(path: "/proc/self/ns/time_for_children")
            guard setns(namespace.descriptor.rawValue, Int32(NamespaceKind.time.flag)) == 0 else {
                throw SystemError("setns", errno: .last)
            }
        } catch {
            throw InitFailure(.timeNamespace, 0, error)
        }
    }

    /// Opens what is to be shown of the host while this process is still the user who launched it: the superuser of a user
    /// namespace may not come there. What cannot be opened now is looked up later, and says why then.
    ///
    /// - Returns: Descriptors by the mount's number, which the exec closes.
    private func openSources() -> [Int32: Int32] {
        var sources: [Int32: Int32] = [:]
        for mount in plan.mounts where mount.mapping == nil {
            guard case .bind(let path, _) = mount.source else { continue }
            let flags = O_PATH | O_CLOEXEC | (mount.links.followsSource ? 0 : O_NOFOLLOW)
            let number = unsafe swn_openat(AT_FDCWD, path, flags, 0)
            if number >= 0 { sources[mount.index] = number }
        }
        return sources
    }

    /// Whether this process was made in the user namespace that it joins (`Passage`).
    private var isInside: Bool { plan.userNamespace?.isNew == false }

    private func joinNamespaces() throws(InitFailure) {
        // With one of its own or of others, whoever made this process was there.
        for (index, join) in plan.joins.enumerated() where plan.userNamespace == nil {
            if join.kind == .pid || join.kind == .mnt { continue }
            do throws(SystemError) {
                try join.enter()
            } catch {
                throw InitFailure(.joinNamespace, Int32(index), error)
            }
        }
        if plan.bringsLoopbackUp {
            // The exec closes what it takes.
            swn_leave_descriptors_open(1)
            defer { swn_leave_descriptors_open(0) }
            guard unsafe swn_interface_up("lo") == 0 else { throw InitFailure(.loopback) }
        }
    }

    private func setNames() throws(InitFailure) {
        if let name = plan.hostname, unsafe swn_sethostname(name, name.utf8.count) != 0 { throw InitFailure(.hostname) }
        if let name = plan.domainname, unsafe swn_setdomainname(name, name.utf8.count) != 0 {
            throw InitFailure(.domainname)
        }
    }

    /// Parameters are written through a procfs of our own making, whose entries nothing can have been mounted over,
    /// before any of it is masked (CVE-2025-52881, CVE-2019-19921).
    private func setSysctls(_ mounted: Int32) throws(InitFailure) {
        guard !plan.sysctls.isEmpty else { return }
        let proc: Descriptor
        do throws(SystemError) {
            // A container without a /proc gets a private one for the purpose.
            proc =
                mounted >= 0
                ? try .open(".", O_PATH | O_DIRECTORY, relativeTo: mounted)
                : try FileSystemContext("proc").mount()
        } catch {
            throw InitFailure(.sysctl, 0, error)
        }
        for (index, step) in plan.sysctls.enumerated() {
            do throws(SystemError) {
                let resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV
                let file = try Descriptor.open("sys/\(step.path)", O_WRONLY, within: proc, resolve: resolve)
                // A list is emptied by an empty line; writing nothing would change nothing. Of a long one the kernel takes
                // a page at a time.
                try file.writeAll(Array((step.value.isEmpty ? "\n" : step.value).utf8))
            } catch {
                throw InitFailure(.sysctl, Int32(index), error)
            }
        }
    }

    /// Puts the new root in the old one's place and lets go of the host's mounts; those of others stay.
    private func enterRoot(_ root: borrowing Descriptor, _ others: SharedMounts?) throws(InitFailure) {
        guard let others else {
            try setReadOnly(root)
            try changeRoot(root)
            return try setPropagation(of: root)
        }
        let root = try changeRoot(root, others)
        // Opened here, or its name would mean nothing: the mounts that it was made from are gone.
        if child.plan.terminal != nil {
            let pts = plan.mounts.last { $0.role == .devpts }.flatMap {
                try? Descriptor.open($0.destination, O_PATH | O_DIRECTORY, within: root)
            }
            try child.makeTerminal(devpts: pts?.release() ?? -1, root: root.rawValue)
        }
        try setReadOnly(root)
        try setPropagation(of: root)
    }

    private func setPropagation(of root: borrowing Descriptor) throws(InitFailure) {
        guard plan.propagation.ofRoot != 0 else { return }
        do throws(SystemError) {
            try MountTree.setAttributes(
                of: root, propagation: plan.propagation.ofRoot, recursive: plan.propagation.isRecursive)
        } catch {
            throw InitFailure(.propagation, 0, error)
        }
    }

    /// Takes the host's /proc and /sys away. As long as nothing in them is masked, the kernel lets a user namespace of the
    /// container mount its own, unmasked.
    private func hideKernelFileSystems() throws(SystemError) {
        guard case .directory(let root) = plan.root else { return }
        // Open, because /proc is one of them.
        let process = try Descriptor.open("/proc/self", O_PATH | O_DIRECTORY)
        // What a user namespace has got with its mounts it cannot unmount, and covers, as runc does.
        var covered: [String] = []
        // One at a time: what is mounted over one of them is detached in its place, and the kernel counts what is covered.
        while let place = try Self.lastKernelFileSystem(of: process, outside: root, covered) {
            do throws(SystemError) {
                try MountTree.detach(place)
            } catch {
                guard error.errno == .invalidArgument || error.errno == .notPermitted,
                    PlainMount.attach("tmpfs", at: place, [], attributes: UInt64(MOUNT_ATTR_RDONLY), isReadOnly: true)
                else { throw SystemError("hide", place, errno: error.errno, hint: place) }
                covered.append(place)
            }
        }
    }

    /// Where the last of them is mounted: what is below is listed later.
    private static func lastKernelFileSystem(
        of process: borrowing Descriptor, outside root: String, _ covered: [String]
    ) throws(SystemError) -> String? {
        var mounts = MountInfo(try Descriptor.open("mountinfo", relativeTo: process.rawValue).readAll())
        var place: String?
        while let mount = mounts.next() {
            guard mount.type == "proc" || mount.type == "sysfs", mount.root == "/" else { continue }
            // By bytes: what only looks the same is another place.
            let point = mount.point.utf8
            if point.elementsEqual(root.utf8) || point.starts(with: "\(root)/".utf8) { continue }
            if !covered.contains(mount.point) { place = mount.point }
        }
        return place
    }

    private func setReadOnly(_ root: borrowing Descriptor) throws(InitFailure) {
        guard plan.isRootReadOnly else { return }
        do throws(SystemError) {
            // The root alone: what is mounted in it has its own settings.
            try MountTree.setAttributes(of: root, set: UInt64(MOUNT_ATTR_RDONLY))
        } catch {
            throw InitFailure(.readOnlyRoot, 0, error)
        }
    }

    /// Enters the root where others see it too, who keep theirs.
    private func changeRoot(_ root: borrowing Descriptor, _ others: SharedMounts) throws(InitFailure) -> Descriptor {
        let tree: Descriptor
        do throws(SystemError) {
            tree = try others.attach(root)
        } catch {
            throw InitFailure(.attachRoot, 0, error)
        }
        guard fchdir(tree.rawValue) == 0, unsafe chroot(".") == 0 else { throw InitFailure(.pivot) }
        return tree
    }

    private func changeRoot(_ root: borrowing Descriptor) throws(InitFailure) {
        do throws(SystemError) {
            guard fchdir(root.rawValue) == 0 else { throw SystemError("fchdir", errno: .last) }
            guard plan.pivots else {
                // The host's mounts stay below: only who has no CAP_SYS_CHROOT is kept from them.
                try hideKernelFileSystems()
                // On top of everything, so that who is in it counts as being in no chroot, in which there are no user
                // namespaces.
                if case .directory = plan.root, !plan.propagation.isShared { try MountTree.attach(root, toPath: "/") }
                guard unsafe chroot(".") == 0, unsafe chdir("/") == 0 else { throw SystemError("chroot", errno: .last) }
                return
            }
            // With the same directory for both, the old root ends up mounted on top of the new one, and no directory
            // is needed in the image to put it into. What is on top is what is unmounted (pivot_root(2), "Notes").
            let host = plan.propagation.isShared ? try Descriptor.openDirectory("/") : nil
            guard unsafe swn_pivot_root(".", ".") == 0 else { throw SystemError("pivot_root", errno: .last) }
            // Or the host would lose its mounts with the copies.
            if let host { try MountTree.setAttributes(of: host, propagation: MountOptions.slave, recursive: true) }
            // This leaves the new root as what "." and "/" are.
            try MountTree.detach(".")
        } catch {
            throw InitFailure(.pivot, 0, error)
        }
    }
}

extension NamespaceJoin {
    /// The corresponding system call is `setns`.
    func enter() throws(SystemError) {
        let namespace = try Namespace(path: path)
        guard setns(namespace.descriptor.rawValue, Int32(kind.flag)) == 0 else {
            throw SystemError("setns", errno: .last)
        }
    }
}

extension InitFailure {
    init(_ stage: InitStage, _ index: Int32, _ error: SystemError) {
        self.init(stage, index, errno: error.errno.rawValue, words: error.hint)
    }
}
