/// What a cgroup has used. A part is nil where no controller accounts for it in this cgroup.
public struct CgroupStatistics: Hashable, Sendable {
    public var memory: Memory?
    public var cpu: CPU?
    public var pids: Pids?
    /// What was read and written, for each block device and kind of operation.
    public var blockIO = BlockIO()
    /// Bytes of huge pages, by the size of a page as the kernel writes it, `2MB`.
    public var hugePages: [String: Amount] = [:]
    /// Where its processes may run; v1 only.
    public var cpuset: CPUSet?

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
        /// How often the limit was met; only v1 counts it.
        public var failures: UInt64 = 0
        /// Memory and swap together, as v1 counts; nil where swap is not accounted.
        public var withSwap: Amount?
        /// The kernel's own, and the buffers of TCP; v1 only.
        public var kernel: Amount?
        public var kernelTCP: Amount?
        /// Pages of files.
        public var cache: UInt64 = 0
        /// The lines of `memory.stat`.
        public var details: [String: UInt64] = [:]
        /// Time lost for lack of memory.
        public var pressure: Pressure?
    }

    /// How long processes have waited for something, as the kernel tells it of a cgroup of v2; nil where it does not, as
    /// without `psi=1` on some distributions (Documentation/accounting/psi.rst).
    public struct Pressure: Hashable, Sendable {
        /// While some of them waited, and while all did.
        public var some = Stall()
        public var full = Stall()

        public struct Stall: Hashable, Sendable {
            /// Percent of the last 10, 60 and 300 seconds.
            public var averages: [Double] = [0, 0, 0]
            /// Microseconds in all.
            public var total: UInt64 = 0
        }
    }

    /// Bytes of one kind of memory.
    public struct Amount: Hashable, Sendable {
        public var usage: UInt64
        public var peak: UInt64?
        /// Nil is no limit.
        public var limit: UInt64?
        public var failures: UInt64 = 0
    }

    public struct BlockIO: Hashable, Sendable {
        public var bytes: [Operations] = []
        /// How many operations.
        public var operations: [Operations] = []
        public var pressure: Pressure?
    }

    /// How much of an operation, `Read` or `Write`, there was on a device.
    public struct Operations: Hashable, Sendable {
        public var device: CgroupLimits.BlockDevice
        public var name: String
        public var count: UInt64
    }

    public struct CPU: Hashable, Sendable {
        /// Microseconds of processor time.
        public var usage: UInt64
        /// Nil where the accounting does not tell the two apart.
        public var user: UInt64?
        public var system: UInt64?
        /// Nanoseconds by processor, in all, and for the kernel and the programs; v1 only.
        public var processors: [UInt64] = []
        public var systemProcessors: [UInt64] = []
        public var userProcessors: [UInt64] = []
        /// Quota periods that passed, those in which the cgroup ran out, and for how many microseconds.
        public var periods: UInt64
        public var throttledPeriods: UInt64
        public var throttledTime: UInt64
        public var pressure: Pressure?
    }

    /// Numbers are the kernel's, 1 for what is on (Documentation/admin-guide/cgroup-v1/cpusets.rst).
    public struct CPUSet: Hashable, Sendable {
        public var processors: [UInt16] = []
        public var memoryNodes: [UInt16] = []
        public var processorsAreExclusive: UInt64 = 0
        public var memoryIsExclusive: UInt64 = 0
        public var memoryIsHardwalled: UInt64 = 0
        public var memoryMigrates: UInt64 = 0
        public var memoryPressure: UInt64 = 0
        public var memorySpreadsPages: UInt64 = 0
        public var memorySpreadsSlabs: UInt64 = 0
        public var balancesLoad: UInt64 = 0
        public var relaxDomainLevel: Int64 = 0

        public init() {}
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
        CgroupStatistics(
            memory: try memoryStatistics(), cpu: try cpuStatistics(), pids: try pidsStatistics(),
            blockIO: try blockIOStatistics(), hugePages: try hugePageStatistics(), cpuset: try cpusetStatistics())
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
        let limit = try directory.readNumber(version1 ? "memory.limit_in_bytes" : "memory.max").flatMap(Self.limit)
        var memory = CgroupStatistics.Memory(
            usage: usage,
            peak: try directory.readNumber(version1 ? "memory.max_usage_in_bytes" : "memory.peak"),
            limit: limit, swap: swap,
            inactiveFile: details[version1 ? "total_inactive_file" : "inactive_file"] ?? 0,
            outOfMemoryKills: try outOfMemoryKills())
        memory.cache = details[version1 ? "cache" : "file"] ?? 0
        for (name, count) in details { memory.details[String(name)] = count }
        guard version1 else {
            if let swap {
                let most = try directory.readNumber("memory.swap.max")
                memory.withSwap = .init(usage: usage + swap, limit: limit.flatMap { limit in most.map { $0 + limit } })
            }
            memory.pressure = directory.pressure("memory.pressure")
            return memory
        }
        memory.failures = try directory.readNumber("memory.failcnt") ?? 0
        memory.withSwap = try amount(directory, "memory.memsw")
        memory.kernel = try amount(directory, "memory.kmem")
        memory.kernelTCP = try amount(directory, "memory.kmem.tcp")
        return memory
    }

    /// v1 says "no limit" with the largest number of whole pages that a signed long holds.
    private static func limit(_ number: UInt64) -> UInt64? { number >= 1 << 62 ? nil : number }

    /// The files of v1 about one kind of memory.
    private func amount(
        _ directory: CgroupDirectory, _ prefix: String
    ) throws(CgroupError) -> CgroupStatistics.Amount? {
        guard let usage = try directory.readNumber("\(prefix).usage_in_bytes") else { return nil }
        return CgroupStatistics.Amount(
            usage: usage, peak: try directory.readNumber("\(prefix).max_usage_in_bytes"),
            limit: try directory.readNumber("\(prefix).limit_in_bytes").flatMap(Self.limit),
            failures: try directory.readNumber("\(prefix).failcnt") ?? 0)
    }

    private func cpuStatistics() throws(CgroupError) -> CgroupStatistics.CPU? {
        // The v2 hierarchy accounts for time even when the cpu controller is in v1; quotas are where the controller is.
        let basic = try unifiedDirectory?.readTable("cpu.stat") ?? [:]
        let own = root.hierarchy(of: .cpu) == nil ? basic : try directory(of: .cpu)?.readTable("cpu.stat") ?? [:]
        let accounting = root.hierarchies.first { $0.controllers.contains("cpuacct") }
            .map { CgroupDirectory(mountPoint: $0.mountPoint, path: path) }
        let nanoseconds = try accounting?.readNumber("cpuacct.usage")
        guard let usage = basic["usage_usec"] ?? nanoseconds.map({ $0 / 1000 }) else { return nil }
        var cpu = CgroupStatistics.CPU(
            usage: usage, user: basic["user_usec"], system: basic["system_usec"],
            periods: own["nr_periods"] ?? 0, throttledPeriods: own["nr_throttled"] ?? 0,
            throttledTime: own["throttled_usec"] ?? (own["throttled_time"] ?? 0) / 1000)
        cpu.pressure = unifiedDirectory?.pressure("cpu.pressure")
        // A heading, and a line for each processor: its number, the programs' and the kernel's time.
        for line in try accounting?.read("cpuacct.usage_all")?.split(separator: "\n").dropFirst() ?? [] {
            let numbers = line.split(separator: " ").compactMap { UInt64($0) }
            guard numbers.count == 3 else { continue }
            cpu.userProcessors.append(numbers[1])
            cpu.systemProcessors.append(numbers[2])
        }
        cpu.processors =
            try accounting?.read("cpuacct.usage_percpu")?.split(whereSeparator: \.isWhitespace)
            .compactMap { UInt64($0) } ?? []
        return cpu
    }

    /// The corresponding files are `io.stat`, and `blkio.throttle.io_service_bytes_recursive` and its like on v1.
    private func blockIOStatistics() throws(CgroupError) -> CgroupStatistics.BlockIO {
        var statistics = CgroupStatistics.BlockIO()
        guard let directory = directory(of: .io) else { return statistics }
        guard root.hierarchy(of: .io) == nil else {
            statistics.bytes = try operations(directory, "blkio.throttle.io_service_bytes_recursive")
            statistics.operations = try operations(directory, "blkio.throttle.io_serviced_recursive")
            return statistics
        }
        statistics.pressure = directory.pressure("io.pressure")
        for line in try directory.read("io.stat")?.split(separator: "\n") ?? [] {
            let words = line.split(separator: " ")
            guard let device = words.first.flatMap({ CgroupLimits.BlockDevice($0) }) else { continue }
            for word in words.dropFirst() {
                let pair = word.split(separator: "=")
                guard pair.count == 2, let count = UInt64(pair[1]) else { continue }
                switch pair[0] {
                case "rbytes": statistics.bytes.append(.init(device: device, name: "Read", count: count))
                case "wbytes": statistics.bytes.append(.init(device: device, name: "Write", count: count))
                case "rios": statistics.operations.append(.init(device: device, name: "Read", count: count))
                case "wios": statistics.operations.append(.init(device: device, name: "Write", count: count))
                default: break
                }
            }
        }
        return statistics
    }

    /// Lines such as `254:0 Read 4096`; the last one is the sum of all devices.
    private func operations(
        _ directory: CgroupDirectory, _ file: String
    ) throws(CgroupError) -> [CgroupStatistics.Operations] {
        var operations: [CgroupStatistics.Operations] = []
        for line in try directory.read(file)?.split(separator: "\n") ?? [] {
            let words = line.split(separator: " ")
            guard words.count == 3, let device = CgroupLimits.BlockDevice(words[0]), let count = UInt64(words[2]) else {
                continue
            }
            operations.append(.init(device: device, name: String(words[1]), count: count))
        }
        return operations
    }

    /// The corresponding files are `hugetlb.2MB.current` and its like, `hugetlb.2MB.usage_in_bytes` on v1.
    private func hugePageStatistics() throws(CgroupError) -> [String: CgroupStatistics.Amount] {
        guard let directory = directory(of: .hugetlb) else { return [:] }
        let isVersion1 = root.hierarchy(of: .hugetlb) != nil
        var statistics: [String: CgroupStatistics.Amount] = [:]
        for size in directory.hugePageSizes(isVersion1 ? ".limit_in_bytes" : ".max") {
            let prefix = "hugetlb.\(size)"
            statistics[size] =
                isVersion1
                ? try amount(directory, prefix)
                : try directory.readNumber("\(prefix).current").map { usage throws(CgroupError) in
                    CgroupStatistics.Amount(
                        usage: usage, limit: try directory.readNumber("\(prefix).max"),
                        failures: try directory.readTable("\(prefix).events")["max"] ?? 0)
                }
        }
        return statistics
    }

    /// Of the cgroup or, where it was not made in this hierarchy, of the one that its first process is in.
    private func cpusetStatistics() throws(CgroupError) -> CgroupStatistics.CPUSet? {
        guard let hierarchy = root.hierarchy(of: .cpuset) else { return nil }
        var directory = CgroupDirectory(mountPoint: hierarchy.mountPoint, path: path)
        if !directory.exists {
            guard let process = try processes().min(),
                let place = try CgroupRoot.place(of: process, in: .cpuset), !place.contains("..")
            else { return nil }
            directory = CgroupDirectory(path: hierarchy.mountPoint + place)
        }
        var set = CgroupStatistics.CPUSet()
        set.processors = try directory.readRanges("cpuset.cpus")
        set.memoryNodes = try directory.readRanges("cpuset.mems")
        set.processorsAreExclusive = try directory.readNumber("cpuset.cpu_exclusive") ?? 0
        set.memoryIsExclusive = try directory.readNumber("cpuset.mem_exclusive") ?? 0
        set.memoryIsHardwalled = try directory.readNumber("cpuset.mem_hardwall") ?? 0
        set.memoryMigrates = try directory.readNumber("cpuset.memory_migrate") ?? 0
        set.memoryPressure = try directory.readNumber("cpuset.memory_pressure") ?? 0
        set.memorySpreadsPages = try directory.readNumber("cpuset.memory_spread_page") ?? 0
        set.memorySpreadsSlabs = try directory.readNumber("cpuset.memory_spread_slab") ?? 0
        set.balancesLoad = try directory.readNumber("cpuset.sched_load_balance") ?? 0
        set.relaxDomainLevel = try directory.readValue("cpuset.sched_relax_domain_level").flatMap { Int64($0) } ?? 0
        return set
    }

    private func pidsStatistics() throws(CgroupError) -> CgroupStatistics.Pids? {
        guard let directory = directory(of: .pids), let current = try directory.readNumber("pids.current") else {
            return nil
        }
        return CgroupStatistics.Pids(current: current, limit: try directory.readNumber("pids.max"))
    }
}

