import CLinux
import Cgroups
import CommandSupport
import ContainerRuntime
import JSONCoding
import LinuxSystem
import RuntimeSpec

extension SwrunCommands {
    static let kill = Command<OCIRuntime>(
        "kill", "[OPTION…] ID [SIGNAL]", summary: "send a signal to a container (TERM)",
        examples: ["swrun kill web KILL"],
        grammar: FlagGrammar([
            .init("all", short: "a", help: "to all of its processes"),
            .init("regex", short: "r", help: "ID is a regular expression (regex(7), extended); to all that match"),
        ])
    ) { invocation in
        try invocation.require(1...2, "a container ID and perhaps a signal")
        // An empty one is none, as with runc.
        let name = invocation.arguments.dropFirst().first { !$0.isEmpty } ?? "TERM"
        guard let signal = SignalName.number(of: name) else { throw CommandFailure("unknown signal \"\(name)\"") }
        let (runtime, all) = (invocation.context, invocation.flags.isOn("all"))
        try forEach(invocation, invocation.arguments[0]) { try runtime.kill($0, signal: signal, all: all) }
        return .success
    }

    static let delete = Command<OCIRuntime>(
        "delete", "[OPTION…] ID", summary: "remove a container that has stopped",
        grammar: FlagGrammar([
            .init("force", short: "f", help: "kill it first if it runs"),
            .init("regex", short: "r", help: "ID is a regular expression (regex(7), extended); removes all that match"),
        ])
    ) { invocation in
        let (runtime, force) = (invocation.context, invocation.flags.isOn("force"))
        try forEach(invocation, try invocation.identifier) { try runtime.delete($0, force: force) }
        return .success
    }

    /// Does something with a container, or with all whose names match (`--regex`).
    private static func forEach(
        _ invocation: Invocation<OCIRuntime>, _ name: String, _ body: (String) throws -> Void
    ) throws {
        guard invocation.flags.isOn("regex") else { return try body(name) }
        let pattern = try RegularExpression(name)
        var failure: (any Error)?
        for name in try invocation.context.store.identifiers() where pattern.matches(name) {
            do { try body(name) } catch { failure = failure ?? error }
        }
        // It is done with the others all the same.
        if let failure { throw failure }
    }

    static let pause = Command<OCIRuntime>("pause", "ID", summary: "stop all processes until resume") { invocation in
        try invocation.context.pause(try invocation.identifier)
        return .success
    }

    static let resume = Command<OCIRuntime>("resume", "ID", summary: "let a paused container go on") { invocation in
        try invocation.context.resume(try invocation.identifier)
        return .success
    }

    static let update = Command<OCIRuntime>(
        "update", "[OPTION…] ID", summary: "change a container's limits",
        examples: ["swrun update --memory 67108864 web", "swrun update --resources - web <limits.json"],
        grammar: FlagGrammar([
            .init("resources", short: "r", value: "FILE", help: "linux.resources as JSON; - is standard input"),
            .init("memory", value: "BYTES", help: "memory, also 64m or 1g; -1 is no limit"),
            .init("memory-reservation", value: "BYTES", help: "what the kernel tries to leave"),
            .init("memory-swap", value: "BYTES", help: "memory and swap together; -1 is no limit"),
            .init("cpu-share", value: "N", help: "the weight against others, 1024 being everybody's"),
            .init("cpu-quota", value: "USEC", help: "processor time in each period"),
            .init("cpu-period", value: "USEC", help: "the period"),
            .init("cpu-burst", value: "USEC", help: "unused time that may be saved up"),
            .init("cpu-idle", value: "N", help: "1: only when nothing else runs"),
            .init("cpu-rt-period", value: "USEC", help: "the period of realtime processes, v1 only"),
            .init("cpu-rt-runtime", value: "USEC", help: "their time in each, v1 only"),
            .init("cpuset-cpus", value: "LIST", help: "the processors to use"),
            .init("cpuset-mems", value: "LIST", help: "the memory nodes to use"),
            .init("pids-limit", value: "N", help: "the most tasks; -1 is no limit"),
            .init("blkio-weight", value: "N", help: "the weight of block input and output, 10 to 1000"),
            .init("l3-cache-schema", value: "LINE", help: "the share of the L3 caches (resctrl), such as L3:0=f"),
            .init("mem-bw-schema", value: "LINE", help: "the share of the memory's bandwidth, such as MB:0=20"),
            .init("kernel-memory", value: "BYTES", help: ""),
            .init("kernel-memory-tcp", value: "BYTES", help: "memory of TCP's buffers, v1 only"),
        ])
    ) { invocation in
        let ignored = knowsKernelMemory ? ["kernel-memory"] : ["kernel-memory", "kernel-memory-tcp"]
        for flag in ignored where invocation.given(flag) != nil {
            invocation.context.warn("--\(flag) is ignored, as by runc: kernels have no such limit any more")
        }
        var control = Spec.Linux.IntelRDT()
        control.l3CacheSchema = invocation.given("l3-cache-schema")
        control.memBwSchema = invocation.given("mem-bw-schema")
        try invocation.context.update(
            try invocation.identifier, try resources(invocation), control == Spec.Linux.IntelRDT() ? nil : control)
        return .success
    }

