import CLinux
import LinuxSystem
import SystemPackage

/// The container's view of its cgroups: its own cgroup is what it sees as the root.
struct CgroupMount {
    let hierarchies: CgroupHierarchies
    /// What the document has for the unified one.
    let settings: [MountSetting]
    /// `MOUNT_ATTR_*`.
    let attributes: UInt64
    /// In a cgroup namespace of its own a new mount shows just that. Without one it would show the host's whole tree,
    /// so the process's directory of it is bound instead.
    let isNamespaced: Bool

    func attach(to target: borrowing Descriptor) throws(SystemError) {
        switch hierarchies {
        case .unified:
            let mount = isNamespaced ? try mountUnified() : try bind("", controllers: "")
            try MountTree.attach(mount, to: target)
        case .own(let list):
            let directory = try makeDirectory()
            for own in list { try directory.makeDirectory(own.name, own.links.map(String.init)) }
            try MountTree.attach(directory, to: target)
            // Nobody else can be in a file system that was made a moment ago.
            for own in list where !MountTree.bind(own.path, at: "\(directory.procPath)/\(own.name)") {
                try attach(try MountTree.clone(path: own.path, recursive: false), in: directory, own.name)
            }
            try setAttributes(of: directory)
        case .legacy(let active):
            // One that somebody has mounted in a mount namespace of theirs is not here to be shown.
            let list = active.filter { unsafe access("/sys/fs/cgroup/\($0.directory)", F_OK) == 0 }
            let directory = try makeDirectory()
            for hierarchy in list { try directory.makeDirectory(hierarchy.directory, hierarchy.links) }
            try MountTree.attach(directory, to: target)
            for hierarchy in list {
                let path = "\(directory.procPath)/\(hierarchy.directory)"
                if isNamespaced, attachPlainly(hierarchy, at: path) { continue }
                try attach(try mount(hierarchy), in: directory, hierarchy.directory)
            }
            try setAttributes(of: directory)
        }
    }

    private func attach(
        _ mount: borrowing Descriptor, in directory: borrowing Descriptor, _ name: String
    ) throws(SystemError) {
        let place = try Descriptor.open(name, O_PATH | O_DIRECTORY | O_NOFOLLOW, relativeTo: directory.rawValue)
        try MountTree.attach(mount, to: place)
    }

    /// Of all that is in it at once.
    private func setAttributes(of directory: borrowing Descriptor) throws(SystemError) {
        try MountTree.setAttributes(of: directory, set: attributes, recursive: true)
    }

    /// What holds a directory for each hierarchy.
    private func makeDirectory() throws(SystemError) -> Descriptor {
        let context = try FileSystemContext("tmpfs")
        try context.set("source", "tmpfs")
        try context.set("mode", "755")
        // What nobody can write to holds no more than this.
        if attributes & UInt64(MOUNT_ATTR_RDONLY) == 0 { try context.set("size", "64k") }
        return try context.mount(attributes: attributes & ~UInt64(MOUNT_ATTR_RDONLY))
    }

    private func mountUnified() throws(SystemError) -> Descriptor {
        let context = try FileSystemContext("cgroup2")
        try context.set(settings)
        return try context.mount(attributes: attributes)
    }

    private func attachPlainly(_ hierarchy: CgroupHierarchies.Hierarchy, at path: String) -> Bool {
        PlainMount.attach(
            "cgroup", at: path, hierarchy.settings, attributes: attributes & ~UInt64(MOUNT_ATTR_RDONLY))
    }

    private func mount(_ hierarchy: CgroupHierarchies.Hierarchy) throws(SystemError) -> Descriptor {
        guard isNamespaced else {
            return try bind(hierarchy.directory, controllers: hierarchy.line)
        }
        let context = try FileSystemContext("cgroup")
        try context.set("source", "cgroup")
        try context.set(hierarchy.settings)
        return try context.mount(attributes: attributes)
    }

    /// The directory of the host's mount that this process is in, from /proc/self/cgroup (cgroups(7)).
    private func bind(_ directory: String, controllers: String) throws(SystemError) -> Descriptor {
        let path = try Self.ownPaths().first { $0.controllers == controllers }?.path
        guard let path else {
            throw SystemError("find cgroup of", controllers, errno: .noSuchFileOrDirectory)
        }
        // As mountinfo has it: without a slash at the end.
        let place = directory.isEmpty ? "/sys/fs/cgroup" : "/sys/fs/cgroup/\(directory)"
        let tree: Descriptor
        do throws(SystemError) {
            tree = try MountTree.clone(path: "\(place)/\(path)", recursive: false)
        } catch {
            guard error.errno == .noSuchFileOrDirectory, let root = try MountInfo.current().root(at: place) else {
                throw error
            }
            // In a container that has no cgroup namespace itself, what is mounted is a part of the hierarchy: this
            // process's directory is below it, or out of sight, and then all that is in sight is what there is to see.
            let rest = path.hasPrefix(root) ? path.dropFirst(root.count) : ""
            tree = try MountTree.clone(path: "\(place)/\(rest)", recursive: false)
        }
        try MountTree.setAttributes(of: tree, set: attributes)
        return tree
    }

    /// The lines of /proc/self/cgroup (cgroups(7)): where this process is in each hierarchy.
    private static func ownPaths() throws(SystemError) -> [(controllers: String, path: String)] {
        let lines = try Descriptor.open("/proc/self/cgroup").readRecord().split(separator: UInt8(ascii: "\n"))
        return lines.compactMap { line in
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return nil }
            return (String(decoding: fields[1], as: UTF8.self), String(decoding: fields[2], as: UTF8.self))
        }
    }
}

extension Descriptor {
    /// Makes a directory in this one, and links to it.
    fileprivate borrowing func makeDirectory(_ name: String, _ links: [String]) throws(SystemError) {
        try makeDirectory(name)
        for link in links {
            guard unsafe symlinkat(name, rawValue, link) == 0 else {
                throw SystemError("link \(link) to", name, errno: .last)
            }
        }
    }
}

extension FileSystemContext {
    /// Sets options in their order.
    borrowing func set(_ settings: [MountSetting]) throws(SystemError) {
        for setting in settings {
            if let value = setting.value {
                try set(setting.name, value)
            } else {
                try set(setting.name)
            }
        }
    }
}

extension CgroupHierarchies.Hierarchy {
    /// What /proc/self/cgroup calls it.
    fileprivate var line: String {
        settings.contains { $0.name == "name" } ? "name=\(directory)" : directory
    }
}
