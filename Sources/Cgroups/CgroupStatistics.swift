/// What a cgroup has used. A part is nil where no controller accounts for it in this cgroup.
public struct CgroupStatistics: Hashable, Sendable {
    public var memory: Memory?
    public var cpu: CPU?
    public var pids: Pids?

    /// Bytes.
    public struct Memory: Hashable, Sendable {
        public var usage: UInt64
        /// The most there has been; nil where the kernel does not keep it (v2 before Linux 5.19).
        public var peak: UInt64?
        /// Nil is no limit.
        public var limit: UInt64?
        /// Swap alone; nil where swap is not accounted.
        public var swap: UInt64?
        /// File pages that could be dropped, which docker and kubernetes subtract from `usage`.
        public var inactiveFile: UInt64
        /// How many processes of the cgroup the OOM killer has killed.
        public var outOfMemoryKills: UInt64
    }

    public struct CPU: Hashable, Sendable {
        /// Microseconds of processor time.
        public var usage: UInt64
        /// Nil where the accounting does not tell the two apart.
        public var user: UInt64?
        public var system: UInt64?
        /// Quota periods that passed, those in which the cgroup ran out, and for how many microseconds.
        public var periods: UInt64
        public var throttledPeriods: UInt64
        public var throttledTime: UInt64
    }

    public struct Pids: Hashable, Sendable {
        public var current: UInt64
        /// Nil is no limit.
        public var limit: UInt64?
    }
}

extension Cgroup {
    /// Reads what the cgroup has used so far.
    ///
    /// Equivalent to `cat memory.current memory.stat cpu.stat pids.current`, or their counterparts on v1.
    public func statistics() throws(CgroupError) -> CgroupStatistics {
        CgroupStatistics(memory: try memoryStatistics(), cpu: try cpuStatistics(), pids: try pidsStatistics())
    }

    /// How many processes of the cgroup the OOM killer has killed; 0 where memory is not accounted.
    ///
    /// Equivalent to `grep oom_kill memory.events`, or `memory.oom_control` on v1.
    public func outOfMemoryKills() throws(CgroupError) -> UInt64 {
        guard let directory = directory(of: .memory) else { return 0 }
        let file = root.hierarchy(of: .memory) == nil ? "memory.events" : "memory.oom_control"
        return try directory.readTable(file)["oom_kill"] ?? 0
    }

    private func memoryStatistics() throws(CgroupError) -> CgroupStatistics.Memory? {
        guard let directory = directory(of: .memory) else { return nil }
        let version1 = root.hierarchy(of: .memory) != nil
        guard let usage = try directory.readNumber(version1 ? "memory.usage_in_bytes" : "memory.current") else {
            return nil
        }
        let details = try directory.readTable("memory.stat")
        var swap = try directory.readNumber(version1 ? "memory.memsw.usage_in_bytes" : "memory.swap.current")
        if version1 { swap = swap.map { $0 > usage ? $0 - usage : 0 } }
        let limit = try directory.readNumber(version1 ? "memory.limit_in_bytes" : "memory.max")
        return CgroupStatistics.Memory(
            usage: usage,
            peak: try directory.readNumber(version1 ? "memory.max_usage_in_bytes" : "memory.peak"),
            // v1 says "no limit" with the largest number of whole pages that a signed long holds.
            limit: limit.flatMap { $0 >= 1 << 62 ? nil : $0 },
            swap: swap,
            inactiveFile: details[version1 ? "total_inactive_file" : "inactive_file"] ?? 0,
            outOfMemoryKills: try outOfMemoryKills())
    }

    private func cpuStatistics() throws(CgroupError) -> CgroupStatistics.CPU? {
        // The v2 hierarchy accounts for time even when the cpu controller is in v1; quotas are where the controller is.
        let basic = try unifiedDirectory?.readTable("cpu.stat") ?? [:]
        let own = root.hierarchy(of: .cpu) == nil ? basic : try directory(of: .cpu)?.readTable("cpu.stat") ?? [:]
        let accounting = root.hierarchies.first { $0.controllers.contains("cpuacct") }
            .map { CgroupDirectory(mountPoint: $0.mountPoint, path: path) }
        let nanoseconds = try accounting?.readNumber("cpuacct.usage")
        guard let usage = basic["usage_usec"] ?? nanoseconds.map({ $0 / 1000 }) else { return nil }
        return CgroupStatistics.CPU(
            usage: usage, user: basic["user_usec"], system: basic["system_usec"],
            periods: own["nr_periods"] ?? 0, throttledPeriods: own["nr_throttled"] ?? 0,
            throttledTime: own["throttled_usec"] ?? (own["throttled_time"] ?? 0) / 1000)
    }

    private func pidsStatistics() throws(CgroupError) -> CgroupStatistics.Pids? {
        guard let directory = directory(of: .pids), let current = try directory.readNumber("pids.current") else {
            return nil
        }
        return CgroupStatistics.Pids(current: current, limit: try directory.readNumber("pids.max"))
    }
}
