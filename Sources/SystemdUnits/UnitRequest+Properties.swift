import Cgroups
import RuntimeSpec

extension UnitRequest {
    /// Whether processes can be put into the unit: a slice has none of its own.
    var isScope: Bool { unit.hasSuffix(".scope") }

    /// What a new unit is told.
    ///
    /// - Parameters:
    ///   - process: Whoever is its first process, as systemd's pid namespace numbers it.
    ///   - version: systemd's, for example 252: older ones refuse what they do not know.
    /// - Throws: `UnitError` that names the annotation or the field.
    public func startProperties(
        process: UInt32, version: Int, devices: some DeviceNames
    ) throws(UnitError) -> [UnitProperty] {
        var properties = [UnitProperty("Description", .string(description))]
        if isScope {
            properties += [
                UnitProperty("Slice", .string(slice)),
                // systemd leaves what is in the cgroup alone, and makes all of its controllers.
                UnitProperty("Delegate", .boolean(true)),
                UnitProperty("PIDs", .array(signature: "u", [.uint32(process)])),
            ]
        } else {
            properties.append(UnitProperty("Wants", .strings([slice])))
        }
        properties += [
            UnitProperty("MemoryAccounting", .boolean(true)), UnitProperty("CPUAccounting", .boolean(true)),
            UnitProperty(isUnified ? "IOAccounting" : "BlockIOAccounting", .boolean(true)),
            UnitProperty("TasksAccounting", .boolean(true)),
            // It is stopped with the container and not with sysinit.target.
            UnitProperty("DefaultDependencies", .boolean(false)),
        ]
        // One that has failed, by its processes' fault or for want of any, keeps no name that another container may have.
        if version >= 236 { properties.append(UnitProperty("CollectMode", .string("inactive-or-failed"))) }
        if let rules = resources?.devices { properties += UnitDevices(rules, names: devices).properties }
        properties += try limitProperties(version: version)
        return properties + (try annotationProperties())
    }

    /// The limits, as systemd has to know them: it writes them again when it reads its files again.
    public func limitProperties(version: Int) throws(UnitError) -> [UnitProperty] {
        guard let resources else { return [] }
        var properties: [UnitProperty] = []
        if let memory = resources.memory { properties += memoryProperties(memory) }
        if let cpu = resources.cpu {
            properties += cpuProperties(cpu, version)
            if isUnified, version >= 244 {
                for (name, field, list) in [
                    ("AllowedCPUs", "cpus", cpu.cpus), ("AllowedMemoryNodes", "mems", cpu.mems),
                ] where !(list ?? "").isEmpty {
                    guard let bits = Self.bits(list ?? "") else {
                        throw UnitError("linux.resources.cpu.\(field): '\(list ?? "")' is not a list such as 0-3,7")
                    }
                    properties.append(UnitProperty(name, bits))
                }
            }
        }
        // Between them the curve of systemd's own; and 0 is docker's way to say nothing.
        if let weight = resources.blockIO?.weight, weight != 0 {
            properties.append(
                isUnified
                    ? UnitProperty("IOWeight", .uint64(CgroupWeight.ioWeight(blockIO: weight)))
                    : UnitProperty("BlockIOWeight", .uint64(UInt64(weight))))
        }
        if let limit = resources.pids?.limit {
            // systemd takes no 0; pids.max is the same.
            properties.append(UnitProperty("TasksMax", .uint64(limit == 0 ? 1 : UInt64(exactly: limit) ?? .max)))
        }
        if isUnified {
            for (file, value) in (resources.unified ?? [:]).sorted(by: { $0.key < $1.key }) {
                properties += try unifiedProperties(file, value, version)
            }
        }
        return properties
    }

    /// What the document's author asks of systemd directly.
    func annotationProperties() throws(UnitError) -> [UnitProperty] {
        var properties: [UnitProperty] = []
        for (key, text) in annotations.sorted(by: { $0.key < $1.key }) {
            var name = String(key.dropFirst(Self.annotationPrefix.count))
            let letters = name.unicodeScalars.allSatisfy { $0.isASCII && $0.properties.isAlphabetic }
            guard letters, name.utf8.count >= 3 else {
                throw UnitError("annotations.\(key): '\(name)' is not the name of a property")
            }
            var value: UnitValue
            do throws(UnitError) {
                value = try VariantText.value(text)
                // As in unit files: TimeoutStopSec is what the bus knows as TimeoutStopUSec, in microseconds.
                if name.hasSuffix("Sec"), name.dropLast(3).last?.isLowercase == true {
                    value = try Self.microseconds(value)
                    name = name.dropLast(3) + "USec"
                }
            } catch {
                throw UnitError("annotations.\(key): \(error)")
            }
            properties.append(UnitProperty(name, value))
        }
        return properties
    }

    private static func microseconds(_ value: UnitValue) throws(UnitError) -> UnitValue {
        let seconds: Double? =
            switch value {
            case .int16(let number): Double(number)
            case .uint16(let number): Double(number)
            case .int32(let number): Double(number)
            case .uint32(let number): Double(number)
            case .int64(let number): Double(number)
            case .uint64(let number): Double(number)
            case .double(let number): number
            default: nil
            }
        guard let seconds, seconds >= 0, seconds < 1e12 else { throw UnitError("not a number of seconds") }
        return .uint64(UInt64(seconds * 1e6))
    }

