extension Spec.Linux.Resources {
    /// Checks the limits of a container that runs; `Spec.validate()` includes this.
    ///
    /// - Throws: `SpecError` for the first field that is wrong.
    public func validate() throws(SpecError) {
        let field = "linux.resources"
        try memory?.validate("\(field).memory")
        try cpu?.validate("\(field).cpu")
        if let limit = pids?.limit, limit < -1 { throw .noAmount("\(field).pids.limit", limit) }
        try blockIO?.validate("\(field).blockIO")
        for (index, pages) in (hugepageLimits ?? []).enumerated() where !pages.hasPageSize {
            throw SpecError(
                "\(field).hugepageLimits[\(index)].pageSize",
                "'\(pages.pageSize)' is not the size of a page, such as 2MB")
        }
        for (index, priority) in (network?.priorities ?? []).enumerated() {
            try Self.checkName("\(field).network.priorities[\(index)].name", priority.name)
        }
        for (name, limit) in (rdma ?? [:]).sorted(by: { $0.key < $1.key }) {
            try Self.checkName("\(field).rdma.\(name)", name)
            guard limit.hcaHandles != nil || limit.hcaObjects != nil else {
                throw SpecError("\(field).rdma.\(name)", "has neither hcaHandles nor hcaObjects")
            }
        }
        for (file, value) in (unified ?? [:]).sorted(by: { $0.key < $1.key }) {
            try Spec.checkLine("\(field).unified.\(file)", file)
            guard file.contains("."), !file.contains("/") else {
                throw SpecError("\(field).unified.\(file)", "'\(file)' is not the name of a file such as memory.high")
            }
            try Spec.checkText("\(field).unified.\(file)", value)
        }
    }

    /// A name that stands before a value on a line.
    private static func checkName(_ field: String, _ name: String) throws(SpecError) {
        guard !name.isEmpty, !name.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "/") }) else {
            throw SpecError(field, "'\(name)' is no name of a device")
        }
    }
}

extension Spec.Linux.Resources.Memory {
    fileprivate func validate(_ field: String) throws(SpecError) {
        let amounts = [
            ("limit", limit), ("reservation", reservation), ("swap", swap), ("kernel", kernel),
            ("kernelTCP", kernelTCP),
        ]
        for (name, amount) in amounts {
            if let amount, amount < -1 { throw .noAmount("\(field).\(name)", amount) }
        }
        if let limit, let swap, limit > 0, swap > 0, swap < limit {
            throw SpecError(
                "\(field).swap", "\(swap) is memory and swap together, and less than the memory limit \(limit)")
        }
        // Since Linux 5.11; before, it was what everybody was told to want.
        if useHierarchy == false {
            throw SpecError("\(field).useHierarchy", "false: what is below a cgroup always counts")
        }
        if let swappiness, swappiness > 100 { throw SpecError("\(field).swappiness", "\(swappiness) is not 0 to 100") }
    }
}

extension Spec.Linux.Resources.CPU {
    fileprivate func validate(_ field: String) throws(SpecError) {
        // The kernel would take the nearest that it has. runc's words; 0 is how engines in Go leave it out.
        if let shares, shares == 1 {
            throw SpecError("\(field).shares", "\(shares): the minimum allowed cpu-shares is 2")
        }
        if let shares, shares > 262_144 {
            throw SpecError("\(field).shares", "\(shares): the maximum allowed cpu-shares is 262144")
        }
        if let quota, quota < -1 { throw .noAmount("\(field).quota", quota) }
        if let quota, let burst, quota > 0, burst > UInt64(quota) {
            throw SpecError("\(field).burst", "\(burst) is more than the quota \(quota)")
        }
        if let realtimeRuntime, realtimeRuntime < -1 { throw .noAmount("\(field).realtimeRuntime", realtimeRuntime) }
        if let idle, idle != 0, idle != 1 { throw SpecError("\(field).idle", "\(idle) is neither 0 nor 1") }
        try Spec.checkLine("\(field).cpus", cpus)
        try Spec.checkLine("\(field).mems", mems)
    }
}

extension Spec.Linux.Resources.BlockIO {
    fileprivate func validate(_ field: String) throws(SpecError) {
        try Self.check("\(field).weight", weight)
        try Self.check("\(field).leafWeight", leafWeight)
        for (index, device) in (weightDevice ?? []).enumerated() {
            let place = "\(field).weightDevice[\(index)]"
            guard device.weight != nil || device.leafWeight != nil else {
                throw SpecError(place, "has neither weight nor leafWeight")
            }
            try Self.check("\(place).weight", device.weight)
            try Self.check("\(place).leafWeight", device.leafWeight)
        }
    }

    /// 0 is docker's way to say nothing.
    private static func check(_ field: String, _ weight: UInt16?) throws(SpecError) {
        guard let weight, weight != 0, !(10...1000).contains(weight) else { return }
        throw SpecError(field, "\(weight) is no weight: 10 to 1000")
    }
}

extension Spec.Linux.Resources.HugepageLimit {
    /// Whether it is the kernel's way to write one: `64KB`, `2MB`, `1GB`.
    fileprivate var hasPageSize: Bool {
        let digits = pageSize.utf8.dropLast(2)
        return ["KB", "MB", "GB"].contains(pageSize.suffix(2)) && !digits.isEmpty && digits.first != UInt8(ascii: "0")
            && digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}

extension SpecError {
    fileprivate static func noAmount(_ field: String, _ number: Int64) -> SpecError {
        SpecError(field, "\(number) is less than -1, which is no limit")
    }
}
