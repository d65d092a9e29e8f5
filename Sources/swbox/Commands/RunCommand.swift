import Addressing
import CLinux
import CommandSupport
import Engine
import NetworkModel

extension SwboxCommands {
    static let run = Command(
        "run", "[FLAG…] IMAGE [COMMAND [ARGUMENT…]]", summary: "run a command in a new container",
        examples: [
            "swbox run --rm -it debian bash", "swbox run -d --name cache -p 6379:6379 redis",
            "swbox run --rm -v \"$PWD\":/src:ro -w /src debian ls",
            "swbox run -d -m 512m --cpus 1.5 --pids-limit 100 --read-only web",
            "swbox run --rm --net container:cache redis redis-cli ping",
        ],
        grammar: FlagGrammar(RunFlags.all, interspersed: false), failure: .engineFailure, run: RunFlags.run)
}

/// The flags of `swbox run`, and what they mean.
enum RunFlags {
    static let all: [FlagGrammar.Flag] = [
        .init("cap-add", value: "CAPABILITY", help: "add a Linux capability (ALL for every one)"),
        .init("cap-drop", value: "CAPABILITY", help: "drop a Linux capability"),
        .init("cpu-period", value: "MICROSECONDS", help: "the period that --cpu-quota is counted in (100000)"),
        .init("cpu-quota", value: "MICROSECONDS", help: "processor time in each period"),
        .init("cpu-shares", short: "c", value: "WEIGHT", help: "relative weight, 1024 being everybody's default"),
        .init("cpus", value: "NUMBER", help: "number of processors, such as 1.5"),
        .init("cpuset-cpus", value: "LIST", help: "processors that may be used, such as 0-1,3"),
        .init("detach", short: "d", help: "run in the background and print the container's id"),
        .init("entrypoint", value: "PROGRAM", help: "instead of the image's entry point"),
        .init("env", short: "e", value: "NAME[=VALUE]", help: "set a variable, or hand on the caller's"),
        .init("hostname", short: "h", value: "NAME", help: "the container's host name"),
        .init("interactive", short: "i", help: "keep standard input open"),
        .init("ip", value: "ADDRESS", help: "the container's IPv4 address"),
        .init("ip6", value: "ADDRESS", help: "the container's IPv6 address"),
        .init("label", short: "l", value: "NAME[=VALUE]", help: "set a label"),
        .init("mac-address", value: "ADDRESS", help: "the container's Ethernet address"),
        .init("memory", short: "m", value: "SIZE", help: "memory limit, such as 512m"),
        .init("name", value: "NAME", help: "the container's name"),
        .init("network", "net", value: "MODE", help: "bridge, host, none, container:NAME or a network's name"),
        .init(
            "network-alias", "net-alias", value: "NAME", help: "another name on the first network; may be repeated"),
        .init("pids-limit", value: "NUMBER", help: "number of processes and threads (-1 for no limit)"),
        .init("privileged", help: "all capabilities, no seccomp filter, nothing masked"),
        .init("publish", short: "p", value: "[[HOSTIP:]HOSTPORT:]PORT[/udp]", help: "publish a port or a range"),
        .init("read-only", help: "mount the root file system read-only"),
        .init("rm", help: "remove the container when it ends"),
        .init("stop-signal", value: "SIGNAL", help: "what 'swbox stop' sends (SIGTERM)"),
        .init("tty", short: "t", help: "give the container a terminal"),
        .init("user", short: "u", value: "USER[:GROUP]", help: "names or numbers"),
        .init("volume", short: "v", value: "[SOURCE:]PATH[:ro]", help: "mount a host's path or a volume"),
        .init("workdir", short: "w", value: "PATH", help: "working directory"),
    ]

    static func run(_ invocation: Invocation) throws -> ExitStatus {
        let options = try options(invocation)
        if options.isDetached {
            Output.line(try invocation.engine.runDetached(options))
            return .success
        }
        if options.isInteractive && options.hasTerminal && !Terminal.isTerminal(0) {
            throw CommandFailure("the input device is not a TTY (leave -t out, or -i)")
        }
        return ExitStatus(rawValue: try invocation.engine.run(options))
    }

