import ArgumentParser
import CommandSupport
import LinuxSystem
import NetworkEngine

/// The command with its subcommands. Each parses, calls one function of the engine, and prints.
struct Swnet: ParsableCommand {
    static let program = Program(name: "swnet")

    static let configuration = CommandConfiguration(
        commandName: "swnet",
        abstract: "Networks for containers and for any other network namespace.",
        discussion: """
            A SANDBOX is a container's name, a named network namespace (/run/netns/NAME), pid:N, or the path of a \
            namespace file.

            Examples:
              ip netns add web
              swnet connect bridge web
              swnet publish web 8080:80
              swnet ports
              swnet disconnect bridge web
            """,
        version: "swnet 0.1.0",
        subcommands: [
            Create.self, List.self, Inspect.self, Remove.self, Connect.self, Disconnect.self, Publish.self,
            Unpublish.self, Ports.self, Collect.self,
        ])

    static func command(named name: String) -> (any ParsableCommand.Type)? {
        configuration.subcommands.first { type in
            type.configuration.commandName == name
                || type.configuration.commandName == nil && "\(type)".lowercased() == name
        }
    }
}

/// Where the state is, for those who keep more than one.
struct StateOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Where networks are defined.", valueName: "directory", visibility: .hidden))
    var root = "/var/lib/swnet"

    @Option(help: ArgumentHelp("Where the state of this boot is.", valueName: "directory", visibility: .hidden))
    var runRoot = "/run/swnet"

    var engine: NetworkEngine {
        get throws {
            guard Privilege.isRoot else { throw CommandFailure("networks can only be changed and listed by root") }
            return NetworkEngine(runRoot: runRoot, stateRoot: root) { Swnet.program.warn($0) }
        }
    }
}

struct FormatOption: ParsableArguments {
    @Option(help: ArgumentHelp("table or json", valueName: "format"), transform: OutputFormat.init(parsing:))
    var format = OutputFormat.table
}
