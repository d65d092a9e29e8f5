import CLinux
import LinuxSystem
import SystemPackage

/// The container's view of its cgroups: since it is in a cgroup namespace, its own cgroup is what it sees as the root.
struct CgroupMount {
    let hierarchies: CgroupHierarchies
    /// `MOUNT_ATTR_*`.
    let attributes: UInt64

    func attach(to target: borrowing Descriptor) throws(SystemError) {
        switch hierarchies {
        case .unified:
            try MountTree.attach(try FileSystemContext("cgroup2").mount(attributes: attributes), to: target)
        case .legacy(let list):
            let context = try FileSystemContext("tmpfs")
            try context.set("mode", "755")
            try context.set("size", "64k")
            let directory = try context.mount(attributes: attributes & ~UInt64(MOUNT_ATTR_RDONLY))
            for hierarchy in list {
                try directory.makeDirectory(hierarchy.directory)
                for link in hierarchy.links {
                    guard unsafe symlinkat(hierarchy.directory, directory.rawValue, link) == 0 else {
                        throw SystemError("link \(link) to", hierarchy.directory, errno: .last)
                    }
                }
            }
            try MountTree.attach(directory, to: target)
            for hierarchy in list {
                let context = try FileSystemContext("cgroup")
                for setting in hierarchy.settings {
                    if let value = setting.value {
                        try context.set(setting.name, value)
                    } else {
                        try context.set(setting.name)
                    }
                }
                let place = try Descriptor.open(
                    hierarchy.directory, O_PATH | O_DIRECTORY | O_NOFOLLOW, relativeTo: directory.rawValue)
                try MountTree.attach(try context.mount(attributes: attributes), to: place)
            }
            if attributes & UInt64(MOUNT_ATTR_RDONLY) != 0 {
                try MountTree.setAttributes(of: directory, set: attributes)
            }
        }
    }
}
