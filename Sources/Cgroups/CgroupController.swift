/// A resource that cgroups account for or limit, under the name that this library uses on both versions.
public enum CgroupController: String, CaseIterable, Hashable, Sendable {
    case cpu, cpuset, memory, pids, io, devices, freezer, hugetlb, rdma
    /// Limited through `unified` only: the OCI specification has no members for them.
    case misc, dmem
    case networkClass = "net_cls"
    case networkPriority = "net_prio"

    /// The kernel's name in cgroup v1 (`/proc/cgroups`).
    public var version1Name: String { self == .io ? "blkio" : rawValue }

    /// The kernel's name in `cgroup.controllers`; nil for what v2 does without a controller, or does not do.
    public var version2Name: String? {
        switch self {
        case .devices, .freezer, .networkClass, .networkPriority: nil
        default: rawValue
        }
    }

    /// Whether v2 has no successor of it: packets are matched by their cgroup there.
    var isVersion1Only: Bool { self == .networkClass || self == .networkPriority }
}
