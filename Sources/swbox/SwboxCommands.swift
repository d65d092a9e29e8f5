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
            commands: Name.allCases.map(\.command), command: { Name(rawValue: $0)?.command },
            context: { flags in
                var roots = EngineRoots()
                if let root = flags.value("root") { roots.state = root }
                if let root = flags.value("run-root") { roots.run = root }
                return Engine(roots: roots) { program.notify($0) }
            },
            explain: { Failure.of($0, default: $1.failure) })
    }

    /// In the order of the help.
    enum Name: String, CaseIterable {
        case run, ps, port, logs, exec, stop, kill, rm, inspect, images, rmi, load, `import`, finish

        var command: Command {
            switch self {
            case .run: SwboxCommands.run
            case .ps: SwboxCommands.ps
            case .port: SwboxCommands.port
            case .logs: SwboxCommands.logs
            case .exec: SwboxCommands.exec
            case .stop: SwboxCommands.stop
            case .kill: SwboxCommands.kill
            case .rm: SwboxCommands.rm
            case .inspect: SwboxCommands.inspect
            case .images: SwboxCommands.images
            case .rmi: SwboxCommands.rmi
            case .load: SwboxCommands.load
            case .import: SwboxCommands.import
            case .finish: SwboxCommands.finish
            }
        }
    }
}
