import RuntimeSpec

/// How a container's process is scheduled: what the kernel is told, in its own numbers.
struct SchedulingStep: Hashable, Sendable {
    var scheduler: Scheduler?
    /// Class and priority as `ioprio_set(2)` takes them.
    var ioPriority: Int32?
    var memoryPolicy: MemoryPolicy?
    /// Processors before and after the cgroup is joined; empty for those that it has anyway.
    var initialProcessors = NumberSet()
    var finalProcessors = NumberSet()
    /// Whether it may use every processor of its cgroup, now and later: who pins an engine to some does not mean to pin
    /// what it starts.
    var usesEveryProcessor = true

    /// `struct sched_attr` of sched_setattr(2).
    struct Scheduler: Hashable, Sendable {
        var policy: UInt32
        var flags: UInt64
        var nice: Int32
        var priority: UInt32
        var runtime: UInt64
        var deadline: UInt64
        var period: UInt64

        var isDeadline: Bool { policy == 6 }
    }

    struct MemoryPolicy: Hashable, Sendable {
        /// With its flags.
        var mode: Int32
        var nodes: NumberSet

        /// What the kernel means with EINVAL for a mode that is younger than it.
        var requirement: String? {
            // The mode without its flags.
            switch mode & 0xff {
            case 5: " (MPOL_PREFERRED_MANY needs Linux 5.15)"
            case 6: " (MPOL_WEIGHTED_INTERLEAVE needs Linux 6.9)"
            default: nil
            }
        }
    }

    /// - Throws: `SpecError` that names the field.
    init(_ process: Spec.Process, memoryPolicy policy: Spec.Linux.MemoryPolicy?) throws(SpecError) {
        scheduler = try process.scheduler.map { scheduler throws(SpecError) in try Scheduler(scheduler) }
        ioPriority = try process.ioPriority.map { priority throws(SpecError) in try Self.number(priority) }
        memoryPolicy = try policy.map { policy throws(SpecError) in try MemoryPolicy(policy) }
    }

    /// Those that a further process of a container is given.
    mutating func setProcessors(_ affinity: Spec.ExecCPUAffinity?) throws(SpecError) {
        initialProcessors = try NumberSet(affinity?.initial ?? "", field: "process.execCPUAffinity.initial")
        finalProcessors = try NumberSet(affinity?.final ?? "", field: "process.execCPUAffinity.final")
        usesEveryProcessor = initialProcessors.isEmpty && finalProcessors.isEmpty
    }

    private static func number(_ priority: Spec.IOPriority) throws(SpecError) -> Int32 {
        let classes: [String: Int32] = ["IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3]
        guard let number = classes[priority.class] else {
            throw .unknown("process.ioPriority.class", priority.class, classes.keys)
        }
        let level = priority.priority ?? 0
        guard (0...7).contains(level) else { throw SpecError("process.ioPriority.priority", "\(level) is not 0 to 7") }
        // IOPRIO_PRIO_VALUE of linux/ioprio.h.
        return number << 13 | Int32(level)
    }
}

extension SchedulingStep.Scheduler {
    /// The numbers of linux/sched.h.
    private static let policies: [String: UInt32] = [
        "SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3, "SCHED_ISO": 4, "SCHED_IDLE": 5,
        "SCHED_DEADLINE": 6,
    ]

    private static let flags: [String: UInt64] = [
        "SCHED_FLAG_RESET_ON_FORK": 0x01, "SCHED_FLAG_RECLAIM": 0x02, "SCHED_FLAG_DL_OVERRUN": 0x04,
        "SCHED_FLAG_KEEP_POLICY": 0x08, "SCHED_FLAG_KEEP_PARAMS": 0x10, "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
        "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
    ]

    fileprivate init(_ scheduler: Spec.Scheduler) throws(SpecError) {
        let field = "process.scheduler"
        guard let policy = Self.policies[scheduler.policy] else {
            throw .unknown("\(field).policy", scheduler.policy, Self.policies.keys)
        }
        self.policy = policy
        flags = 0
        for (index, name) in (scheduler.flags ?? []).enumerated() {
            guard let flag = Self.flags[name] else { throw .unknown("\(field).flags[\(index)]", name, Self.flags.keys) }
            flags |= flag
        }
        nice = scheduler.nice ?? 0
        guard (-20...19).contains(nice) else { throw SpecError("\(field).nice", "\(nice) is not -20 to 19") }
        let level = scheduler.priority ?? 0
        guard level == 0 || ["SCHED_FIFO", "SCHED_RR"].contains(scheduler.policy) else {
            throw SpecError("\(field).priority", "\(level) has a meaning for SCHED_FIFO and SCHED_RR only")
        }
        guard (0...99).contains(level) else { throw SpecError("\(field).priority", "\(level) is not 0 to 99") }
        // sched(7): the realtime policies have no 0.
        guard level > 0 || !["SCHED_FIFO", "SCHED_RR"].contains(scheduler.policy) else {
            throw SpecError("\(field).priority", "0 is not 1 to 99, as \(scheduler.policy) needs")
        }
        priority = UInt32(level)
        (runtime, deadline, period) = (scheduler.runtime ?? 0, scheduler.deadline ?? 0, scheduler.period ?? 0)
        if scheduler.policy != "SCHED_DEADLINE" {
            for (name, value) in [("runtime", runtime), ("deadline", deadline), ("period", period)] where value != 0 {
                throw SpecError("\(field).\(name)", "\(value) has a meaning for SCHED_DEADLINE only")
            }
        } else {
            try Self.checkDeadline(scheduler)
        }
    }