    /// Of what is the kernel's own, version 1 still limits the buffers of TCP.
    private static var knowsKernelMemory: Bool { (try? CgroupRoot.find())?.mode != .unified }

    private static func resources(_ invocation: Invocation<OCIRuntime>) throws -> Spec.Linux.Resources {
        if let path = invocation.given("resources") {
            let bytes = try contents(of: path == "-" ? "/proc/self/fd/0" : path, limit: 1 << 20)
            do {
                return try Spec.Linux.Resources(json: bytes)
            } catch {
                throw CommandFailure("\(path == "-" ? "standard input" : path): \(error)")
            }
        }
        func number<Number: FixedWidthInteger>(_ flag: String, _ type: Number.Type) throws -> Number? {
            guard let text = invocation.given(flag) else { return nil }
            guard let number = Number(text) else { throw invocation.misuse("invalid value '\(text)' for --\(flag)") }
            return number
        }
        func bytes(_ flag: String) throws -> Int64? {
            guard let text = invocation.given(flag) else { return nil }
            guard let bytes = Int64(bytes: text) else {
                throw invocation.misuse("invalid value '\(text)' for --\(flag)")
            }
            return bytes
        }
        var memory = Spec.Linux.Resources.Memory(
            limit: try bytes("memory"), reservation: try bytes("memory-reservation"), swap: try bytes("memory-swap"))
        if knowsKernelMemory { memory.kernelTCP = try bytes("kernel-memory-tcp") }
        var cpu = Spec.Linux.Resources.CPU(
            shares: try number("cpu-share", UInt64.self), quota: try number("cpu-quota", Int64.self),
            period: try number("cpu-period", UInt64.self), cpus: invocation.given("cpuset-cpus"),
            mems: invocation.given("cpuset-mems"))
        cpu.burst = try number("cpu-burst", UInt64.self)
        cpu.idle = try number("cpu-idle", Int64.self)
        cpu.realtimePeriod = try number("cpu-rt-period", UInt64.self)
        cpu.realtimeRuntime = try number("cpu-rt-runtime", Int64.self)
        return Spec.Linux.Resources(
            memory: memory, cpu: cpu,
            pids: try number("pids-limit", Int64.self).map { Spec.Linux.Resources.Pids(limit: $0) },
            blockIO: try number("blkio-weight", UInt16.self).map { Spec.Linux.Resources.BlockIO(weight: $0) })
    }

