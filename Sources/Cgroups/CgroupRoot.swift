import CLinux
import LinuxSystem
import SystemPackage

/// Where the cgroup hierarchies of a machine are mounted.
public struct CgroupRoot: Hashable, Sendable {
    /// How the controllers are spread (systemd's words, see `systemd.io/CGROUP_DELEGATION`).
    public enum Mode: Hashable, Sendable {
        /// cgroup v2 alone.
        case unified
        /// v1 controllers, and a v2 hierarchy in which processes can be found, frozen and killed.
        case hybrid
        /// v1 alone.
        case legacy
    }

    /// The v1 hierarchies, in the order in which they were mounted.
    public let hierarchies: [CgroupHierarchy]
    /// The mount point of the v2 hierarchy.
    public let unified: String?

    /// Names the mount points, for tests and for machines that mount them elsewhere.
    public init(hierarchies: [CgroupHierarchy] = [], unified: String?) {
        self.hierarchies = hierarchies
        self.unified = unified
    }

    public var mode: Mode { unified == nil ? .legacy : hierarchies.isEmpty ? .unified : .hybrid }

    /// The v1 hierarchy of a controller. In a hybrid layout a controller is in one version or the other, never in both.
    func hierarchy(of controller: CgroupController) -> CgroupHierarchy? {
        hierarchies.first { $0.controllers.contains(controller.version1Name) }
    }

    /// Those of some controllers that this machine has.
    public func available(_ controllers: Set<CgroupController>) -> Set<CgroupController> {
        if controllers.isEmpty { return [] }
        let unifiedNames = unified.flatMap { try? CgroupDirectory(path: $0).words("cgroup.controllers") } ?? []
        return controllers.filter { controller in
            hierarchy(of: controller) != nil || controller.version2Name.map { unifiedNames.contains($0) } ?? false
        }
    }

    /// Finds the hierarchies that this process sees.
    ///
    /// - Throws: `CgroupError` with ENOENT when no cgroup file system is mounted.
    ///   The corresponding file is `/proc/self/mountinfo`.
    public static func find() throws(CgroupError) -> CgroupRoot {
        // With v2 alone, which is what most machines have, one call answers; mountinfo may be thousands of lines.
        let standard = "/sys/fs/cgroup"
        var fileSystem = statfs()
        if statfs(standard, &fileSystem) == 0, UInt64(fileSystem.f_type) == UInt64(CGROUP2_SUPER_MAGIC) {
            return CgroupRoot(unified: standard)
        }
        var root: CgroupRoot
        do throws(SystemError) {
            root = CgroupRoot(try MountInfo.current())
        } catch {
            throw CgroupError("find root", "file systems", error)
        }
        if let unified = root.unified {
            // A mount may be listed and hidden below another one.
            let isThere = statfs(unified, &fileSystem) == 0
            if !isThere, Errno.last != .noSuchFileOrDirectory {
                throw CgroupError("find root", unified, errno: .last)
            }
            if !isThere || UInt64(fileSystem.f_type) != UInt64(CGROUP2_SUPER_MAGIC) {
                root = CgroupRoot(hierarchies: root.hierarchies, unified: nil)
            }
        }
        guard root.unified != nil || !root.hierarchies.isEmpty else {
            throw CgroupError(
                "find root", "file systems", errno: .noSuchFileOrDirectory,
                hint: "mount one: mount -t cgroup2 cgroup2 \(standard)")
        }
        return root
    }

    /// Looks for the mounts of type `cgroup` and `cgroup2`. A hierarchy mounted more than once counts where it was mounted
    /// first; the kernel always lists its controllers in the same order.
    init(_ mounts: MountInfo) {
        var mounts = mounts
        var hierarchies: [CgroupHierarchy] = []
        // Of those without a controller.
        var names: [String] = []
        var unified: String?
        while let mount = mounts.next("cgroup") {
            if mount.type == "cgroup2" {
                unified = unified ?? mount.point
                continue
            }
            guard mount.type == "cgroup" else { continue }
            var controllers: [String] = []
            var name = ""
            for option in mount.options.split(separator: ",") {
                let option = String(option)
                if version1Controllers.contains(option) { controllers.append(option) }
                if option.utf8.starts(with: "name=".utf8) { name = option }
            }
            let isKnown =
                controllers.isEmpty ? names.contains(name) : hierarchies.contains { $0.controllers == controllers }
            if isKnown { continue }
            if controllers.isEmpty { names.append(name) }
            hierarchies.append(CgroupHierarchy(mountPoint: mount.point, controllers: controllers))
        }
        self.init(hierarchies: hierarchies, unified: unified)
    }
}

extension CgroupRoot: CustomStringConvertible {
    /// The layout and the v2 mount point, or the first of v1's.
    public var description: String { "\(mode) \(unified ?? hierarchies.first?.mountPoint ?? "nowhere")" }
}

/// Every v1 controller that the kernel has had (`kernel/cgroup/cgroup-v1.c`, `include/linux/cgroup_subsys.h`), to tell
/// them from other mount options such as `xattr` and `release_agent=`.
private let version1Controllers: [String] = [
    "cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "devices", "freezer", "hugetlb", "net_cls", "net_prio",
    "perf_event", "rdma", "misc",
]
