import CLinux
import RuntimeSpec

/// A mount with its options taken apart.
struct MountStep: Hashable, Sendable {
    enum Source: Hashable, Sendable {
        /// A new file system of this type.
        case fileSystem(String)
        /// Files of the host.
        case bind(path: String, recursive: Bool)
        /// Nothing new: the mount that is there already is changed.
        case remount
        /// The container's view of its cgroups, one for each hierarchy.
        case cgroups(CgroupHierarchies)
    }

    /// Mounts that other steps rely on.
    enum Role: Hashable, Sendable {
        case ordinary
        /// Has to be on an ordinary directory, lest an image's link lead what is written there elsewhere.
        case proc, sysfs, dev
        case devpts
    }

    /// The number in the document's list.
    var index: Int32
    /// Below the container's root, without a leading slash and without `.` and `..`.
    var destination: String
    var source: Source
    var role: Role
    /// What the file system is told, in order.
    var settings: [MountSetting]
    /// `MOUNT_ATTR_*` to set and to clear, for this mount and for all below it.
    var set: UInt64
    var clear: UInt64
    /// What a bind does not take over from its source, where the kernel lets it.
    var clearOfSource: UInt64 = 0
    var recursiveSet: UInt64
    var recursiveClear: UInt64
    /// `MS_SHARED` and so on; 0 to leave it.
    var propagation: UInt64
    var isPropagationRecursive: Bool
    /// Whether what the image has at the place is copied into a new tmpfs (`tmpcopyup`).
    var copiesUp: Bool
    /// What the owners of a bind's files are seen as; nil for what they are.
    var mapping: MountMapping?
    var links = MountLinks()

    /// Whether something is written to it before anybody has it, also where it is read-only afterwards.
    var isFilledFirst: Bool { role == .dev || copiesUp }
}

/// The cgroup hierarchies of the machine.
enum CgroupHierarchies: Hashable, Sendable {
    case unified
    /// The directories that the container is in: those of the hierarchies that its cgroup is in, which are all.
    case own([OwnDirectory])
    /// Directory names such as `cpu,cpuacct`, with what the kernel is told to find the hierarchy.
    case legacy([Hierarchy])

    struct OwnDirectory: Hashable, Sendable {
        /// What it is called below /sys/fs/cgroup.
        var name: String
        /// On the host.
        var path: String

        /// Single controllers of a hierarchy that has several.
        var links: [Substring] {
            let names = name.split(separator: ",")
            return names.count > 1 ? names : []
        }
    }

    struct Hierarchy: Hashable, Sendable {
        var directory: String
        var settings: [MountSetting]
        /// Names of single controllers that point to a directory shared by several.
        var links: [String]
    }
}

extension MountStep {
    /// - Throws: `SpecError` that names the mount's field.
    init(
        _ mount: Spec.Mount, index: Int, options launch: LaunchOptions, root: RootFilesystem, _ linux: Spec.Linux
    ) throws(SpecError) {
        let field = "mounts[\(index)]"
        let options = try MountOptions(mount.options ?? [], field: field)
        self.index = Int32(index)
        destination = try Self.normalize(
            Self.inside(mount.destination, root: root), field: "\(field).destination")
        settings = options.settings
        (set, clear) = (options.set, options.clear)
        (recursiveSet, recursiveClear) = (options.recursiveSet, options.recursiveClear)
        (propagation, isPropagationRecursive) = (options.propagation, options.isPropagationRecursive)
        copiesUp = options.copiesUp
        role = .ordinary
        if options.isRemount {
            guard settings.isEmpty, !copiesUp else {
                throw SpecError(
                    "\(field).options", "'\(settings.first?.name ?? "tmpcopyup")' cannot be changed by remount")
            }
            source = .remount
            return
        }
        if mount.type == "bind" || options.isBind {
            let path = mount.source ?? ""
            let recursive = options.isBind ? options.isBindRecursive : true
            mapping = try MountMapping(mount, options, linux, field)
            clearOfSource = options.clearOfSource
            links = options.links
            let isAbsolute = path.utf8.first == UInt8(ascii: "/")
            source = .bind(path: isAbsolute ? path : "\(launch.bundle)/\(path)", recursive: recursive)
            return
        }
        guard options.links == MountLinks() else {
            throw SpecError("\(field).options", "links at the ends of paths are kept or copied for bind mounts only")
        }
        if options.mapsIdentifiers || !(mount.uidMappings ?? []).isEmpty || !(mount.gidMappings ?? []).isEmpty {
            throw SpecError("\(field).uidMappings", "identifiers are mapped for bind mounts only")
        }
        let type = mount.type ?? ""
        switch type {
        case "cgroup", "cgroup2":
            let own = linux.namespace(.cgroup) == nil ? CgroupHierarchies(own: launch.cgroup.places) : nil
            let hierarchies = if let own { own } else { try CgroupHierarchies.current() }
            source = .cgroups(hierarchies)
            // Those of version 1 are told which they are, and nothing else.
            if hierarchies != .unified { settings = [] } else { nameSource(mount) }
            return
        case "proc": role = .proc
        case "sysfs": role = .sysfs
        case "tmpfs" where destination == "dev": role = .dev
        case "devpts":
            role = .devpts
            // The group of terminals, where the container has only its user's: the kernel refuses one that is in no map.
            if let namespace = try UserNamespaceStep(linux), namespace.isNew {
                settings.removeAll { $0.name == "gid" && $0.value.map(namespace.hasGroup) == false }
            }
        default: break
        }
        source = .fileSystem(type)
        nameSource(mount)
    }

    /// What a new file system is said to be of in the list of mounts.
    private mutating func nameSource(_ mount: Spec.Mount) {
        if let name = mount.source, !name.isEmpty { settings.insert(MountSetting("source", name), at: 0) }
    }

    /// With SELinux's label for the files of a file system that the container has for itself. Those of the host keep
    /// theirs, and what the kernel labels by its own rules (proc, sysfs, mqueue) takes none.
    func labelled(_ label: String?) -> MountStep {
        guard let label, case .fileSystem(let type) = source, ["tmpfs", "ramfs", "devpts", "shm"].contains(type) else {
            return self
        }
        var step = self
        step.settings.append(MountSetting("context", label))
        return step
    }

    /// A destination that begins with the root's own path on the host is below it, as for runc.
    private static func inside(_ destination: String, root: RootFilesystem) -> String {
        guard case .directory(let path) = root, path != "/", destination.utf8.starts(with: "\(path)/".utf8) else {
            return destination
        }
        return String(Substring(destination.utf8.dropFirst(path.utf8.count)))
    }

    /// A path of the container without a leading slash, `.` and `..`, decided without looking at links: a `..` in a
    /// document is about the text, and links are followed inside the root when the target is opened.
    static func normalize(_ path: String, field: String) throws(SpecError) -> String {
        var parts: [Substring] = []
        for bytes in path.utf8.split(separator: UInt8(ascii: "/")) {
            let part = Substring(bytes)
            if part == ".." { _ = parts.popLast() } else if part != "." { parts.append(part) }
        }
        guard let first = parts.first else { throw SpecError(field, "'\(path)' is the root itself") }
        return parts.dropFirst().reduce(into: String(first)) { $0 += "/" + String($1) }
    }
}
