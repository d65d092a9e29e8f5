import Cgroups

/// What `runc events --stats` prints, as far as engines read it: nanoseconds and bytes.
struct StatisticsEvent: Encodable {
    var type = "stats"
    var id: String
    var data: Data

    struct Data: Encodable {
        var cpu: CPU?
        var memory: Memory?
        var pids: Pids?
        var blkio = BlockIO()
        var hugetlb: [String: HugePages]?
    }

    struct CPU: Encodable {
        var usage: Usage
        var throttling: Throttling

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

    init(id: String, _ statistics: CgroupStatistics) {
        self.id = id
        data = Data()
        if let cpu = statistics.cpu {
            data.cpu = CPU(
                usage: .init(
                    total: cpu.usage * 1000, percpu: Self.nonEmpty(cpu.processors),
                    kernelPerCPU: Self.nonEmpty(cpu.systemProcessors), userPerCPU: Self.nonEmpty(cpu.userProcessors),
                    kernel: (cpu.system ?? 0) * 1000, user: (cpu.user ?? 0) * 1000),
                throttling: .init(
                    periods: cpu.periods, throttledPeriods: cpu.throttledPeriods,
                    throttledTime: cpu.throttledTime * 1000))
        }
        if let memory = statistics.memory {
            data.memory = Memory(
                cache: memory.cache, usage: .init(memory.usage, memory.peak, memory.limit, memory.failures),
                swap: memory.withSwap.map { .init($0) }, kernel: memory.kernel.map { .init($0) },
                kernelTCP: memory.kernelTCP.map { .init($0) }, raw: memory.details)
        }
        if let pids = statistics.pids { data.pids = Pids(current: pids.current, limit: pids.limit) }
        let (bytes, operations) = (statistics.blockIO.bytes, statistics.blockIO.operations)
        data.blkio = BlockIO(
            ioServiceBytesRecursive: Self.nonEmpty(bytes.map { .init($0) }),
            ioServicedRecursive: Self.nonEmpty(operations.map { .init($0) }))
        if !statistics.hugePages.isEmpty {
            data.hugetlb = statistics.hugePages.mapValues {
                HugePages(usage: $0.usage, max: $0.peak, failcnt: $0.failures)
            }
        }
    }

    /// What is empty is left out, as by runc.
    private static func nonEmpty<Element>(_ list: [Element]) -> [Element]? { list.isEmpty ? nil : list }
}
