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
        // 0 is no class, as for runc: what a new cgroup has anyway, and what a kernel without classes has too.
        if let network = resources.network?.classID, network != 0 { networkClass = network }
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
        let access = rule.access.map { Access(letters: $0) } ?? .all
        guard access != [] else {
            throw SpecError(
                "\(field).access", "'\(rule.access ?? "")' allows and denies nothing: it has none of r, w, m")
        }
        self.init(
            allow: rule.allow, kind: kind, major: try Self.number(rule.major, "\(field).major"),
            minor: try Self.number(rule.minor, "\(field).minor"), access: access)
    }

    /// Letters that mean nothing are left out, as with runc. Those that do are in the rule.
    static func warnings(_ rules: [Spec.Linux.Resources.DeviceRule]?) -> [String] {
        (rules ?? []).enumerated().compactMap { index, rule in
            guard let text = rule.access, Access(letters: text) != [],
                text.utf8.contains(where: { !"rwm".utf8.contains($0) })
            else { return nil }
            return "linux.resources.devices[\(index)].access: '\(text)' has letters besides r, w, m: left out"
        }
    }

    /// Nil for any: missing or -1.
    private static func number(_ number: Int64?, _ field: String) throws(SpecError) -> UInt32? {
        guard let number, number != -1 else { return nil }
        guard let value = UInt32(exactly: number) else { throw SpecError(field, "\(number) is no device number") }
        return value
    }
}

extension DeviceRule.Access {
    fileprivate init(letters: String) {
        self = []
        if letters.utf8.contains(UInt8(ascii: "r")) { insert(.read) }
        if letters.utf8.contains(UInt8(ascii: "w")) { insert(.write) }
        if letters.utf8.contains(UInt8(ascii: "m")) { insert(.makeNode) }
    }
}
