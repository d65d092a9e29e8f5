import CLinux
import CommandSupport
import Engine

extension SwboxCommands {
    static let stop = Command(
        "stop", "[-t SECONDS] CONTAINER…", summary: "ask containers to end, then make them",
        examples: ["swbox stop web", "swbox stop -t 30 web db"],
        grammar: FlagGrammar([
            .init("time", "timeout", short: "t", value: "SECONDS", help: "how long to wait before SIGKILL (10)")
        ]),
        run: { invocation in
            let text = invocation.flags.value("time") ?? "10"
            guard let seconds = Int(text), seconds >= -1 else {
                throw invocation.misuse("'\(text)' for --time is no number of seconds")
            }
            return try forEach(invocation) { try invocation.engine.stop($0, seconds: seconds) }
        })

    static let kill = Command(
        "kill", "[-s SIGNAL] CONTAINER…", summary: "send a signal to containers",
        examples: ["swbox kill web", "swbox kill -s HUP web"],
        grammar: FlagGrammar([.init("signal", short: "s", value: "SIGNAL", help: "name or number (KILL)")]),
        run: { invocation in
            let signal = try SignalName.number(parsing: invocation.flags.value("signal") ?? "KILL")
            return try forEach(invocation) { try invocation.engine.kill($0, signal: signal) }
        })

    static let rm = Command(
        "rm", "[-f] [-v] CONTAINER…", summary: "remove containers", examples: ["swbox rm web", "swbox rm -fv web db"],
        grammar: FlagGrammar([
            .init("force", short: "f", help: "kill a container that runs"),
            .init("volumes", short: "v", help: "remove its anonymous volumes too"),
        ]),
        run: { invocation in
            let (isForced, removesVolumes) = (invocation.flags.isOn("force"), invocation.flags.isOn("volumes"))
            return try forEach(invocation, isMissingFine: isForced) {
                try invocation.engine.remove($0, isForced: isForced, removesVolumes: removesVolumes)
            }
        })

    static let finish = Command(
        "finish", "ID DESCRIPTOR [NAMESPACE] STATUS", summary: "what a monitor executes at the end", isHidden: true,
        run: { invocation in
            let numbers = invocation.arguments.dropFirst().compactMap { Int32($0) }
            guard [3, 4].contains(invocation.arguments.count), numbers.count == invocation.arguments.count - 1 else {
                throw invocation.misuse("finish is for swbox-monitor")
            }
            try invocation.engine.finish(
                id: invocation.arguments[0], descriptor: numbers[0], namespace: numbers.count == 3 ? numbers[1] : nil,
                exitCode: numbers[numbers.count - 1])
            return .success
        })
}

/// Does something to each container that is named, prints the names of those where it worked, and goes on past errors.
private func forEach(
    _ invocation: Invocation, isMissingFine: Bool = false, _ body: (Container) throws -> Void
) throws -> ExitStatus {
    try invocation.require(1..., "a container")
    try invocation.engine.recover()
    var status = ExitStatus.success
    for name in invocation.arguments {
        do {
            try body(try invocation.engine.containers.find(name))
            Output.line(name)
        } catch let error as EngineError where error.kind == .notFound && isMissingFine {
            // docker's rm -f of what is not there is no failure, but is said.
            invocation.program.report(error)
        } catch {
            invocation.program.report(error)
            status = .failure
        }
    }
    return status
}