extension CgroupDirectory {
    /// Reads lines such as `some avg10=0.12 avg60=0.00 avg300=0.00 total=4711`. Before Linux 5.13 a processor's pressure has
    /// no second line.
    ///
    /// - Returns: nil where the kernel does not tell: it lacks the file, or answers EOPNOTSUPP.
    fileprivate func pressure(_ file: String) -> CgroupStatistics.Pressure? {
        guard let text = (try? read(file)).flatMap(\.self) else { return nil }
        var pressure: CgroupStatistics.Pressure?
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            let values = words.dropFirst().compactMap { $0.split(separator: "=").last }
            guard values.count == 4, let total = UInt64(values[3]) else { continue }
            let averages = values[..<3].compactMap { Double($0) }
            guard averages.count == 3 else { continue }
            let stall = CgroupStatistics.Pressure.Stall(averages: averages, total: total)
            switch words[0] {
            case "some": pressure = pressure ?? .init(); pressure?.some = stall
            case "full": pressure = pressure ?? .init(); pressure?.full = stall
            default: break
            }
        }
        return pressure
    }

    /// Reads a list such as `0-3,7`; empty where the kernel does not have the file.
    fileprivate func readRanges(_ file: String) throws(CgroupError) -> [UInt16] {
        var numbers: [UInt16] = []
        for part in try readValue(file)?.split(separator: ",") ?? [] {
            let ends = part.split(separator: "-").compactMap { UInt16($0) }
            if let first = ends.first, let last = ends.last, first <= last { numbers += first...last }
        }
        return numbers
    }
}

extension CgroupLimits.BlockDevice {
    /// `8:0`; nil for what is none.
    fileprivate init?(_ text: Substring) {
        let numbers = text.split(separator: ":").compactMap { UInt32($0) }
        guard numbers.count == 2 else { return nil }
        self.init(major: numbers[0], minor: numbers[1])
    }
}
