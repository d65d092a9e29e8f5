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
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try Descriptor.open("/proc/self/mountinfo").readAll()
        } catch {
            throw CgroupError("find root", "file systems", error)
        }
        var root = CgroupRoot(mountInfo: String(decoding: bytes, as: UTF8.self))
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

    /// Reads the mounts of type `cgroup` and `cgroup2` out of a mountinfo text (proc_pid_mountinfo(5)).
    ///
    /// A hierarchy mounted more than once counts where it was mounted first.
    public init(mountInfo: String) {
        var hierarchies: [CgroupHierarchy] = []
        // Of those without a controller.
        var names: [String?] = []
        var unified: String?
        // By bytes: a machine may have thousands of mounts, of which a few are of cgroups.
        for line in mountInfo.utf8.split(separator: UInt8(ascii: "\n")) where mentionsCgroup(line) {
            let fields = line.split(separator: UInt8(ascii: " "))
            guard let dash = fields.firstIndex(where: { $0.elementsEqual("-".utf8) }), dash > 5, fields.count > dash + 3
            else { continue }
            if fields[dash + 1].elementsEqual("cgroup2".utf8) {
                unified = unified ?? unescape(Substring(fields[4]))
            } else if fields[dash + 1].elementsEqual("cgroup".utf8) {
                let options = fields[dash + 3].split(separator: UInt8(ascii: ",")).map { String(Substring($0)) }
                let controllers = Set(options.filter { version1Controllers.contains($0) })
                let name = controllers.isEmpty ? options.first { $0.utf8.starts(with: "name=".utf8) } : nil
                let known =
                    controllers.isEmpty
                    ? names.contains(name) : hierarchies.contains { $0.controllers == controllers }
                if !known {
                    if controllers.isEmpty { names.append(name) }
                    let mountPoint = unescape(Substring(fields[4]))
                    hierarchies.append(CgroupHierarchy(mountPoint: mountPoint, controllers: controllers))
                }
            }
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

/// Whether a line of mountinfo may be about a cgroup: the type of the file system follows a dash.
private func mentionsCgroup(_ line: Substring.UTF8View) -> Bool {
    var rest = line
    while let dash = rest.firstIndex(of: UInt8(ascii: "-")) {
        rest = rest[rest.index(after: dash)...]
        if rest.starts(with: " cgroup".utf8) { return true }
    }
    return false
}

/// Undoes the kernel's octal escapes of space, tab, newline and backslash (`\040`).
private func unescape(_ field: Substring) -> String {
    guard field.utf8.contains(UInt8(ascii: "\\")) else { return String(field) }
    var bytes: [UInt8] = []
    var rest = Array(field.utf8)[...]
    while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "\\"), rest.count >= 3,
            let value = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
        {
            bytes.append(value)
            rest = rest.dropFirst(3)
        } else {
            bytes.append(byte)
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}
