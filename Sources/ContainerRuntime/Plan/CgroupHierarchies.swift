import CLinux
import LinuxSystem
import RuntimeSpec

extension CgroupHierarchies {
    /// Nil unless the hierarchies are where they are looked for.
    init?(own places: [HierarchyPlace]) {
        let folder = "/sys/fs/cgroup/"
        let directories = places.compactMap { place -> OwnDirectory? in
            guard place.mountPoint.utf8.starts(with: folder.utf8) else { return nil }
            let name = String(Substring(place.mountPoint.utf8.dropFirst(folder.utf8.count)))
            return name.utf8.contains(UInt8(ascii: "/")) ? nil : OwnDirectory(name: name, path: place.path)
        }
        guard !directories.isEmpty, directories.count == places.count else { return nil }
        self = .own(directories)
    }

    /// What this machine has, from /proc/self/cgroup (cgroups(7)): one line `ID:CONTROLLERS:PATH` a hierarchy, the
    /// unified one with the id 0.
    static func current() throws(SpecError) -> CgroupHierarchies {
        var fileSystem = statfs()
        if unsafe statfs("/sys/fs/cgroup", &fileSystem) == 0, UInt64(fileSystem.f_type) == UInt64(CGROUP2_SUPER_MAGIC) {
            return .unified
        }
        let text: [UInt8]
        do {
            text = try Descriptor.open("/proc/self/cgroup").readRecord()
        } catch {
            throw SpecError("mounts", "\(error)")
        }
        let hierarchies = text.split(separator: UInt8(ascii: "\n")).reversed().compactMap { line -> Hierarchy? in
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, !fields[1].isEmpty else { return nil }
            let controllers = String(decoding: fields[1], as: UTF8.self)
            if let equals = controllers.firstIndex(of: "=") {
                let name = String(controllers[controllers.index(after: equals)...])
                // A named hierarchy has no controllers, which the kernel wants to be told.
                return Hierarchy(
                    directory: name, settings: [MountSetting("none"), MountSetting("name", name)], links: [])
            }
            let names = controllers.split(separator: ",").map(String.init)
            return Hierarchy(
                directory: controllers, settings: names.map { MountSetting($0) }, links: names.count > 1 ? names : [])
        }
        return .legacy(hierarchies)
    }
}
