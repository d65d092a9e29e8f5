import Cgroups

/// What `runc events --stats` prints, as far as the kernel's numbers are gathered here: nanoseconds and bytes.
struct StatisticsEvent: Encodable {
    var type = "stats"
    var id: String
    var data: Data

    struct Data: Encodable {
        var cpu: CPU?
        var memory: Memory?
        var pids: Pids?
    }

    struct CPU: Encodable {
        var usage: Usage
        var throttling: Throttling

        struct Usage: Encodable {
            var total: UInt64
            var kernel: UInt64
            var user: UInt64
        }
        struct Throttling: Encodable {
            var periods: UInt64
            var throttledPeriods: UInt64
            var throttledTime: UInt64
        }
    }

    struct Memory: Encodable {
        var usage: Entry
        var swap: Entry?
        var raw: [String: UInt64]

        struct Entry: Encodable {
            var limit: UInt64
            var usage: UInt64
            var max: UInt64?
            var failcnt: UInt64 = 0
        }
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
                usage: .init(total: cpu.usage * 1000, kernel: (cpu.system ?? 0) * 1000, user: (cpu.user ?? 0) * 1000),
                throttling: .init(
                    periods: cpu.periods, throttledPeriods: cpu.throttledPeriods,
                    throttledTime: cpu.throttledTime * 1000))
        }
        if let memory = statistics.memory {
            // runc says "no limit" with the largest number.
            let usage = Memory.Entry(limit: memory.limit ?? .max, usage: memory.usage, max: memory.peak)
            let swap = memory.swap.map { Memory.Entry(limit: .max, usage: memory.usage + $0, max: nil) }
            data.memory = Memory(usage: usage, swap: swap, raw: ["inactive_file": memory.inactiveFile])
        }
        if let pids = statistics.pids { data.pids = Pids(current: pids.current, limit: pids.limit) }
    }
}
