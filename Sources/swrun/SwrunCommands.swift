import CLinux
import CommandSupport
import ContainerRuntime
import LinuxSystem
import RuntimeSpec

/// The command line of runc and crun.
enum SwrunCommands {
    static func table(_ program: Program) -> CommandTable<OCIRuntime> {
        CommandTable(
            program, version: "version 0.1.0\ncommit: unreleased\nspec: \(Spec.supportedVersion)",
            summary: "Open Container Initiative runtime: turns a bundle and its config.json into an isolated process",
            details: """
                Engines use it in runc's or crun's place: podman --runtime /path/to/\(program.name) run ...
                State is kept below --root, one directory for each container.
                """,
            globals: [
                .init(
                    "root", value: "DIR",
                    help: "where containers are remembered (/run/swrun; $XDG_RUNTIME_DIR/swrun for whoever is not root)"
                ),
                .init(
                    "log", value: "FILE",
                    help: "a file to write errors to besides standard error, or syslog:NAME or journald:NAME"),
                .init("log-format", value: "FORMAT", help: "text or json"),
                .init("log-level", value: "LEVEL", help: "error: no warnings; warning; debug: the same as --debug"),
                .init("debug", help: "say what is done, step by step, in the log or on standard error"),
                .init("systemd-cgroup", help: "systemd makes the cgroup: cgroupsPath is slice:prefix:name"),
                .init("cgroup-manager", value: "NAME", help: "cgroupfs, systemd or disabled"),
                .init(
                    "rootless", value: "MODE",
                    help: "true, false or auto: whether to do without a cgroup where none may be made nor is asked for"),
                .init("criu", value: "FILE", help: ""),
                // crun's, as -? and --usage are.
                .init("V", short: "V", help: ""),
            ],
            commands: Name.allCases.map(\.command), command: { Name(rawValue: $0)?.command }, layout: .runc,
            context: { try runtime($0, program) },
            explain: { explain($0, $1, program) })
    }

    /// In the order of the help.
    enum Name: String, CaseIterable {
        case create, start, run, state, kill, delete, exec, list, processes = "ps", pause, resume, update, events,
            spec, features, checkpoint, restore

        var command: Command<OCIRuntime> {
            switch self {
            case .create: SwrunCommands.create
            case .start: SwrunCommands.start
            case .run: SwrunCommands.run
            case .state: SwrunCommands.state
            case .kill: SwrunCommands.kill
            case .delete: SwrunCommands.delete
            case .exec: SwrunCommands.exec
            case .list: SwrunCommands.list
            case .processes: SwrunCommands.processes
            case .pause: SwrunCommands.pause
            case .resume: SwrunCommands.resume
            case .update: SwrunCommands.update
            case .events: SwrunCommands.events
            case .spec: SwrunCommands.spec
            case .features: SwrunCommands.features
            case .checkpoint: SwrunCommands.checkpoint
            case .restore: SwrunCommands.restore
            }
        }
    }

    /// The container that a command line without flags before the command is about; nil for none.
    static func container(in words: [String]) -> String? {
        guard let grammar = words.first.flatMap(Name.init(rawValue:))?.command.grammar() else { return nil }
        return try? grammar.parse(words.dropFirst()).arguments.first
    }

    /// The usual place, which is missing until there is a first container.
    static let defaultRoot: String = {
        // As runc has it: somebody's own directory, also of who only is root in a user namespace of theirs.
        guard let own = variable("XDG_RUNTIME_DIR"), own.hasPrefix("/"),
            geteuid() != 0 || (UserNamespace.isOwn && variable("USER") != "root")
        else { return "/run/swrun" }
        return "\(own)/swrun"
    }()

