import CLinux
import SystemPackage

extension CgroupLimits {
    /// The files and values of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst), without the devices' rules.
    func version2Settings() throws(CgroupError) -> [CgroupSetting] {
        var settings: [CgroupSetting] = []
        try addVersion2Memory(to: &settings)
        if cpu.realtimeRuntime.nonZero != nil || cpu.realtimePeriod.nonZero != nil {
            throw CgroupSetting(.cpu, "cpu.rt_runtime_us", cpu.realtimeRuntime ?? 0)
                .refused("cgroup v2 has no limit of realtime processes", errno: .notSupported)
        }
        addVersion2CPU(to: &settings)
        if let pids {
            settings.append(try pidsSetting(pids))
        }
        try addVersion2BlockIO(to: &settings)
        for (size, limit) in hugePages.sorted(by: { $0.key < $1.key }) {
            for setting in hugePages(size, "max", value: limit == -1 ? "max" : "\(limit)") {
                settings.append(try CgroupSetting.checkAmount(limit, setting))
            }
        }
        settings += rdmaSettings
        for (file, value) in unified.sorted(by: { $0.key < $1.key }) {
            let controller = CgroupController(rawValue: String(file.prefix { $0 != "." }))
            let setting = CgroupSetting(controller, file, value: value)
            guard !file.contains("/"), file.contains(".") else {
                throw setting.refused("the name of a file such as memory.high")
            }
            // Files such as io.max take one line, about one device, at a time.
            settings += value.split(separator: "\n", omittingEmptySubsequences: !value.isEmpty).map {
                CgroupSetting(setting.controller, file, value: String($0))
            }
        }
        return settings
    }

    /// A number of bytes, or `max`.
    private func amount(
        _ amount: Int64, _ controller: CgroupController, _ file: String
    ) throws(CgroupError) -> CgroupSetting {
        let setting = CgroupSetting(controller, file, value: amount == -1 ? "max" : "\(amount)")
        return try CgroupSetting.checkAmount(amount, setting)
    }

    private func addVersion2Memory(to settings: inout [CgroupSetting]) throws(CgroupError) {
        if let limit = memory.limit.nonZero { settings.append(try amount(limit, .memory, "memory.max")) }
        if let swap = memory.swap.nonZero {
            settings.append(try swapSetting(swap))
        } else if memory.limit == -1 {
            var setting = CgroupSetting(.memory, "memory.swap.max", value: "max")
            setting.optional = true
            settings.append(setting)
        }
        if let reservation = memory.reservation.nonZero {
            settings.append(try amount(reservation, .memory, "memory.low"))
        }
        if let swappiness = memory.swappiness {
            throw CgroupSetting(.memory, "memory.swappiness", swappiness)
                .refused("cgroup v2 has no swappiness", errno: .notSupported)
        }
        if let tcp = memory.tcp.nonZero, tcp > 0 {
            throw CgroupSetting(.memory, "memory.kmem.tcp.limit_in_bytes", tcp)
                .refused("cgroup v2 has no limit for buffers of TCP alone", errno: .notSupported)
        }
        if memory.disableOOMKiller == true {
            throw CgroupSetting(.memory, "memory.oom_control", 1)
                .refused("cgroup v2 cannot switch the OOM killer off", errno: .notSupported)
        }
    }

    /// v1 and the OCI specification count memory and swap together, v2 counts swap alone.
    private func swapSetting(_ swap: Int64) throws(CgroupError) -> CgroupSetting {
        guard swap > 0 else { return try amount(swap, .memory, "memory.swap.max") }
        let setting = CgroupSetting(.memory, "memory.swap.max", swap)
        guard let limit = memory.limit.nonZero, limit > 0 else {
            throw setting.refused("a swap limit needs a memory limit: cgroup v2 counts swap alone")
        }
        guard swap >= limit else {
            throw setting.refused("memory and swap together cannot be less than the memory limit \(limit)")
        }
        return CgroupSetting(.memory, "memory.swap.max", swap - limit)
    }

