/// A resource that cgroups account for or limit, under the name that this library uses on both versions.
public enum CgroupController: String, CaseIterable, Hashable, Sendable {
    case cpu, cpuset, memory, pids, io, devices, freezer, hugetlb

    /// The kernel's name in cgroup v1 (`/proc/cgroups`).
    public var version1Name: String { self == .io ? "blkio" : rawValue }

    /// The kernel's name in `cgroup.controllers`; nil for what v2 does without a controller.
    public var version2Name: String? { self == .devices || self == .freezer ? nil : rawValue }
}
