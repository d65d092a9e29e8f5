public import Cgroups
public import RuntimeSpec

extension CgroupJoin {
    /// What a child needs of a cgroup. The entrance has to stay open until the container has started.
    public init(_ entrance: borrowing CgroupEntrance) {
        self.init(descriptors: entrance.taskFiles, directory: entrance.directory)
    }
}

extension CgroupLimits {
    /// The limits that a document asks for.
    ///
    /// The devices that every container has may always be used, and nodes made, whatever the document denies
    /// (runtime-spec, config-linux.md, "Default Devices").
    /// - Throws: `SpecError` that names the field.
    public init(_ resources: Spec.Linux.Resources) throws(SpecError) {
        self.init()
        if let memory = resources.memory {
            self.memory = Memory(limit: memory.limit, reservation: memory.reservation, swap: memory.swap)
            self.memory.tcp = memory.kernelTCP
            self.memory.checksUsage = memory.checkBeforeUpdate ?? false
            self.memory.swappiness = memory.swappiness
            self.memory.disableOOMKiller = memory.disableOOMKiller
        }
        if let cpu = resources.cpu {
            self.cpu = CPU(shares: cpu.shares, quota: cpu.quota, period: cpu.period)
            self.cpu.burst = cpu.burst
            self.cpu.idle = cpu.idle
            self.cpu.cpus = cpu.cpus
            self.cpu.mems = cpu.mems
            self.cpu.realtimeRuntime = cpu.realtimeRuntime
            self.cpu.realtimePeriod = cpu.realtimePeriod
        }
        pids = resources.pids?.limit
        unified = resources.unified ?? [:]
        if let blockIO = resources.blockIO { self.blockIO = try BlockIO(blockIO) }
        for pages in resources.hugepageLimits ?? [] {
            // Engines write the largest number for "no limit".
            hugePages[pages.pageSize] = Int64(exactly: pages.limit) ?? -1
        }
        for (device, limit) in resources.rdma ?? [:] {
            rdma[device] = RDMA(handles: limit.hcaHandles, objects: limit.hcaObjects)
        }
        networkClass = resources.network?.classID
        for priority in resources.network?.priorities ?? [] { networkPriorities[priority.name] = priority.priority }
        if let rules = resources.devices {
            var devices: [DeviceRule] = []
            for (index, rule) in rules.enumerated() {
                devices.append(try DeviceRule(rule, field: "linux.resources.devices[\(index)]"))
            }
            self.devices = devices + DeviceRule.containerDefault.filter(\.allow)
        }
    }
}

extension CgroupLimits.BlockIO {
    fileprivate init(_ blockIO: Spec.Linux.Resources.BlockIO) throws(SpecError) {
        self.init()
        let field = "linux.resources.blockIO"
        // 0 is docker's way to say nothing.
        weight = blockIO.weight == 0 ? nil : blockIO.weight
        leafWeight = blockIO.leafWeight == 0 ? nil : blockIO.leafWeight
        for (index, device) in (blockIO.weightDevice ?? []).enumerated() {
            let number = try CgroupLimits.BlockDevice("\(field).weightDevice[\(index)]", device.major, device.minor)
            if let weight = device.weight { deviceWeights.append(.init(number, weight)) }
            if let weight = device.leafWeight { deviceLeafWeights.append(.init(number, weight)) }
        }
        readBytes = try Self.throttles(blockIO.throttleReadBpsDevice, "\(field).throttleReadBpsDevice")
        writeBytes = try Self.throttles(blockIO.throttleWriteBpsDevice, "\(field).throttleWriteBpsDevice")
        readOperations = try Self.throttles(blockIO.throttleReadIOPSDevice, "\(field).throttleReadIOPSDevice")
        writeOperations = try Self.throttles(blockIO.throttleWriteIOPSDevice, "\(field).throttleWriteIOPSDevice")
    }

    private static func throttles(
        _ devices: [Spec.Linux.Resources.ThrottleDevice]?, _ field: String
    ) throws(SpecError) -> [CgroupLimits.Throttle] {
        var throttles: [CgroupLimits.Throttle] = []
        for (index, device) in (devices ?? []).enumerated() {
            throttles.append(.init(try .init("\(field)[\(index)]", device.major, device.minor), device.rate))
        }
        return throttles
    }
}

extension CgroupLimits.BlockDevice {
    fileprivate init(_ field: String, _ major: Int64, _ minor: Int64) throws(SpecError) {
        guard let first = UInt32(exactly: major), let second = UInt32(exactly: minor) else {
            throw SpecError(field, "\(major):\(minor) is no device number")
        }
        self.init(major: first, minor: second)
    }
}

extension DeviceRule {
    fileprivate init(_ rule: Spec.Linux.Resources.DeviceRule, field: String) throws(SpecError) {
        guard let kind = Kind(rawValue: rule.type.flatMap { $0.isEmpty ? nil : $0 } ?? "a") else {
            throw SpecError("\(field).type", "unknown type '\(rule.type ?? "")', one of a, b, c")
        }
        if let letters = rule.access, letters.isEmpty {
            throw SpecError("\(field).access", "'' allows and denies nothing")
        }
        var access: Access = rule.access == nil ? .all : []
        for letter in rule.access ?? "" {
            switch letter {
            case "r": access.insert(.read)
            case "w": access.insert(.write)
            case "m": access.insert(.makeNode)
            default: throw SpecError("\(field).access", "'\(rule.access ?? "")' has letters other than r, w, m")
            }
        }
        self.init(
            allow: rule.allow, kind: kind, major: try Self.number(rule.major, "\(field).major"),
            minor: try Self.number(rule.minor, "\(field).minor"), access: access)
    }

    /// Nil for any: missing or -1.
    private static func number(_ number: Int64?, _ field: String) throws(SpecError) -> UInt32? {
        guard let number, number != -1 else { return nil }
        guard let value = UInt32(exactly: number) else { throw SpecError(field, "\(number) is no device number") }
        return value
    }
}