    private static func variable(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func cgroupUse(_ rootless: String, _ manager: String) throws -> CgroupUse {
        if manager == "disabled" { return .never }
        switch rootless {
        case "auto": return .automatic
        // Those of runc, which are Go's, and more, of which crun, which asks the kernel, takes any.
        case "true", "TRUE", "True", "t", "T", "1", "yes": return .whereAllowed
        case "false", "FALSE", "False", "f", "F", "0", "no": return .always
        default: throw CommandFailure("unknown value '\(rootless)' for --rootless (true, false or auto)")
        }
    }

    private static func runtime(_ flags: ParsedFlags, _ program: Program) throws -> OCIRuntime {
        let format = flags.value("log-format") ?? "text"
        guard ["text", "json"].contains(format) else {
            throw CommandFailure("unknown log-format '\(format)' (text or json)")
        }
        let level = flags.value("log-level")
        if let level, !["error", "warning", "debug"].contains(level) {
            throw CommandFailure("unknown log-level '\(level)' (error, warning or debug)")
        }
        try Log(globals: flags, program: program).check()
        let manager = flags.value("cgroup-manager") ?? "cgroupfs"
        guard ["cgroupfs", "systemd", "disabled"].contains(manager) else {
            throw CommandFailure("unknown cgroup-manager '\(manager)' (cgroupfs, systemd or disabled)")
        }
        let root = flags.value("root") ?? defaultRoot
        var runtime = OCIRuntime(
            store: ContainerStore(root), seccompCache: SeccompCache(directory: "\(root)/.seccomp"),
            cgroups: try cgroupUse(flags.value("rootless") ?? "auto", manager),
            usesSystemd: flags.isOn("systemd-cgroup") || manager == "systemd")
        runtime.name = program.name
        runtime.networkDevices = HostDevices.mover
        runtime.warn = { message in
            if level == "error" { return }
            // Standard error is the container's, too: docker would show a warning as something that the program said.
            if !Log(globals: flags, program: program).write(message, level: "warning") { program.warn(message) }
        }
        if flags.isOn("debug") || level == "debug" {
            runtime.debug = { Log(globals: flags, program: program).debug($0) }
            runtime.debug?("containers are remembered in \(root)")
        }
        return runtime
    }
}

extension SwrunCommands {
    /// A file that was named on the command line.
    ///
    /// - Throws: `SystemError` with that name.
    static func contents(of path: String, limit: Int) throws(SystemError) -> [UInt8] {
        let file = try Descriptor.open(path)
        do throws(SystemError) {
            return try file.readAll(limit: limit)
        } catch {
            throw SystemError("read", path, errno: error.errno)
        }
    }

    /// The program's own failures are 1 as runc's are, those of `exec` 255; where `run` could not execute the program, it
    /// says so as a shell does.
    private static func explain(
        _ error: any Error, _ command: Command<OCIRuntime>, _ program: Program
    ) -> any Error {
        if var failure = error as? CommandFailure {
            // A misunderstood command line is a failure like others, so that nobody takes it for the program's status.
            if command.name == "exec", failure.status == .failure { failure.status = command.failure }
            return failure
        }
        let isRun = command.failure == .engineFailure
        let launch = error as? LaunchError
        let hasCode = isRun && launch.map { $0.exitCode != command.failure.rawValue } == true
        // With runc it is the container's process that says what its program lacks, and nothing else is said. A person is
        // told more.
        let words = hasCode && isatty(2) == 0 ? launch?.processWords : nil
        var failure = CommandFailure(words ?? "\(error)", status: isRun ? .failure : command.failure)
        if hasCode, let launch { failure.status = ExitStatus(rawValue: launch.exitCode) }
        failure.isWhole = words != nil
        guard words == nil, ["create", "run", "exec"].contains(command.name) else { return failure }
        // runc says its own name with run and create alone; engines put "OCI runtime exec failed: " in front.
        let command = command.name
        let opening = command == "exec" ? "exec failed: " : "\(program.name) \(command) failed: "
        failure.message = "\(opening)\(frame(launch, command))\(failure.message)"
        failure.isWhole = true
        return failure
    }

    /// What runc says before the reason, by how far it has come (libcontainer/container_linux.go, process_linux.go): people
    /// search for it.
    private static func frame(_ error: LaunchError?, _ command: String) -> String {
        guard let error else { return "" }
        let isOfInit = error.isOfInit && command != "exec"
        return "unable to start container process: \(isOfInit ? "error during container init: " : "")"
    }
}

extension Invocation<OCIRuntime> {
    /// The only argument.
    var identifier: String {
        get throws {
            try require(1...1, "exactly one container ID")
            return arguments[0]
        }
    }

    func number(_ flag: String) throws -> Int32? {
        guard let text = flags.value(flag) else { return nil }
        guard let number = Int32(text), number >= 0 else {
            throw misuse("invalid value '\(text)' for --\(flag): not a number from 0 on")
        }
        return number
    }

    /// Where a service manager wants to hear that the container's program is ready (sd_notify(3)).
    var notifySocket: String? {
        unsafe getenv("NOTIFY_SOCKET").map { unsafe String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// How many descriptors a service manager has handed to this process for the container (sd_listen_fds(3)).
    var listenDescriptors: Int32 {
        guard let count = Self.number("LISTEN_FDS"), count > 0 else { return 0 }
        // Who was activated starts others in the same environment, to whom none is handed. Users of crun say 1, for what is
        // in the container.
        if let owner = Self.number("LISTEN_PID"), owner != getpid(), owner != 1 { return 0 }
        return count
    }

    private static func number(_ variable: String) -> Int32? {
        unsafe getenv(variable).flatMap { unsafe Int32(String(cString: $0)) }
    }

    /// What the service manager calls them.
    var listenNames: String? { unsafe getenv("LISTEN_FDNAMES").map { unsafe String(cString: $0) } }

    /// A flag's value; an empty one is none, as with runc.
    func given(_ flag: String) -> String? { flags.value(flag).flatMap { $0.isEmpty ? nil : $0 } }
}
