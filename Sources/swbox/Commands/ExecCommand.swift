import CommandSupport
import Engine

extension SwboxCommands {
    static let exec = Command(
        "exec", "[FLAG…] CONTAINER COMMAND [ARGUMENT…]", summary: "run a command in a container that runs",
        examples: ["swbox exec -it web sh", "swbox exec -u nobody -e LANG=C web id"],
        grammar: FlagGrammar(
            [
                .init("detach", short: "d", help: "do not wait for it"),
                .init("env", short: "e", value: "NAME[=VALUE]", help: "set a variable, or hand on the caller's"),
                .init("interactive", short: "i", help: "keep standard input open"),
                .init("privileged", help: "all capabilities and no seccomp filter"),
                .init("tty", short: "t", help: "give it a terminal"),
                .init("user", short: "u", value: "USER[:GROUP]", help: "names or numbers"),
                .init("workdir", short: "w", value: "PATH", help: "working directory"),
            ], interspersed: false),
        failure: .cannotExecute,
        run: execute)
}

private func execute(_ invocation: Invocation) throws -> ExitStatus {
    let flags = invocation.flags
    try invocation.require(2..., "a container and a command")
    var options = ExecOptions(arguments: Array(invocation.arguments.dropFirst()))
    options.isDetached = flags.isOn("detach")
    options.isInteractive = flags.isOn("interactive")
    options.hasTerminal = flags.isOn("tty")
    options.isPrivileged = flags.isOn("privileged")
    options.environment = try flags.values("env").map { try EnvironmentList.parse($0, caller: Terminal.environment) }
    options.user = flags.value("user")
    options.workingDirectory = flags.value("workdir")
    if options.isInteractive && options.hasTerminal && !options.isDetached && !Terminal.isTerminal(0) {
        throw CommandFailure("the input device is not a TTY (leave -t out, or -i)")
    }
    try Engine.protectProgram()
    try invocation.engine.recover()
    let container = try invocation.engine.containers.find(invocation.arguments[0])
    return ExitStatus(rawValue: try invocation.engine.exec(options, in: container))
}
