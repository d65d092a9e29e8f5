/// All commands of a program: finds the one that a command line means, explains it, or runs it.
public struct CommandTable<Context>: Sendable {
    public var program: Program
    public var version: String
    /// One sentence about the program.
    public var summary: String
    /// What is said below the list of commands.
    public var details: String
    /// Flags before the command's name.
    public var globals: FlagGrammar
    public var commands: [Command<Context>]
    /// What the commands work with.
    public var context: @Sendable (ParsedFlags) throws -> Context
    /// The failure that an error of the engine is.
    public var explain: @Sendable (any Error, ExitStatus) -> any Error

    /// - Parameter globals: What the program knows besides `--help` and `--version`.
    public init(
        _ program: Program, version: String, summary: String, details: String = "", globals: [FlagGrammar.Flag] = [],
        commands: [Command<Context>], context: @escaping @Sendable (ParsedFlags) throws -> Context,
        explain: @escaping @Sendable (any Error, ExitStatus) -> any Error = { error, _ in error }
    ) {
        self.program = program
        self.version = version
        self.summary = summary
        self.details = details
        self.globals = FlagGrammar(
            globals + [.init("version", short: "v", help: "show the version")], interspersed: false)
        self.commands = commands
        self.context = context
        self.explain = explain
    }

    /// Runs a command line without the program's name.
    ///
    /// - Throws: `CommandFailure` for one that is not understood, and what the command throws.
    public func run(_ words: [String]) throws -> ExitStatus {
        let parsed: ParsedFlags
        do {
            parsed = try globals.parse(words)
        } catch {
            return try settle(error, help: help, hint: "\(program.name) --help")
        }
        if parsed.isOn("version") {
            Output.line("\(program.name) \(version)")
            return .success
        }
        guard let name = parsed.arguments.first else {
            Output.write(help)
            return .success
        }
        let rest = parsed.arguments.dropFirst()
        if name == "help" { return try explainCommand(rest.first) }
        let isHelp = rest.first == "--help" || rest.first == "-h"
        return try run(try command(named: name, isHelp: isHelp), Array(rest), parsed)
    }

    private func command(named name: String, isHelp: Bool = false) throws(CommandFailure) -> Command<Context> {
        for command in commands where command.name == name { return command }
        // The words of many programs, runc among them, for the help that is not there.
        let words = isHelp ? "No help topic for" : "unknown command"
        throw CommandFailure("\(words) '\(name)' (\(program.name) --help)", status: program.arguments)
    }

    private func run(_ command: Command<Context>, _ words: [String], _ globals: ParsedFlags) throws -> ExitStatus {
        let flags: ParsedFlags
        do {
            flags = try command.grammar?.parse(words) ?? ParsedFlags()
        } catch {
            return try settle(error, help: help(of: command), hint: "\(program.name) \(command.name) --help")
        }
        do {
            return try command.run(
                Invocation(
                    context: try context(globals), flags: flags, program: program, command: command.name, words: words))
        } catch {
            throw explain(error, command.failure)
        }
    }

    /// Help that was asked for is a success.
    private func settle(_ error: FlagError, help: String, hint: String) throws(CommandFailure) -> ExitStatus {
        guard error.isHelp else { throw CommandFailure("\(error) (\(hint))", status: program.usage) }
        Output.write(help)
        return .success
    }
}

// MARK: - Help

extension CommandTable {
    private func explainCommand(_ name: String?) throws(CommandFailure) -> ExitStatus {
        guard let name else {
            Output.write(help)
            return .success
        }
        Output.write(help(of: try command(named: name, isHelp: true)))
        return .success
    }

    /// What `PROGRAM --help` prints.
    var help: String {
        let shown = commands.filter { !$0.isHidden }
        return "Usage: \(program.name) [FLAG…] COMMAND …\n\n\(summary)\n"
            + Self.section("Commands", shown.map { ($0.name, $0.summary) })
            + Self.section("Flags", Self.describe(globals))
            + (details.isEmpty ? "" : "\n\(details)\n")
            + "\n'\(program.name) COMMAND --help' says more about a command.\n"
    }

    /// What `PROGRAM COMMAND --help` prints.
    func help(of command: Command<Context>) -> String {
        let usage = [program.name, command.name, command.synopsis].filter { !$0.isEmpty }.joined(separator: " ")
        let details = command.details()
        return "Usage: \(usage)\n\n\(command.summary)\n"
            + (details.isEmpty ? "" : "\n\(details)\n")
            + Self.section("Flags", Self.describe(command.grammar ?? FlagGrammar([])))
            + Self.section("Examples", command.examples.map { ($0, "") })
    }

    private static func describe(_ grammar: FlagGrammar) -> [(String, String)] {
        grammar.flags.filter { !$0.help.isEmpty }.map { flag in
            let short = flag.short.map { "-\($0), " } ?? "    "
            let names = flag.names.map { "--\($0)" }.joined(separator: ", ")
            return (short + names + (flag.placeholder.map { " \($0)" } ?? ""), flag.help)
        }
    }

    private static func section(_ title: String, _ lines: [(left: String, right: String)]) -> String {
        guard !lines.isEmpty else { return "" }
        let width = lines.map(\.left.count).max() ?? 0
        return lines.reduce("\n\(title):\n") { text, line in
            let padding = String(repeating: " ", count: width - line.left.count + 2)
            return text + "  " + line.left + (line.right.isEmpty ? "" : padding + line.right) + "\n"
        }
    }
}