    static func options(_ invocation: Invocation) throws -> RunOptions {
        let flags = invocation.flags
        try invocation.require(1..., "an image")
        var options = RunOptions(image: flags.arguments[0])
        options.command = Array(flags.arguments.dropFirst())
        options.name = flags.value("name")
        options.isDetached = flags.isOn("detach")
        options.removesItself = flags.isOn("rm")
        options.isInteractive = flags.isOn("interactive")
        options.hasTerminal = flags.isOn("tty")
        options.environment = try flags.values("env").map {
            try EnvironmentList.parse($0, caller: Terminal.environment)
        }
        options.user = flags.value("user")
        options.workingDirectory = flags.value("workdir")
        options.volumes = try flags.values("volume").map {
            try VolumeOption(parsing: $0, relativeTo: currentDirectory())
        }
        options.entrypoint = flags.value("entrypoint")
        options.hostname = flags.value("hostname")
        options.hasReadOnlyRoot = flags.isOn("read-only")
        options.addedCapabilities = flags.values("cap-add")
        options.droppedCapabilities = flags.values("cap-drop")
        options.isPrivileged = flags.isOn("privileged")
        options.stopSignal = flags.value("stop-signal")
        for label in flags.values("label") {
            let parts = label.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            options.labels[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
        }
        options.limits = try limits(flags)
        try network(flags, &options)
        return options
    }

    private static func network(_ flags: ParsedFlags, _ options: inout RunOptions) throws {
        var networks: [String] = []
        for text in flags.values("network") {
            let mode = try NetworkMode(parsing: text)
            if case .networks(let names) = mode {
                networks += names
            } else {
                options.network = mode
            }
        }
        if !networks.isEmpty {
            guard case .networks = options.network else {
                throw CommandFailure("network mode '\(options.network)' cannot be joined with network '\(networks[0])'")
            }
            options.network = .networks(networks)
        }
        options.aliases = flags.values("network-alias")
        options.ports = try flags.values("publish").map { try PortRequest(parsing: $0) }
        options.addresses.ipv4 = try address(flags, "ip", "IPv4 address")
        options.addresses.ipv6 = try address(flags, "ip6", "IPv6 address")
        options.addresses.mac = try address(flags, "mac-address", "Ethernet address")
    }

    private static func address<Value: LosslessStringConvertible>(
        _ flags: ParsedFlags, _ name: String, _ what: String
    ) throws(CommandFailure) -> Value? {
        guard let text = flags.value(name) else { return nil }
        guard let value = Value(text) else {
            throw CommandFailure("'\(text)' for --\(name) is no \(what)", status: .engineFailure)
        }
        return value
    }

    private static func limits(_ flags: ParsedFlags) throws -> ResourceOptions {
        var limits = ResourceOptions()
        limits.memory = try flags.value("memory").map { try MemorySize(parsing: $0, flag: "--memory").bytes }
        limits.cpuShares = try number(flags, "cpu-shares", 2...262_144)
        limits.cpuQuota = try number(flags, "cpu-quota", 1_000...1_000_000_000)
        limits.cpuPeriod = try number(flags, "cpu-period", 1_000...1_000_000)
        limits.pids = try number(flags, "pids-limit", -1...4_194_304)
        limits.cpus = flags.value("cpuset-cpus")
        if let text = flags.value("cpus") {
            guard limits.cpuQuota == nil && limits.cpuPeriod == nil else {
                throw CommandFailure("--cpus says the same as --cpu-quota and --cpu-period", status: .engineFailure)
            }
            limits.cpuQuota = try CPUCount(parsing: text, available: CPUCount.available).quota
            limits.cpuPeriod = CPUCount.period
        }
        return limits
    }

    private static func number(
        _ flags: ParsedFlags, _ name: String, _ range: ClosedRange<Int64>
    ) throws(CommandFailure) -> Int64? {
        guard let text = flags.value(name) else { return nil }
        guard let number = Int64(text), range.contains(number) else {
            throw CommandFailure(
                "'\(text)' for --\(name) is not a number from \(range.lowerBound) to \(range.upperBound)",
                status: .engineFailure)
        }
        return number
    }

    private static func currentDirectory() -> String {
        guard let path = getcwd(nil, 0) else { return "/" }
        defer { free(path) }
        return String(cString: path)
    }
}
