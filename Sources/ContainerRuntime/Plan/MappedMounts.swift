import CLinux
import LinuxSystem
import SystemPackage

/// How the owners of files are changed by a mount, without changing the files: `mount_setattr(2)`, `MOUNT_ATTR_IDMAP`.
struct MountMapping: Hashable, Sendable {
    /// Lines of uid_map and gid_map (user_namespaces(7)): an identifier of the files, what it is seen as, and how many.
    var uidMap: String
    var gidMap: String
    /// A user namespace that has the maps already, in their place.
    var namespacePath: String?
    /// Whether it is for what is mounted below as well.
    var isRecursive: Bool
}

/// The copies of mounts whose identifiers are mapped: made by the launcher, and attached by the container's process, which
/// makes those itself that show what the container has mounted in its root. The kernel lets only the owner of a file system
/// map, which a container in a user namespace is not: it asks for each when it needs it (`MountLender`).
final class MappedMounts: Sendable {
    private let mounts: [Int32: SharedDescriptor]
    /// For copies that are made later, in this root.
    private let later: [Int32: SharedDescriptor]
    private let root: String?
    /// What copies of the host's mounts are for those: made by the launcher, they are peers at first, and what a container
    /// mounts there would be mounted on the host.
    private let propagation: UInt64

    /// - Throws: `SystemError`; EINVAL for a file system that cannot map.
    init(_ plan: InitPlan) throws(SystemError) {
        root = plan.rootDirectory
        propagation = plan.propagation.ofHost
        var namespaces: [MountMapping: SharedDescriptor] = [:]
        var mounts: [Int32: SharedDescriptor] = [:]
        var later: [Int32: SharedDescriptor] = [:]
        for step in plan.mounts where !plan.asksForMounts {
            guard let mapping = step.mapping, case .bind(let path, let isRecursive) = step.source else { continue }
            let namespace: SharedDescriptor
            if let known = namespaces[mapping] {
                namespace = known
            } else {
                namespace = SharedDescriptor(try Self.namespace(mapping, of: step))
                namespaces[mapping] = namespace
            }
            if Self.place(of: path, in: root) != nil {
                later[step.index] = namespace
                continue
            }
            let tree = try MountTree.clone(
                path: path, recursive: isRecursive, followsLink: step.links.followsSource)
            try MountTree.setAttributes(of: tree, propagation: propagation, recursive: true)
            try Self.map(tree, path, step, namespace)
            mounts[step.index] = SharedDescriptor(tree)
        }
        self.mounts = mounts
        self.later = later
    }

    static func map(
        _ tree: borrowing Descriptor, _ path: String, _ step: MountStep, _ namespace: SharedDescriptor
    ) throws(SystemError) {
        do throws(SystemError) {
            try MountTree.mapIdentifiers(
                of: tree, as: namespace.descriptor, recursive: step.mapping?.isRecursive == true)
        } catch {
            let hint = error.errno == .invalidArgument ? "its file system cannot map them" : nil
            throw SystemError(
                "map identifiers (mounts[\(step.index)].uidMappings) of", path, errno: error.errno, hint: hint)
        }
    }

    /// Where a path is below the root; nil for one that is not.
    static func place(of path: String, in root: String?) -> Substring? {
        guard let root, path.hasPrefix(root + "/"), !path.split(separator: "/").contains("..") else { return nil }
        return path.dropFirst(root.count + 1)
    }

    /// A copy of what a bind shows, as this process sees it now. What is in the root is looked up there: a link in the image
    /// does not lead who may come everywhere to files of the host.
    static func clone(
        _ path: String, _ isRecursive: Bool, _ links: MountLinks, in root: String?
    ) throws(SystemError) -> Descriptor {
        guard let root, let place = place(of: path, in: root) else {
            return try MountTree.clone(path: path, recursive: isRecursive, followsLink: links.followsSource)
        }
        let directory = try Descriptor.open(root + "/", O_PATH | O_DIRECTORY)
        let source = try Descriptor.open(
            String(place), O_PATH | (links.followsSource ? 0 : O_NOFOLLOW), within: directory)
        return try MountTree.clone(of: source, recursive: isRecursive)
    }

    /// The copy for a step of the plan; nil for one without a mapping, or to ask for.
    func mount(_ step: MountStep) throws(SystemError) -> Descriptor? {
        if let namespace = later[step.index], case .bind(let path, let isRecursive) = step.source {
            let tree = try Self.clone(path, isRecursive, step.links, in: root)
            try MountTree.setAttributes(of: tree, propagation: propagation, recursive: true)
            try Self.map(tree, path, step, namespace)
            return tree
        }
        return try mounts[step.index]?.descriptor.duplicate()
    }

    /// A user namespace that nobody is in: it only says who is who.
    static func namespace(_ mapping: MountMapping, of step: MountStep) throws(SystemError) -> Descriptor {
        if let path = mapping.namespacePath {
            return try Namespace(path: path, kind: .user).descriptor.duplicate()
        }
        var pidfd: Int32 = -1
        let launcher = getpid()
        let pid = unsafe swn_clone3(NamespaceKind.user.flag, SIGCHLD, &pidfd, -1)
        if pid == 0 {
            // Until the namespace is opened. The launcher's end is its own, also one that came before it could say so.
            _ = swn_prctl(PR_SET_PDEATHSIG, UInt(SIGKILL), 0, 0, 0)
            while getppid() == launcher { pause() }
            swn_exit_now(1)
        }
        guard pid > 0 else { throw SystemError("make user namespace for mounts", errno: .last) }
        let holder = HalfMadeChild(pidfd: pidfd, processIdentifier: pid)
        try UserNamespaceStep(uidMap: mapping.uidMap, gidMap: mapping.gidMap, isNew: true)
            .write(process: holder.processIdentifier, field: "mounts[\(step.index)]")
        return try Namespace.of(process: holder.processIdentifier, .user).descriptor.duplicate()
    }
}
