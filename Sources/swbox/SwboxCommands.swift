import CommandSupport
import Engine
import ImageStore

typealias Command = CommandSupport.Command<Engine>
typealias Invocation = CommandSupport.Invocation<Engine>

extension CommandSupport.Invocation<Engine> {
    var engine: Engine { context }
}

/// The commands of swbox, in docker's grammar. Each parses, calls one function of the engine, and prints.
enum SwboxCommands {
    static func table(_ program: Program) -> CommandTable<Engine> {
        CommandTable(
            program, version: "0.1.0", summary: "Containers without a daemon.",
            globals: [
                .init("root", value: "DIR", help: "where images, containers and volumes are (/var/lib/swbox)"),
                .init("run-root", value: "DIR", help: "where the state of running containers is (/run/swbox)"),
            ],
            commands: [run, ps, port, logs, exec, stop, kill, rm, inspect, images, rmi, load, `import`, finish],
            context: { flags in
                var roots = EngineRoots()
                if let root = flags.value("root") { roots.state = root }
                if let root = flags.value("run-root") { roots.run = root }
                return Engine(roots: roots) { program.notify($0) }
            },
            explain: { Failure.of($0, default: $1.failure) })
    }
}