    private func addVersion2CPU(to settings: inout [CgroupSetting]) {
        // An idle cgroup has no weight: the kernel refuses one.
        if let idle = cpu.idle { settings.append(CgroupSetting(.cpu, "cpu.idle", idle)) }
        if let shares = cpu.shares.nonZero, cpu.idle != 1 {
            settings.append(CgroupSetting(.cpu, "cpu.weight", CgroupWeight.cpuWeight(shares: shares)))
        }
        let quota = cpu.quota.nonZero
        let period = cpu.period.nonZero
        if quota != nil || period != nil {
            let part = quota.map { $0 < 0 ? "max" : "\($0)" } ?? "max"
            settings.append(CgroupSetting(.cpu, "cpu.max", value: period.map { "\(part) \($0)" } ?? part))
        }
        if let burst = cpu.burst { settings.append(CgroupSetting(.cpu, "cpu.max.burst", burst)) }
        if let cpus = cpu.cpus { settings.append(CgroupSetting(.cpuset, "cpuset.cpus", value: cpus)) }
        if let mems = cpu.mems { settings.append(CgroupSetting(.cpuset, "cpuset.mems", value: mems)) }
    }

    private func addVersion2BlockIO(to settings: inout [CgroupSetting]) throws(CgroupError) {
        let leaves =
            blockIO.leafWeight.map { [CgroupSetting(.io, "blkio.leaf_weight", $0)] }
            ?? blockIO.deviceLeafWeights.map {
                CgroupSetting(.io, "blkio.leaf_weight_device", value: "\($0.device) \($0.weight)")
            }
        if let setting = leaves.first {
            throw setting.refused("cgroup v2 has no leaf weights", errno: .notSupported)
        }
        // bfq's file takes the weight as it is; io.weight has a wider scale. Which is there depends on the kernel.
        let weights = blockIO.weight.map { [("", $0)] } ?? []
        for (device, weight) in weights + blockIO.deviceWeights.map({ ("\($0.device) ", $0.weight) }) {
            let setting = CgroupSetting(
                .io, "io.bfq.weight", value: "\(device)\(weight)",
                fallback: .init(file: "io.weight", value: "\(device)\(CgroupWeight.ioWeight(blockIO: weight))"))
            settings.append(try CgroupSetting.checkBlockIO(weight: weight, setting))
        }
        let throttles = [
            ("rbps", blockIO.readBytes), ("wbps", blockIO.writeBytes),
            ("riops", blockIO.readOperations), ("wiops", blockIO.writeOperations),
        ]
        for (name, items) in throttles {
            for item in items {
                let rate = item.rate == 0 ? "max" : "\(item.rate)"
                settings.append(CgroupSetting(.io, "io.max", value: "\(item.device) \(name)=\(rate)"))
            }
        }
    }
}

/// How v1's relative weights become v2's.
public enum CgroupWeight {
    /// `cpu.shares` (2 to 262144, default 1024) as `cpu.weight` (1 to 10000, default 100).
    ///
    /// The curve goes through both ends and through the two defaults: the formula that runc and crun agreed on in 2025
    /// (opencontainers/cgroups, `ConvertCPUSharesToCgroupV2Value`); their older straight line made 1024 shares 39.
    public static func cpuWeight(shares: UInt64) -> UInt64 {
        if shares <= 2 { return 1 }
        if shares >= 262_144 { return 10_000 }
        let bits = log2(Double(shares))
        return UInt64(pow(10, (bits * bits + 125 * bits) / 612 - 7.0 / 34).rounded(.up))
    }

    /// v1's block I/O weight (10 to 1000) as `io.weight` (1 to 10000), by a straight line as runc and crun do.
    public static func ioWeight(blockIO weight: UInt16) -> UInt64 {
        1 + (UInt64(max(weight, 10)) - 10) * 9999 / 990
    }
}