    /// What the kernel answers with EINVAL alone (sched(7), "SCHED_DEADLINE"), in crun's words, which say most.
    private static func checkDeadline(_ scheduler: Spec.Scheduler) throws(SpecError) {
        func refuse(_ name: String, _ reason: String) -> SpecError {
            SpecError("process.scheduler.\(name)", "sched_setattr: `SCHED_DEADLINE` \(reason)")
        }
        guard let runtime = scheduler.runtime else { throw refuse("runtime", "requires `runtime`") }
        guard let deadline = scheduler.deadline else { throw refuse("deadline", "requires `deadline`") }
        // A period of 0 is the deadline.
        let period = scheduler.period ?? 0
        for (name, value) in [("runtime", runtime), ("deadline", deadline)] where value == 0 {
            throw refuse(name, "\(name) must be greater than 0")
        }
        guard runtime <= deadline else {
            throw refuse("runtime", "runtime (\(runtime)) must be <= deadline (\(deadline))")
        }
        guard period == 0 || deadline <= period else {
            throw refuse("deadline", "deadline (\(deadline)) must be <= period (\(period))")
        }
        let limits = UInt64(1024)...UInt64(Int64.max)
        for (name, value) in [("runtime", runtime), ("deadline", deadline), ("period", period)]
        where value != 0 && !limits.contains(value) {
            throw refuse(name, "\(name) (\(value)) must be between \(limits.lowerBound) and \(limits.upperBound)")
        }
    }
}

extension SchedulingStep.MemoryPolicy {
    /// The numbers of linux/mempolicy.h.
    fileprivate static let modes: [String: Int32] = [
        "MPOL_DEFAULT": 0, "MPOL_PREFERRED": 1, "MPOL_BIND": 2, "MPOL_INTERLEAVE": 3, "MPOL_LOCAL": 4,
        "MPOL_PREFERRED_MANY": 5, "MPOL_WEIGHTED_INTERLEAVE": 6,
    ]

    fileprivate static let flags: [String: Int32] = [
        "MPOL_F_STATIC_NODES": 1 << 15, "MPOL_F_RELATIVE_NODES": 1 << 14, "MPOL_F_NUMA_BALANCING": 1 << 13,
    ]

    fileprivate init(_ policy: Spec.Linux.MemoryPolicy) throws(SpecError) {
        let field = "linux.memoryPolicy"
        // Where there are words of runc's for what is wrong, they are used: people search for them.
        let name = policy.mode
        guard let number = Self.modes[name] else {
            throw .unknown("\(field).mode", name, Self.modes.keys, kind: "invalid memory policy mode")
        }
        mode = number
        for (index, name) in (policy.flags ?? []).enumerated() {
            guard let flag = Self.flags[name] else {
                throw .unknown("\(field).flags[\(index)]", name, Self.flags.keys, kind: "invalid memory policy flag")
            }
            mode |= flag
        }
        if Set(policy.flags ?? []).isSuperset(of: ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]) {
            throw SpecError("\(field).flags", "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other")
        }
        do throws(SpecError) {
            nodes = try NumberSet(policy.nodes ?? "", field: "\(field).nodes")
        } catch {
            throw SpecError(error.field, "invalid memory policy nodes: \(error.reason)")
        }
        switch name {
        case "MPOL_DEFAULT", "MPOL_LOCAL":
            guard nodes.isEmpty else {
                throw SpecError("\(field).nodes", "\(name) has none: the mode requires 0 nodes but got \(nodes.count)")
            }
        // The kernel takes it without for "the local one".
        case "MPOL_PREFERRED": break
        default:
            guard !nodes.isEmpty else {
                throw SpecError("\(field).nodes", "missing: \(name) needs some")
            }
        }
    }
}

/// The names of memory policies that this runtime understands.
public enum MemoryPolicyNames {
    public static let modes = SchedulingStep.MemoryPolicy.modes.keys.sorted()
    public static let flags = SchedulingStep.MemoryPolicy.flags.keys.sorted()
}

/// Small numbers as the kernel takes sets of processors and of memory nodes: bits of words.
struct NumberSet: Hashable, Sendable {
    private(set) var words: [UInt64] = []

    var isEmpty: Bool { words.isEmpty }
    var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

    init() {}

    /// - Parameter text: A list such as `0-2,7` (cpuset(7), "List format"); nothing for none.
    /// - Throws: `SpecError` for anything else.
    init(_ text: String, field: String) throws(SpecError) {
        guard !text.isEmpty else { return }
        for range in try Spec.numbers(in: text, field) {
            while words.count <= range.upperBound / 64 { words.append(0) }
            for number in range { words[number / 64] |= 1 << UInt64(number % 64) }
        }
    }
}

extension NumberSet: CustomStringConvertible {
    /// The bits as one hexadecimal number, as taskset(1) shows them.
    var description: String {
        let digits = words.reversed().map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.utf8.count) + text
        }
        let number = digits.joined().drop { $0 == "0" }
        return "0x\(number.isEmpty ? "0" : number)"
    }
}

extension SpecError {
    fileprivate static func unknown(
        _ field: String, _ name: String, _ known: some Collection<String>, kind: String = "unknown name"
    ) -> SpecError {
        SpecError(field, "\(kind) '\(name)', one of \(known.sorted().joined(separator: ", "))")
    }
}
