import CommandSupport
import Engine
import ImageStore

/// A command of swbox: its grammar, its help and what it does.
struct Command: Sendable {
    var name: String
    /// What stands behind the name in the usage line.
    var synopsis: String
    var summary: String
    /// Nil for a command whose words another program understands.
    var grammar: FlagGrammar?
    var run: @Sendable (Invocation) throws -> ExitStatus
    /// Commands that other programs of ours call are not listed.
    var isHidden = false
    /// What an error exits with that has no status of its own.
    var failure = ExitStatus.failure
}

/// A command line that has been understood.
struct Invocation {
    var engine: Engine
    var flags: ParsedFlags
    var program: Program
    /// Everything behind the command's name, for a program that is executed instead.
    var words: [String]

    var arguments: [String] { flags.arguments }
}

/// Finds the command of a command line and runs it.
enum CommandTable {
    static let all: [Command] = [
        .run, .ps, .logs, .exec, .stop, .kill, .rm, .inspect, .images, .rmi, .load, .import, .finish,
    ]

    /// Flags before the command's name.
    private static let globals = FlagGrammar(
        [
            .init("root", value: "DIR", help: "where images, containers and volumes are (/var/lib/swbox)"),
            .init("run-root", value: "DIR", help: "where the state of running containers is (/run/swbox)"),
            .init("help", help: "show this help"), .init("version", short: "v", help: "show the version"),
        ], interspersed: false)

    static func run(_ words: [String], _ program: Program) throws -> ExitStatus {
        let parsed: ParsedFlags
        do {
            parsed = try globals.parse(words)
        } catch {
            throw CommandFailure("\(error) (swbox --help)", status: program.usage)
        }
        if parsed.isOn("version") {
            Output.line("swbox 0.1.0")
            return .success
        }
        guard let name = parsed.arguments.first, !parsed.isOn("help"), name != "help" else {
            Output.write(help())
            return .success
        }
        guard let command = all.first(where: { $0.name == name }) else {
            throw CommandFailure("unknown command '\(name)' (swbox --help)", status: program.usage)
        }
        return try run(command, Array(parsed.arguments.dropFirst()), parsed, program)
    }

    private static func run(
        _ command: Command, _ words: [String], _ globals: ParsedFlags, _ program: Program
    ) throws -> ExitStatus {
        let flags: ParsedFlags
        do {
            flags = try command.grammar?.parse(words) ?? FlagGrammar([]).parse([])
        } catch {
            if "\(error)" == "unknown flag: --help" {
                Output.write(help(of: command))
                return .success
            }
            throw CommandFailure("\(error) (swbox \(command.name) --help)", status: program.usage)
        }
        var roots = EngineRoots()
        if let root = globals.value("root") { roots.state = root }
        if let root = globals.value("run-root") { roots.run = root }
        do {
            return try command.run(
                Invocation(
                    engine: Engine(roots: roots) { program.notify($0) }, flags: flags, program: program, words: words))
        } catch {
            throw Failure.of(error, default: command.failure)
        }
    }

    private static func help() -> String {
        var text = "Usage: swbox [--root DIR] [--run-root DIR] COMMAND …\n\nContainers without a daemon.\n\nCommands:\n"
        for command in all where !command.isHidden {
            text += "  \(padded(command.name, 9)) \(command.summary)\n"
        }
        return text + "\n'swbox COMMAND --help' says more about a command.\n"
    }

    private static func help(of command: Command) -> String {
        var text = "Usage: swbox \(command.name) \(command.synopsis)\n\n\(command.summary)\n"
        let lines = (command.grammar?.flags ?? []).map { flag in
            let short = flag.short.map { "-\($0), " } ?? "    "
            let names = flag.names.map { "--\($0)" }.joined(separator: ", ")
            return (left: short + names + (flag.placeholder.map { " \($0)" } ?? ""), right: flag.help)
        }
        let width = lines.map(\.left.count).max() ?? 0
        if !lines.isEmpty { text += "\nFlags:\n" }
        for line in lines { text += "  \(padded(line.left, width))  \(line.right)\n" }
        return text
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
