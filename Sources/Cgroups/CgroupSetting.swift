import SystemPackage

/// One value for one file of a cgroup.
struct CgroupSetting: Hashable {
    /// Nil for what `unified` has of no controller known here.
    var controller: CgroupController?
    var file: String
    var value: String
    /// What to write where when the kernel does not have `file`: block I/O weights depend on the scheduler.
    var fallback: Fallback?

    /// A kernel without the file is fine.
    var optional = false

    struct Fallback: Hashable {
        var file: String
        var value: String
    }

    init(_ controller: CgroupController?, _ file: String, value: String, fallback: Fallback? = nil) {
        self.controller = controller
        self.file = file
        self.value = value
        self.fallback = fallback
    }

    init(_ controller: CgroupController, _ file: String, _ value: some BinaryInteger) {
        self.init(controller, file, value: "\(value)")
    }

    /// An error about this setting that is found before the kernel is asked.
    func refused(_ hint: String, errno: Errno = .invalidArgument) -> CgroupError {
        var error = CgroupError("set \(file)", "", controller: controller, value: value, errno: errno, hint: hint)
        error.file = file
        return error
    }

    /// Checks a weight against the range that both versions have for block I/O.
    static func checkBlockIO(weight: UInt16, _ setting: CgroupSetting) throws(CgroupError) -> CgroupSetting {
        guard (10...1000).contains(weight) else { throw setting.refused("a block I/O weight is 10 to 1000") }
        return setting
    }

    /// Checks an amount of which -1 means no limit.
    static func checkAmount(_ amount: Int64, _ setting: CgroupSetting) throws(CgroupError) -> CgroupSetting {
        guard amount >= -1 else { throw setting.refused("a positive number, or -1 for no limit") }
        return setting
    }
}

extension CgroupLimits {
    /// The controllers that have to be there for these limits.
    var controllers: Set<CgroupController> {
        var needed: Set<CgroupController> = []
        if memory != Memory() { needed.insert(.memory) }
        var time = cpu
        time.cpus = nil
        time.mems = nil
        if time != CPU() { needed.insert(.cpu) }
        if cpu.cpus != nil || cpu.mems != nil { needed.insert(.cpuset) }
        if pids != nil { needed.insert(.pids) }
        if blockIO != BlockIO() { needed.insert(.io) }
        if devices != nil { needed.insert(.devices) }
        if !hugePages.isEmpty { needed.insert(.hugetlb) }
        if !rdma.isEmpty { needed.insert(.rdma) }
        if networkClass != nil { needed.insert(.networkClass) }
        if !networkPriorities.isEmpty { needed.insert(.networkPriority) }
        for file in unified.keys {
            // `memory.high` belongs to memory; `cgroup.max.depth` to none.
            let name = file.prefix { $0 != "." }
            if let controller = CgroupController(rawValue: String(name)) { needed.insert(controller) }
        }
        return needed
    }
}

extension CgroupLimits {
    /// `rdma.max`, which both versions have: one device a write.
    var rdmaSettings: [CgroupSetting] {
        rdma.sorted { $0.key < $1.key }.map { device, limit in
            CgroupSetting(.rdma, "rdma.max", value: "\(device) \(limit.text)")
        }
    }
}

extension Optional where Wrapped: BinaryInteger {
    /// The OCI specification's integers say "not set" with 0 as well as by being left out.
    var nonZero: Wrapped? { self == 0 ? nil : self }
}
