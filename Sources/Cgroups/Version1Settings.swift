import SystemPackage

extension CgroupLimits {
    /// The files and values of cgroup v1 (Documentation/admin-guide/cgroup-v1), without the devices' rules.
    func version1Settings() throws(CgroupError) -> [CgroupSetting] {
        var settings: [CgroupSetting] = []
        try addVersion1Memory(to: &settings)
        addVersion1CPU(to: &settings)
        if let pids {
            settings.append(try pidsSetting(pids))
        }
        try addVersion1BlockIO(to: &settings)
        for (size, limit) in hugePages.sorted(by: { $0.key < $1.key }) {
            for setting in hugePages(size, "limit_in_bytes", value: "\(limit)") {
                settings.append(try CgroupSetting.checkAmount(limit, setting))
            }
        }
        settings += rdmaSettings
        if let networkClass { settings.append(CgroupSetting(.networkClass, "net_cls.classid", networkClass)) }
        for (interface, priority) in networkPriorities.sorted(by: { $0.key < $1.key }) {
            settings.append(CgroupSetting(.networkPriority, "net_prio.ifpriomap", value: "\(interface) \(priority)"))
        }
        if let file = unified.keys.sorted().first {
            throw CgroupSetting(.memory, file, value: unified[file] ?? "")
                .refused("invalid configuration: files of cgroup v2 cannot be set on cgroup v1", errno: .notSupported)
        }
        return settings
    }

    private func addVersion1Memory(to settings: inout [CgroupSetting]) throws(CgroupError) {
        let limit = memory.limit.nonZero
        let swap = memory.swap.nonZero
        if let limit {
            settings.append(
                try CgroupSetting.checkAmount(limit, CgroupSetting(.memory, "memory.limit_in_bytes", limit)))
        }
        if let swap {
            let setting = CgroupSetting(.memory, "memory.memsw.limit_in_bytes", swap)
            settings.append(try CgroupSetting.checkAmount(swap, setting))
            if let limit, limit > 0, swap >= 0, swap < limit {
                throw setting.refused("memory and swap together cannot be less than the memory limit \(limit)")
            }
        } else if limit == -1 {
            // Memory alone may never be allowed more than memory and swap together, so both are lifted.
            var setting = CgroupSetting(.memory, "memory.memsw.limit_in_bytes", -1)
            setting.optional = true
            settings.append(setting)
        }
        if let reservation = memory.reservation.nonZero {
            settings.append(
                try CgroupSetting.checkAmount(
                    reservation, CgroupSetting(.memory, "memory.soft_limit_in_bytes", reservation)))
        }
        if let tcp = memory.tcp.nonZero {
            settings.append(
                try CgroupSetting.checkAmount(tcp, CgroupSetting(.memory, "memory.kmem.tcp.limit_in_bytes", tcp)))
        }
        if let swappiness = memory.swappiness {
            settings.append(CgroupSetting(.memory, "memory.swappiness", swappiness))
        }
        if let disable = memory.disableOOMKiller {
            settings.append(CgroupSetting(.memory, "memory.oom_control", disable ? 1 : 0))
        }
    }

    private func addVersion1CPU(to settings: inout [CgroupSetting]) {
        if let shares = cpu.shares.nonZero { settings.append(CgroupSetting(.cpu, "cpu.shares", shares)) }
        if let period = cpu.period.nonZero {
            settings.append(CgroupSetting(.cpu, "cpu.cfs_period_us", period))
        }
        if let quota = cpu.quota.nonZero { settings.append(CgroupSetting(.cpu, "cpu.cfs_quota_us", quota)) }
        if let period = cpu.realtimePeriod.nonZero { settings.append(CgroupSetting(.cpu, "cpu.rt_period_us", period)) }
        if let runtime = cpu.realtimeRuntime.nonZero {
            settings.append(CgroupSetting(.cpu, "cpu.rt_runtime_us", runtime))
        }
        if let burst = cpu.burst { settings.append(CgroupSetting(.cpu, "cpu.cfs_burst_us", burst)) }
        if let idle = cpu.idle { settings.append(CgroupSetting(.cpu, "cpu.idle", idle)) }
        if let cpus = cpu.cpus { settings.append(CgroupSetting(.cpuset, "cpuset.cpus", value: cpus)) }
        if let mems = cpu.mems { settings.append(CgroupSetting(.cpuset, "cpuset.mems", value: mems)) }
    }

    private func addVersion1BlockIO(to settings: inout [CgroupSetting]) throws(CgroupError) {
        if let weight = blockIO.weight {
            let setting = CgroupSetting(
                .io, "blkio.weight", value: "\(weight)", fallback: .init(file: "blkio.bfq.weight", value: "\(weight)"))
            settings.append(try CgroupSetting.checkBlockIO(weight: weight, setting))
        }
        if let weight = blockIO.leafWeight { settings.append(CgroupSetting(.io, "blkio.leaf_weight", weight)) }
        for item in blockIO.deviceLeafWeights {
            settings.append(CgroupSetting(.io, "blkio.leaf_weight_device", value: "\(item.device) \(item.weight)"))
        }
        for item in blockIO.deviceWeights {
            let value = "\(item.device) \(item.weight)"
            let setting = CgroupSetting(
                .io, "blkio.weight_device", value: value,
                fallback: .init(file: "blkio.bfq.weight_device", value: value))
            settings.append(try CgroupSetting.checkBlockIO(weight: item.weight, setting))
        }
        let throttles = [
            ("read_bps", blockIO.readBytes), ("write_bps", blockIO.writeBytes),
            ("read_iops", blockIO.readOperations), ("write_iops", blockIO.writeOperations),
        ]
        for (name, items) in throttles {
            for item in items {
                settings.append(
                    CgroupSetting(.io, "blkio.throttle.\(name)_device", value: "\(item.device) \(item.rate)"))
            }
        }
    }

    /// The limit of what is in use, and the one of what is promised, which kernels since 5.7 have: a program is refused
    /// pages when it asks for them, and not killed when it uses them.
    func hugePages(_ size: String, _ file: String, value: String) -> [CgroupSetting] {
        var reserved = CgroupSetting(.hugetlb, "hugetlb.\(size).rsvd.\(file)", value: value)
        reserved.optional = true
        return [CgroupSetting(.hugetlb, "hugetlb.\(size).\(file)", value: value), reserved]
    }

    /// `pids.max`, which both versions have. No limit is `max`. 0 is 1, as for runc since 1.4: the first process comes in all the
    /// same, and systemd takes no 0.
    func pidsSetting(_ limit: Int64) throws(CgroupError) -> CgroupSetting {
        let setting = CgroupSetting(.pids, "pids.max", value: limit == -1 ? "max" : limit == 0 ? "1" : "\(limit)")
        return try CgroupSetting.checkAmount(limit, setting)
    }
}
