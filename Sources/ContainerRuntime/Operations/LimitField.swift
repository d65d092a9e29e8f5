import Cgroups
import RuntimeSpec

extension Spec.Linux.Resources {
    /// The error about a cgroup with the member of the document that asked for what could not be done; the same error
    /// when none did.
    func explain(_ error: CgroupError) -> any Error {
        guard let field = member(of: error) else { return error }
        return SpecError("linux.resources.\(field)", "\(error)")
    }

    private func member(of error: CgroupError) -> String? {
        if let file = error.file, unified?[file] != nil { return "unified.\(file)" }
        if let file = error.file, let member = Self.member(of: file, error.value ?? "") { return member }
        return error.controller.flatMap { member(of: $0) }
    }

    /// By the names of the kernel's files (Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst).
    private static func member(of file: String, _ value: String) -> String? {
        switch file {
        case "memory.limit_in_bytes", "memory.max": "memory.limit"
        case "memory.memsw.limit_in_bytes", "memory.swap.max": "memory.swap"
        case "memory.soft_limit_in_bytes", "memory.low": "memory.reservation"
        case "memory.swappiness": "memory.swappiness"
        case "memory.kmem.tcp.limit_in_bytes": "memory.kernelTCP"
        case "memory.oom_control": "memory.disableOOMKiller"
        case "cpu.shares", "cpu.weight": "cpu.shares"
        case "cpu.cfs_quota_us": "cpu.quota"
        case "cpu.cfs_period_us": "cpu.period"
        case "cpu.max": isAboutPeriod(value) ? "cpu.period" : "cpu.quota"
        case "cpu.cfs_burst_us", "cpu.max.burst": "cpu.burst"
        case "cpu.rt_runtime_us": "cpu.realtimeRuntime"
        case "cpu.rt_period_us": "cpu.realtimePeriod"
        case "cpu.idle": "cpu.idle"
        case "cpuset.cpus": "cpu.cpus"
        case "cpuset.mems": "cpu.mems"
        case "pids.max": "pids.limit"
        case "rdma.max": "rdma"
        case "net_cls.classid": "network.classID"
        case "net_prio.ifpriomap": "network.priorities"
        case "devices.allow", "devices.deny": "devices"
        case _ where file.hasPrefix("hugetlb."): "hugepageLimits"
        case _ where file.hasPrefix("blkio.") || file.hasPrefix("io."): "blockIO." + blockMember(file, value)
        default: nil
        }
    }

    /// Whether it is the period that is wrong in a line of cpu.max: a quota and a period, or only a quota.
    private static func isAboutPeriod(_ value: String) -> Bool {
        let words = value.split(separator: " ")
        guard words.count == 2 else { return false }
        // Microseconds; sched-bwc.rst.
        return words[0] == "max" || !(UInt64(words[1]).map { (1000...1_000_000).contains($0) } ?? false)
    }

    private static func blockMember(_ file: String, _ value: String) -> String {
        for (kind, name) in [("read", "Read"), ("write", "Write")] {
            for (unit, word) in [("bps", "Bps"), ("iops", "IOPS")] {
                let isThere = file.contains("\(kind)_\(unit)") || value.contains("\(kind.prefix(1))\(unit)=")
                if isThere { return "throttle\(name)\(word)Device" }
            }
        }
        if file == "blkio.leaf_weight" { return "leafWeight" }
        if file == "blkio.leaf_weight_device" { return "weightDevice" }
        return value.contains(":") ? "weightDevice" : "weight"
    }

    /// The member that asks for something of a controller; nil when none does.
    private func member(of controller: CgroupController) -> String? {
        let (name, isGiven): (String, Bool) =
            switch controller {
            case .memory: ("memory", memory != nil)
            case .cpu, .cpuset: ("cpu", cpu != nil)
            case .pids: ("pids", pids != nil)
            case .io: ("blockIO", blockIO != nil)
            case .devices: ("devices", devices != nil)
            case .hugetlb: ("hugepageLimits", hugepageLimits?.isEmpty == false)
            case .rdma: ("rdma", rdma?.isEmpty == false)
            case .networkClass: ("network.classID", network?.classID != nil)
            case .networkPriority: ("network.priorities", network?.priorities?.isEmpty == false)
            case .freezer, .misc, .dmem: ("", false)
            }
        if isGiven { return name }
        return unified?.isEmpty == false ? "unified" : nil
    }
}
