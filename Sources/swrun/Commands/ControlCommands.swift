import CLinux
import CommandSupport
import ContainerRuntime
import LinuxSystem
import RuntimeSpec

extension SwrunCommands {
    static let kill = Command<OCIRuntime>(
        "kill", "[FLAG…] ID [SIGNAL]", summary: "send a signal to a container (TERM)",
        examples: ["swrun kill web KILL"],
        grammar: FlagGrammar([.init("all", short: "a", help: "to all of its processes")])
    ) { invocation in
        try invocation.require(1...2, "a container ID and perhaps a signal")
        let name = invocation.arguments.dropFirst().first ?? "TERM"
        guard let signal = SignalName.number(of: name) else { throw CommandFailure("unknown signal \"\(name)\"") }
        try invocation.context.kill(
            invocation.arguments[0], signal: signal, all: invocation.flags.isOn("all"))
        return .success
    }

    static let delete = Command<OCIRuntime>(
        "delete", "[FLAG…] ID", summary: "remove a container that has stopped",
        grammar: FlagGrammar([
            .init("force", short: "f", help: "kill it first if it runs"),
            .init("regex", short: "r", help: "ID is a regular expression (regex(7), extended); removes all that match"),
        ])
    ) { invocation in
        let runtime = invocation.context
        let identifier = try invocation.identifier
        let force = invocation.flags.isOn("force")
        guard invocation.flags.isOn("regex") else {
            try runtime.delete(identifier, force: force)
            return .success
        }
        let pattern = try RegularExpression(identifier)
        var failure: (any Error)?
        for name in try runtime.store.identifiers() where pattern.matches(name) {
            do { try runtime.delete(name, force: force) } catch { failure = failure ?? error }
        }
        // The others are gone all the same.
        if let failure { throw failure }
        return .success
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
        "update", "[FLAG…] ID", summary: "change a container's limits",
        examples: ["swrun update --memory 67108864 web", "swrun update --resources - web <limits.json"],
        grammar: FlagGrammar([
            .init("resources", short: "r", value: "FILE", help: "linux.resources as JSON; - is standard input"),
            .init("memory", value: "BYTES", help: "memory; -1 is no limit"),
            .init("memory-reservation", value: "BYTES", help: "what the kernel tries to leave"),
            .init("memory-swap", value: "BYTES", help: "memory and swap together; -1 is no limit"),
            .init("cpu-share", value: "N", help: "the weight against others, 1024 being everybody's"),
            .init("cpu-quota", value: "USEC", help: "processor time in each period"),
            .init("cpu-period", value: "USEC", help: "the period"),
            .init("cpuset-cpus", value: "LIST", help: "the processors to use"),
            .init("cpuset-mems", value: "LIST", help: "the memory nodes to use"),
            .init("pids-limit", value: "N", help: "the most tasks; -1 is no limit"),
            .init("blkio-weight", value: "N", help: "the weight of block input and output, 10 to 1000"),
        ])
    ) { invocation in
        try invocation.context.update(try invocation.identifier, try resources(invocation))
        return .success
    }

    private static func resources(_ invocation: Invocation<OCIRuntime>) throws -> Spec.Linux.Resources {
        let flags = invocation.flags
        if let path = flags.value("resources") {
            let bytes =
                path == "-"
                ? try Descriptor.open("/proc/self/fd/0").readAll(limit: 1 << 20)
                : try Descriptor.open(path).readAll(limit: 1 << 20)
            do {
                return try Spec.Linux.Resources(json: bytes)
            } catch {
                throw CommandFailure("\(path): \(error)")
            }
        }
        func number<Number: FixedWidthInteger>(_ flag: String, _ type: Number.Type) throws -> Number? {
            guard let text = flags.value(flag) else { return nil }
            guard let number = Number(text) else { throw invocation.misuse("invalid value '\(text)' for --\(flag)") }
            return number
        }
        let memory = Spec.Linux.Resources.Memory(
            limit: try number("memory", Int64.self), reservation: try number("memory-reservation", Int64.self),
            swap: try number("memory-swap", Int64.self))
        let cpu = Spec.Linux.Resources.CPU(
            shares: try number("cpu-share", UInt64.self), quota: try number("cpu-quota", Int64.self),
            period: try number("cpu-period", UInt64.self), cpus: flags.value("cpuset-cpus"),
            mems: flags.value("cpuset-mems"))
        return Spec.Linux.Resources(
            memory: memory, cpu: cpu,
            pids: try number("pids-limit", Int64.self).map { Spec.Linux.Resources.Pids(limit: $0) },
            blockIO: try number("blkio-weight", UInt16.self).map { Spec.Linux.Resources.BlockIO(weight: $0) })
    }

    static let events = Command<OCIRuntime>(
        "events", "--stats ID", summary: "show what a container has used, as JSON",
        grammar: FlagGrammar([
            .init("stats", help: "once"), .init("interval", value: "TIME", help: "how often (5s)"),
        ])
    ) { invocation in
        let identifier = try invocation.identifier
        guard invocation.flags.isOn("stats") else { throw invocation.misuse("only events --stats is supported") }
        let statistics = try invocation.context.statistics(identifier)
        try JSONOutput.print(StatisticsEvent(id: identifier, statistics), pretty: false)
        return .success
    }
}
