import Cgroups
import ContainerRuntime

/// What `runc events --stats` prints, as far as engines read it: nanoseconds and bytes.
struct StatisticsEvent: Encodable {
    var type = "stats"
    var id: String
    var data: Data

    struct Data: Encodable {
        var cpu: CPU?
        var cpuset = CPUSet()
        var memory: Memory?
        var pids: Pids?
        var blkio = BlockIO()
        var hugetlb: [String: HugePages] = [:]
        var resctrl = Resctrl()
        /// runc has them of containers whose network it has made, and the specification has no such.
        var networkInterfaces = Nothing()

        enum CodingKeys: String, CodingKey {
            case cpu, cpuset, memory, pids, blkio, hugetlb
            case resctrl = "intel_rdt"
            case networkInterfaces = "network_interfaces"
        }
    }

    struct Nothing: Encodable {
        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encodeNil()
        }
    }

    /// Where processes may run, as cgroup v1 tells it; of v2 runc says nothing else either.
    struct CPUSet: Encodable {
        var cpus: [UInt16]?
        var cpuExclusive: UInt64 = 0
        var mems: [UInt16]?
        var memHardwall: UInt64 = 0
        var memExclusive: UInt64 = 0
        var memoryMigrate: UInt64 = 0
        var memorySpreadPage: UInt64 = 0
        var memorySpreadSlab: UInt64 = 0
        var memoryPressure: UInt64 = 0
        var schedLoadBalance: UInt64 = 0
        var schedRelaxDomainLevel: Int64 = 0

        enum CodingKeys: String, CodingKey {
            case cpus, mems
            case cpuExclusive = "cpu_exclusive"
            case memHardwall = "mem_hardwall"
            case memExclusive = "mem_exclusive"
            case memoryMigrate = "memory_migrate"
            case memorySpreadPage = "memory_spread_page"
            case memorySpreadSlab = "memory_spread_slab"
            case memoryPressure = "memory_pressure"
            case schedLoadBalance = "sched_load_balance"
            case schedRelaxDomainLevel = "sched_relax_domain_level"
        }

        init() {}

        init(_ set: CgroupStatistics.CPUSet) {
            cpus = StatisticsEvent.nonEmpty(set.processors)
            cpuExclusive = set.processorsAreExclusive
            mems = StatisticsEvent.nonEmpty(set.memoryNodes)
            memHardwall = set.memoryIsHardwalled
            memExclusive = set.memoryIsExclusive
            memoryMigrate = set.memoryMigrates
            memorySpreadPage = set.memorySpreadsPages
            memorySpreadSlab = set.memorySpreadsSlabs
            memoryPressure = set.memoryPressure
            schedLoadBalance = set.balancesLoad
            schedRelaxDomainLevel = set.relaxDomainLevel
        }
    }

    /// Shares of caches and of the memory's bandwidth; empty where a document says nothing of them.
    struct Resctrl: Encodable {
        var caches: Caches?
        var rootCacheSchema: String?
        var cacheSchema: String?
        var bandwidth: Bandwidth?
        var rootBandwidthSchema: String?
        var bandwidthSchema: String?
        var schemata: [String]?
        var traffic: [Traffic]?
        var occupancy: [Occupancy]?

        enum CodingKeys: String, CodingKey {
            case caches = "l3_cache_info"
            case rootCacheSchema = "l3_cache_schema_root"
            case cacheSchema = "l3_cache_schema"
            case bandwidth = "mem_bw_info"
            case rootBandwidthSchema = "mem_bw_schema_root"
            case bandwidthSchema = "mem_bw_schema"
            case schemata
            case traffic = "mbm_stats"
            case occupancy = "cmt_stats"
        }

        struct Caches: Encodable {
            var mask: String
            var fewestBits: UInt64
            var groups: UInt64

            enum CodingKeys: String, CodingKey {
                case mask = "cbm_mask"
                case fewestBits = "min_cbm_bits"
                case groups = "num_closids"
            }
        }
        struct Bandwidth: Encodable {
            var granularity: UInt64
            var delayIsLinear: UInt64
            var least: UInt64
            var groups: UInt64

            enum CodingKeys: String, CodingKey {
                case granularity = "bandwidth_gran"
                case delayIsLinear = "delay_linear"
                case least = "min_bandwidth"
                case groups = "num_closids"
            }
        }
        struct Traffic: Encodable {
            var total: UInt64
            var local: UInt64

            enum CodingKeys: String, CodingKey {
                case total = "mbm_total_bytes"
                case local = "mbm_local_bytes"
            }
        }
        struct Occupancy: Encodable {
            var bytes: UInt64

            enum CodingKeys: String, CodingKey { case bytes = "llc_occupancy" }
        }

        init() {}

        init(_ statistics: ResctrlStatistics) {
            if let caches = statistics.caches {
                self.caches = .init(mask: caches.mask, fewestBits: caches.fewestBits, groups: caches.groups)
                (rootCacheSchema, cacheSchema) = (caches.rootSchema, caches.schema)
            }
            if let bandwidth = statistics.bandwidth {
                self.bandwidth = .init(
                    granularity: bandwidth.granularity, delayIsLinear: bandwidth.delayIsLinear, least: bandwidth.least,
                    groups: bandwidth.groups)
                (rootBandwidthSchema, bandwidthSchema) = (bandwidth.rootSchema, bandwidth.schema)
            }
            schemata = StatisticsEvent.nonEmpty(statistics.schemata)
            traffic = statistics.traffic?.map { .init(total: $0.total, local: $0.local) }
            occupancy = statistics.occupancy?.map { .init(bytes: $0) }
        }
    }

    /// runc's `psi`; left out where the kernel does not tell.
    struct Pressure: Encodable {
        var some: Stall
        var full: Stall

        struct Stall: Encodable {
            var avg10: Double
            var avg60: Double
            var avg300: Double
            var total: UInt64

            init(_ stall: CgroupStatistics.Pressure.Stall) {
                (avg10, avg60, avg300) = (stall.averages[0], stall.averages[1], stall.averages[2])
                total = stall.total
            }
        }

        init(_ pressure: CgroupStatistics.Pressure) {
            (some, full) = (Stall(pressure.some), Stall(pressure.full))
        }
    }

    struct CPU: Encodable {
        var usage: Usage
        var throttling: Throttling
        var psi: Pressure?

        struct Usage: Encodable {
            var total: UInt64
            var percpu: [UInt64]?
            var kernelPerCPU: [UInt64]?
            var userPerCPU: [UInt64]?
            var kernel: UInt64
            var user: UInt64

            enum CodingKeys: String, CodingKey {
                case total, percpu, kernel, user
                case kernelPerCPU = "percpu_kernel"
                case userPerCPU = "percpu_user"
            }
        }
        struct Throttling: Encodable {
            var periods: UInt64
            var throttledPeriods: UInt64
            var throttledTime: UInt64
        }
    }

    struct Memory: Encodable {
        var cache: UInt64
        var usage: Entry
        var swap: Entry?
        var kernel: Entry?
        var kernelTCP: Entry?
        var raw: [String: UInt64]
        var psi: Pressure?

        struct Entry: Encodable {
            var limit: UInt64
            var usage: UInt64
            var max: UInt64?
            var failcnt: UInt64

            init(_ amount: CgroupStatistics.Amount) {
                self.init(amount.usage, amount.peak, amount.limit, amount.failures)
            }

            init(_ usage: UInt64, _ peak: UInt64?, _ limit: UInt64?, _ failures: UInt64) {
                // runc says "no limit" with the largest number.
                self.limit = limit ?? .max
                self.usage = usage
                max = peak
                failcnt = failures
            }
        }
    }

    struct BlockIO: Encodable {
        var ioServiceBytesRecursive: [Entry]?
        var ioServicedRecursive: [Entry]?
        var psi: Pressure?

        struct Entry: Encodable {
            var major: UInt32
            var minor: UInt32
            var op: String
            var value: UInt64

            init(_ operations: CgroupStatistics.Operations) {
                major = operations.device.major
                minor = operations.device.minor
                op = operations.name
                value = operations.count
            }
        }
    }

    struct HugePages: Encodable {
        var usage: UInt64
        var max: UInt64?
        var failcnt: UInt64
    }

    struct Pids: Encodable {
        var current: UInt64
        var limit: UInt64?
    }

    init(id: String, _ container: ContainerStatistics) {
        self.id = id
        data = Data()
        let statistics = container.cgroup
        if let set = statistics.cpuset { data.cpuset = CPUSet(set) }
        if let resctrl = container.resctrl { data.resctrl = Resctrl(resctrl) }
        if let cpu = statistics.cpu {
            data.cpu = CPU(
                usage: .init(
                    total: cpu.usage * 1000, percpu: Self.nonEmpty(cpu.processors),
                    kernelPerCPU: Self.nonEmpty(cpu.systemProcessors), userPerCPU: Self.nonEmpty(cpu.userProcessors),
                    kernel: (cpu.system ?? 0) * 1000, user: (cpu.user ?? 0) * 1000),
                throttling: .init(
                    periods: cpu.periods, throttledPeriods: cpu.throttledPeriods,
                    throttledTime: cpu.throttledTime * 1000),
                psi: cpu.pressure.map { .init($0) })
        }
        if let memory = statistics.memory {
            data.memory = Memory(
                cache: memory.cache, usage: .init(memory.usage, memory.peak, memory.limit, memory.failures),
                swap: memory.withSwap.map { .init($0) }, kernel: memory.kernel.map { .init($0) },
                kernelTCP: memory.kernelTCP.map { .init($0) }, raw: memory.details,
                psi: memory.pressure.map { .init($0) })
        }
        if let pids = statistics.pids { data.pids = Pids(current: pids.current, limit: pids.limit) }
        let (bytes, operations) = (statistics.blockIO.bytes, statistics.blockIO.operations)
        data.blkio = BlockIO(
            ioServiceBytesRecursive: Self.nonEmpty(bytes.map { .init($0) }),
            ioServicedRecursive: Self.nonEmpty(operations.map { .init($0) }),
            psi: statistics.blockIO.pressure.map { .init($0) })
        data.hugetlb = statistics.hugePages.mapValues {
            HugePages(usage: $0.usage, max: $0.peak, failcnt: $0.failures)
        }
    }

    /// What is empty is left out, as by runc.
    fileprivate static func nonEmpty<Element>(_ list: [Element]) -> [Element]? { list.isEmpty ? nil : list }
}