    static let events = Command<OCIRuntime>(
        "events", "[OPTION…] ID", summary: "show what a container uses, and when its memory is used up, as JSON",
        details: "A line for each, until the container ends.",
        examples: ["swrun events --stats web", "swrun events --interval 500ms web"],
        grammar: FlagGrammar([
            .init("stats", help: "the statistics once"),
            .init("interval", value: "TIME", help: "how often: 500ms, 5s, 1m30s (5s)"),
        ])
    ) { invocation in
        let identifier = try invocation.identifier
        let runtime = invocation.context
        if invocation.flags.isOn("stats") {
            try print(StatisticsEvent(id: identifier, try runtime.statistics(identifier)))
            return .success
        }
        let text = invocation.flags.value("interval") ?? "5s"
        guard let interval = Duration(goText: text), interval > .zero else {
            throw invocation.misuse("--interval '\(text)' is no time above 0, such as 500ms or 5s")
        }
        let (seconds, attoseconds) = interval.components
        let milliseconds = max(1, Int(clamping: seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000))
        try runtime.watch(identifier, interval: milliseconds) { event in
            switch event {
            case .statistics(let statistics): try print(StatisticsEvent(id: identifier, statistics))
            case .outOfMemory: try print(OutOfMemoryEvent(id: identifier))
            }
        }
        return .success
    }

    /// In the order of the members, which some who read it rely on.
    private static func print(_ event: some Encodable) throws {
        Output.line(String(decoding: try JSONEncoding.encode(event, layout: .init(isIndented: false)), as: UTF8.self))
    }

    // They fail with --help as well: to podman a runtime that shows it has checkpoints.
    private static let noCheckpoints =
        "Checkpoints of containers are not supported: the command is known, and fails whatever it is given."

    static let checkpoint = Command<OCIRuntime>(
        "checkpoint", "ID", summary: "not supported", details: noCheckpoints, grammar: nil, isHidden: true
    ) { invocation in
        throw unsupported(invocation)
    }

    static let restore = Command<OCIRuntime>(
        "restore", "ID", summary: "not supported", details: noCheckpoints, grammar: nil, isHidden: true
    ) { invocation in
        throw unsupported(invocation)
    }

    private static func unsupported(_ invocation: Invocation<OCIRuntime>) -> CommandFailure {
        let words = ([invocation.command] + invocation.words).joined(separator: " ")
        return CommandFailure("checkpoint and restore are not supported: \(words)")
    }
}

/// Memory that is used up, as runc tells it.
private struct OutOfMemoryEvent: Encodable {
    var type = "oom"
    var id: String
}

extension Int64 {
    /// An amount of memory as docker and runc read it: a number, or one with the unit k, m, g, t or p, each 1,024 times the
    /// last, with or without `b` or `ib`; -1 is no limit. Nil for what is none, or too much.
    init?(bytes text: String) {
        if let number = Int64(text) {
            guard number >= -1 else { return nil }
            self = number
            return
        }
        var unit = text.lowercased()
        for suffix in ["ib", "b"] where unit.hasSuffix(suffix) {
            unit.removeLast(suffix.count)
            break
        }
        guard let letter = unit.last, let power = ["k", "m", "g", "t", "p"].firstIndex(of: letter) else {
            guard let number = Int64(unit), number >= 0 else { return nil }
            self = number
            return
        }
        let digits = unit.dropLast().reversed().drop { $0 == " " }.reversed()
        guard let number = Double(String(digits)), number >= 0 else { return nil }
        let amount = (number * Double(1 << (10 * (power + 1)))).rounded(.down)
        guard amount < 9e18 else { return nil }
        self = Int64(amount)
    }
}

extension Duration {
    /// A time as Go writes it: numbers, each with its unit, `1m30s`, `1.5h`, `100ms`. Nil for what is none.
    fileprivate init?(goText text: String) {
        let units: [String: Double] = ["ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600]
        var rest = text[...]
        var total = 0.0
        repeat {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { !($0.isASCII && ($0.isNumber || $0 == ".")) }
            rest = rest.dropFirst(unit.count)
            guard let number = Double(String(digits)), let factor = units[String(unit)] else { return nil }
            total += number * factor
        } while !rest.isEmpty
        guard total < 1e9 else { return nil }
        self = .seconds(total)
    }
}
