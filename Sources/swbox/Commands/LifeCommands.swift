import CLinux
import CommandSupport
import Engine

extension Command {
    static let stop = Command(
        name: "stop", synopsis: "[-t SECONDS] CONTAINER…", summary: "ask containers to end, then make them",
        grammar: FlagGrammar([
            .init("time", "timeout", short: "t", value: "SECONDS", help: "how long to wait before SIGKILL (10)")
        ]),
        run: { invocation in
            let text = invocation.flags.value("time") ?? "10"
            guard let seconds = Int(text), seconds >= -1 else {
                throw CommandFailure("'\(text)' for --time is no number of seconds", status: invocation.program.usage)
            }
            return try forEach(invocation, "stop") { try invocation.engine.stop($0, seconds: seconds) }
        })

    static let kill = Command(
        name: "kill", synopsis: "[-s SIGNAL] CONTAINER…", summary: "send a signal to containers",
        grammar: FlagGrammar([.init("signal", short: "s", value: "SIGNAL", help: "name or number (KILL)")]),
        run: { invocation in
            let signal = try SignalName.number(parsing: invocation.flags.value("signal") ?? "KILL")
            return try forEach(invocation, "kill") { try invocation.engine.kill($0, signal: signal) }
        })

    static let rm = Command(
        name: "rm", synopsis: "[-f] [-v] CONTAINER…", summary: "remove containers",
        grammar: FlagGrammar([
            .init("force", short: "f", help: "kill a container that runs"),
            .init("volumes", short: "v", help: "remove its anonymous volumes too"),
        ]),
        run: { invocation in
            let (isForced, removesVolumes) = (invocation.flags.isOn("force"), invocation.flags.isOn("volumes"))
            return try forEach(invocation, "rm", isMissingFine: isForced) {
                try invocation.engine.remove($0, isForced: isForced, removesVolumes: removesVolumes)
            }
        })

    static let finish = Command(
        name: "finish", synopsis: "ID DESCRIPTOR STATUS", summary: "what a monitor executes at the end",
        grammar: FlagGrammar([]),
        run: { invocation in
            guard invocation.arguments.count == 3, let descriptor = Int32(invocation.arguments[1]),
                let status = Int32(invocation.arguments[2])
            else { throw CommandFailure("finish is for swbox-monitor", status: invocation.program.usage) }
            try invocation.engine.finish(id: invocation.arguments[0], descriptor: descriptor, exitCode: status)
            return .success
        }, isHidden: true)
}

/// Does something to each container that is named, prints the names of those where it worked, and goes on past errors.
private func forEach(
    _ invocation: Invocation, _ command: String, isMissingFine: Bool = false, _ body: (Container) throws -> Void
) throws -> ExitStatus {
    try requireArguments(invocation, command)
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