    /// Bytes, of which -1 is no limit, which is systemd's largest number.
    private static func amount(_ number: Int64) -> UnitValue { .uint64(UInt64(exactly: number) ?? .max) }

    private func memoryProperties(_ memory: Spec.Linux.Resources.Memory) -> [UnitProperty] {
        var properties: [UnitProperty] = []
        if let limit = memory.limit, limit != 0 {
            properties.append(UnitProperty(isUnified ? "MemoryMax" : "MemoryLimit", Self.amount(limit)))
        }
        guard isUnified else { return properties }
        if let reservation = memory.reservation, reservation != 0 {
            properties.append(UnitProperty("MemoryLow", Self.amount(reservation)))
        }
        // The specification counts memory and swap together. What cannot be is refused where the cgroup is written.
        if let swap = memory.swap, swap != 0 {
            if swap < 0 {
                properties.append(UnitProperty("MemorySwapMax", .uint64(.max)))
            } else if let limit = memory.limit, limit > 0, swap >= limit {
                properties.append(UnitProperty("MemorySwapMax", .uint64(UInt64(swap - limit))))
            }
        }
        return properties
    }

    private func cpuProperties(_ cpu: Spec.Linux.Resources.CPU, _ version: Int) -> [UnitProperty] {
        var properties: [UnitProperty] = []
        if isUnified, cpu.idle == 1 {
            // A weight of 0 is how systemd says it.
            if version >= 252 { properties.append(UnitProperty("CPUWeight", .uint64(0))) }
        } else if let shares = cpu.shares, shares != 0 {
            properties.append(
                isUnified
                    ? UnitProperty("CPUWeight", .uint64(CgroupWeight.cpuWeight(shares: shares)))
                    : UnitProperty("CPUShares", .uint64(shares)))
        }
        return properties + Self.quota(cpu.quota ?? 0, period: cpu.period ?? 0, version)
    }

    /// systemd counts microseconds in each second, in steps of a hundredth of a processor.
    private static func quota(_ quota: Int64, period: UInt64, _ version: Int) -> [UnitProperty] {
        var properties: [UnitProperty] = []
        if period != 0, version >= 242 { properties.append(UnitProperty("CPUQuotaPeriodUSec", .uint64(period))) }
        guard quota != 0 || period != 0 else { return properties }
        var share = UInt64.max
        if quota > 0 {
            let (product, overflow) = UInt64(quota).multipliedReportingOverflow(by: 1_000_000)
            let exact = overflow ? UInt64.max : product / (period == 0 ? 100_000 : period)
            let (up, wraps) = exact.addingReportingOverflow(9_999)
            share = wraps ? .max : up / 10_000 * 10_000
        }
        properties.append(UnitProperty("CPUQuotaPerSecUSec", .uint64(share)))
        return properties
    }

    /// A list of numbers as bytes of bits, the lowest first. Nil for what is no such list.
    private static func bits(_ list: String) -> UnitValue? {
        var bytes: [UInt8] = []
        for part in list.split(separator: ",") {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0.filter { $0 != " " }) }
            guard let first = ends[0], ends.count <= 2, let last = ends.count == 2 ? ends[1] : first,
                first >= 0, first <= last, last < 65_536
            else { return nil }
            while bytes.count <= last / 8 { bytes.append(0) }
            for number in first...last { bytes[number / 8] |= 1 << (number % 8) }
        }
        return bytes.isEmpty ? nil : .array(signature: "y", bytes.map { .byte($0) })
    }

    /// A file of cgroup v2. Those that systemd has no property for are written by the runtime alone.
    private func unifiedProperties(
        _ file: String, _ value: String, _ version: Int
    ) throws(UnitError) -> [UnitProperty] {
        func number(_ text: some StringProtocol) throws(UnitError) -> UInt64 {
            if text == "max" { return .max }
            guard let number = UInt64(text) else {
                throw UnitError("linux.resources.unified: '\(value)' for \(file) is no number and not max")
            }
            return number
        }
        let names = [
            "memory.high": "MemoryHigh", "memory.low": "MemoryLow", "memory.min": "MemoryMin",
            "memory.max": "MemoryMax", "memory.swap.max": "MemorySwapMax", "pids.max": "TasksMax",
            "cpu.weight": "CPUWeight",
        ]
        if let name = names[file] { return [UnitProperty(name, .uint64(try number(value)))] }
        switch file {
        case "cpu.idle": return value == "1" && version >= 252 ? [UnitProperty("CPUWeight", .uint64(0))] : []
        case "cpu.max":
            let words = value.split(separator: " ")
            guard let first = words.first, words.count <= 2 else {
                throw UnitError("linux.resources.unified: '\(value)' for cpu.max is not QUOTA PERIOD")
            }
            let period = words.count == 2 ? try number(words[1]) : 0
            let quota = first == "max" ? -1 : Int64(clamping: try number(first))
            return Self.quota(quota, period: period, version)
        case "cpuset.cpus", "cpuset.mems":
            guard version >= 244 else { return [] }
            guard let bits = Self.bits(value) else {
                throw UnitError("linux.resources.unified: '\(value)' for \(file) is not a list such as 0-3,7")
            }
            return [UnitProperty(file == "cpuset.cpus" ? "AllowedCPUs" : "AllowedMemoryNodes", bits)]
        default: return []
        }
    }
}
