import CLinux
public import Cgroups
import LinuxSystem
import RuntimeSpec

/// What a container has used so far.
public struct ContainerStatistics: Sendable {
    public var cgroup: CgroupStatistics
    /// Nil for a container that has no group of resctrl to itself, nor shares a named one.
    public var resctrl: ResctrlStatistics?

    init(_ cgroup: CgroupStatistics, _ group: ResctrlGroup?) {
        self.cgroup = cgroup
        resctrl = group?.statistics()
    }
}

/// What a group of resctrl may use of the processors' caches and memory bandwidth, and what it does use
/// (Documentation/filesystems/resctrl.rst). What the machine does not have is nil.
public struct ResctrlStatistics: Hashable, Sendable {
    public var caches: Caches?
    public var bandwidth: Bandwidth?
    /// The group's lines.
    public var schemata: [String] = []
    /// What went to memory and came from there, for each domain.
    public var traffic: [Traffic]?
    /// Bytes of the cache, for each domain.
    public var occupancy: [UInt64]?

    public struct Caches: Hashable, Sendable {
        public var mask: String
        public var fewestBits: UInt64
        public var groups: UInt64
        /// The line of everybody who is in no group, and of the group.
        public var rootSchema: String
        public var schema: String
    }

    public struct Bandwidth: Hashable, Sendable {
        /// In percent.
        public var granularity: UInt64
        public var least: UInt64
        /// 1 for a linear scale.
        public var delayIsLinear: UInt64
        public var groups: UInt64
        public var rootSchema: String
        public var schema: String
    }

    /// Bytes, in all and to the memory nearby.
    public struct Traffic: Hashable, Sendable {
        public var total: UInt64
        public var local: UInt64
    }
}

extension ResctrlGroup {
    /// That of a container; nil for one whose document says nothing of it, or is not there any more.
    static func of(_ container: borrowing StoredContainer) -> ResctrlGroup? {
        guard let spec = try? container.spec() else { return nil }
        return try? ResctrlGroup(spec, container: container.identifier)
    }

    /// What the kernel tells of it.
    func statistics() -> ResctrlStatistics {
        var statistics = ResctrlStatistics()
        let (own, all) = (Self.lines(of: "\(directory)/schemata"), Self.lines(of: "\(root)/schemata"))
        func schema(_ lines: [Substring], _ resource: String) -> String {
            lines.last { $0.hasPrefix(resource) }.map(String.init) ?? ""
        }
        func text(_ path: String) -> String { Self.lines(of: path).first.map(String.init) ?? "" }
        func number(_ path: String) -> UInt64 { UInt64(text(path)) ?? 0 }
        statistics.schemata = own.map(String.init)
        let (caches, bandwidth) = ("\(root)/info/L3", "\(root)/info/MB")
        if unsafe access(caches, F_OK) == 0 {
            statistics.caches = .init(
                mask: text("\(caches)/cbm_mask"), fewestBits: number("\(caches)/min_cbm_bits"),
                groups: number("\(caches)/num_closids"), rootSchema: schema(all, "L3"), schema: schema(own, "L3"))
        }
        if unsafe access(bandwidth, F_OK) == 0 {
            statistics.bandwidth = .init(
                granularity: number("\(bandwidth)/bandwidth_gran"), least: number("\(bandwidth)/min_bandwidth"),
                delayIsLinear: number("\(bandwidth)/delay_linear"), groups: number("\(bandwidth)/num_closids"),
                rootSchema: schema(all, "MB"), schema: schema(own, "MB"))
        }
        let counters = Self.lines(of: "\(root)/info/L3_MON/mon_features")
        let data = "\(counted)/mon_data"
        let domains = ((try? Descriptor.openDirectory(data).entries()) ?? []).sorted()
        if counters.contains("mbm_total_bytes") || counters.contains("mbm_local_bytes") {
            statistics.traffic = domains.map {
                .init(total: number("\(data)/\($0)/mbm_total_bytes"), local: number("\(data)/\($0)/mbm_local_bytes"))
            }
        }
        if counters.contains("llc_occupancy") {
            statistics.occupancy = domains.map { number("\(data)/\($0)/llc_occupancy") }
        }
        return statistics
    }
}
