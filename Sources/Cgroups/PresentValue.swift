/// What a file of a cgroup holds before it is written to.
struct PresentValue {
    private let directory: CgroupDirectory
    private let file: String
    private let line: String

    /// Nil for a file that is not there, cannot be read, or is more than one line: about devices, which are set one by one.
    init?(_ directory: CgroupDirectory, _ file: String) {
        guard var text = try? directory.read(file) else { return nil }
        if text.utf8.last == 10 { text.removeLast() }
        guard !text.utf8.contains(10) else { return nil }
        self.directory = directory
        self.file = file
        line = text
    }

    /// Writes it again when the file holds something else by now, and the kernel takes it.
    func putBack() {
        guard let now = PresentValue(directory, file), now.line != line else { return }
        // With its end, or an empty one would not be written at all.
        try? directory.write("\(line)\n", to: file)
    }
}

/// Limits that were in force at a time, to come back to.
public struct PresentLimits {
    private let values: [PresentValue]

    init(_ values: [PresentValue]) { self.values = values }

    /// Puts back what has changed since, as far as the kernel takes it.
    public func putBack() {
        // Some only go back after others, as in `write(_:)` of several.
        for _ in 0..<2 { for value in values.reversed() { value.putBack() } }
    }
}

extension Cgroup {
    /// What is in force of the limits that systemd writes for its units, whether or not they are being changed: of what one
    /// controller has, it writes everything again as it knows it.
    public func limitsOfUnit() -> PresentLimits {
        let files: [(CgroupController, [String])] = [
            (.memory, ["memory.limit_in_bytes", "memory.min", "memory.low", "memory.high", "memory.max"]),
            (.memory, ["memory.swap.max"]), (.pids, ["pids.max"]), (.cpuset, ["cpuset.cpus", "cpuset.mems"]),
            (.cpu, ["cpu.shares", "cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.weight", "cpu.idle", "cpu.max"]),
            (.io, ["blkio.weight", "blkio.bfq.weight", "io.weight", "io.bfq.weight"]),
        ]
        return PresentLimits(
            files.flatMap { controller, files in
                directory(of: controller).map { directory in files.compactMap { PresentValue(directory, $0) } } ?? []
            })
    }

    /// What the files hold that a plan is about to change.
    func presentValues(_ plan: CgroupPlan) -> PresentLimits {
        let settings =
            plan.version1Settings.map { ($0.controller.flatMap { directory(of: $0) }, $0) }
            + plan.version2Settings.map { (unifiedDirectory, $0) }
        return PresentLimits(
            settings.compactMap { directory, setting in
                guard let directory else { return nil }
                return PresentValue(directory, setting.file)
                    ?? setting.fallback.flatMap { PresentValue(directory, $0.file) }
            })
    }

    /// Limits together with what is in force, where cgroup v2 has one file for what the specification has two members
    /// for, or counts another way: a new period leaves the quota, and swap is what memory leaves of both.
    func completed(_ limits: CgroupLimits) throws(CgroupError) -> CgroupLimits {
        var limits = limits
        if root.hierarchy(of: .cpu) == nil, limits.cpu.period.nonZero != nil, limits.cpu.quota.nonZero == nil {
            limits.cpu.quota = try unifiedDirectory?.read("cpu.max")?.split(separator: " ").first.flatMap { Int64($0) }
        }
        if root.hierarchy(of: .memory) == nil, let swap = limits.memory.swap, swap > 0,
            limits.memory.limit.nonZero == nil
        {
            limits.memory.limit = try unifiedDirectory?.readNumber("memory.max").flatMap { Int64(exactly: $0) }
        }
        return limits
    }
}
