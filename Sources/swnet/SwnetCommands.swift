import CLinux
import CommandSupport
import NetworkEngine

/// The commands of swnet. Each parses, calls one function of the engine, and prints.
enum SwnetCommands {
    typealias Command = CommandSupport.Command<NetworkEngine>
    typealias Invocation = CommandSupport.Invocation<NetworkEngine>

    static func table(_ program: Program) -> CommandTable<NetworkEngine> {
        CommandTable(
            program, version: "0.1.0", summary: "Networks for containers and for any other network namespace.",
            details: """
                A SANDBOX is a container's name, a named network namespace (/run/netns/NAME), pid:N, or the path of a
                namespace file.

                Examples:
                  ip netns add web
                  swnet connect bridge web
                  swnet publish web 8080:80
                  swnet ports
                  swnet disconnect bridge web
                """,
            globals: [
                .init("root", value: "DIR", help: "where networks are defined (/var/lib/swnet)"),
                .init("run-root", value: "DIR", help: "where the state of this boot is (/run/swnet)"),
                .init("config", value: "FILE", help: "settings for all networks (/etc/swnet/config.json)"),
            ],
            commands: Name.allCases.map(\.command), command: { Name(rawValue: $0)?.command },
            refusesContradictions: true,
            context: { flags in
                guard geteuid() == 0 else {
                    throw CommandFailure("networks can only be changed and listed by root (try sudo)")
                }
                return NetworkEngine(
                    runRoot: flags.value("run-root") ?? "/run/swnet",
                    stateRoot: flags.value("root") ?? "/var/lib/swnet",
                    configurationPath: flags.value("config")
                ) { program.warn($0) }
            })
    }

    /// In the order of the help.
    enum Name: String, CaseIterable {
        case create, list = "ls", inspect, remove = "rm", connect, disconnect, limit, publish, unpublish, ports,
            hosts, check, repair, collect = "gc", trace, capture, graph, events, watch

        var command: Command {
            switch self {
            case .create: SwnetCommands.create
            case .list: SwnetCommands.list
            case .inspect: SwnetCommands.inspect
            case .remove: SwnetCommands.remove
            case .connect: SwnetCommands.connect
            case .disconnect: SwnetCommands.disconnect
            case .limit: SwnetCommands.limit
            case .publish: SwnetCommands.publish
            case .unpublish: SwnetCommands.unpublish
            case .ports: SwnetCommands.ports
            case .hosts: SwnetCommands.hosts
            case .check: SwnetCommands.check
            case .repair: SwnetCommands.repair
            case .collect: SwnetCommands.collect
            case .trace: SwnetCommands.trace
            case .capture: SwnetCommands.capture
            case .graph: SwnetCommands.graph
            case .events: SwnetCommands.events
            case .watch: SwnetCommands.watch
            }
        }
    }
}
