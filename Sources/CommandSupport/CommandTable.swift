/// All commands of a program: finds the one that a command line means, explains it, or runs it.
public struct CommandTable<Context>: Sendable {
    public var program: Program
    public var version: String
    /// One sentence about the program.
    public var summary: String
    /// What is said below the list of commands.
    public var details: String
    /// Flags before the command's name. Made when there are some.
    public var globals: @Sendable () -> FlagGrammar
    /// All of them, for the help. No other command waits until they are made.
    let commands: @Sendable () -> [Command<Context>]
    private let command: @Sendable (String) -> Command<Context>?
    /// What the commands work with.
    public var context: @Sendable (ParsedFlags) throws -> Context
    /// The failure that an error of the engine is, in a command.
    public var explain: @Sendable (any Error, Command<Context>) -> any Error
    public var layout: HelpLayout
    private let refusesContradictions: Bool

    /// - Parameters:
    ///   - globals: What the program knows besides `--help` and `--version`.
    ///   - commands: All of them, in the order of the help.
    ///   - command: The one of a name. It alone is made when it is asked for.
    ///   - refusesContradictions: What every grammar of it does (`FlagGrammar`).
    public init(
        _ program: Program, version: String, summary: String, details: String = "",
        globals: @escaping @Sendable @autoclosure () -> [FlagGrammar.Flag] = [],
        commands: @escaping @Sendable @autoclosure () -> [Command<Context>],
        command: @escaping @Sendable (String) -> Command<Context>?, layout: HelpLayout = .docker,
        refusesContradictions: Bool = false,
        context: @escaping @Sendable (ParsedFlags) throws -> Context,
        explain: @escaping @Sendable (any Error, Command<Context>) -> any Error = { error, _ in error }
    ) {
        self.program = program
        self.version = version
        self.summary = summary
        self.details = details
        self.globals = {
            var grammar = FlagGrammar(
                globals() + [.init("version", short: "v", help: "show the version")], interspersed: false)
            grammar.refusesContradictions = refusesContradictions
            return grammar
        }
        self.refusesContradictions = refusesContradictions
        self.commands = commands
        self.command = command
        self.context = context
        self.explain = explain
        self.layout = layout
    }

    /// Runs a command line without the program's name.
    ///
    /// - Throws: `CommandFailure` for one that is not understood, and what the command throws.
    public func run(_ words: [String]) throws -> ExitStatus {
        var parsed = ParsedFlags()
        do {
            if words.first?.utf8.first == UInt8(ascii: "-") {
                parsed = try globals().parse(words)
            } else {
                parsed.arguments = words
            }
        } catch {
            return try settle(error, help: help, hint: "\(program.name) --help")
        }
        if parsed.isOn("version") || parsed.isOn("V") {
            Output.line("\(program.name) \(version)")
            return .success
        }
        guard let name = parsed.arguments.first else {
            Output.write(help)
            return .success
        }
        let rest = parsed.arguments.dropFirst()
        if name == "help" {
            Output.write(try rest.first.map { help(of: try command(named: $0, isHelp: true)) } ?? help)
            return .success
        }
        let isHelp = rest.first == "--help" || rest.first == "-h"
        return try run(try command(named: name, isHelp: isHelp), Array(rest), parsed)
    }

    private func command(named name: String, isHelp: Bool = false) throws(CommandFailure) -> Command<Context> {
        if let command = command(name) { return command }
        // The words of many programs, runc among them, for the help that is not there.
        let words = isHelp ? "No help topic for" : "unknown command"
        throw CommandFailure("\(words) '\(name)' (\(program.name) --help)", status: program.arguments)
    }

    private func run(_ command: Command<Context>, _ words: [String], _ globals: ParsedFlags) throws -> ExitStatus {
        let flags: ParsedFlags
        do {
            var grammar = command.grammar()
            grammar?.refusesContradictions = refusesContradictions
            flags = try grammar?.parse(words) ?? ParsedFlags()
        } catch {
            do throws(CommandFailure) {
                return try settle(error, help: help(of: command), hint: "\(program.name) \(command.name) --help")
            } catch {
                throw explain(error, command)
            }
        }
        do {
            return try command.run(
                Invocation(
                    context: try context(globals), flags: flags, program: program, command: command.name, words: words))
        } catch {
            throw explain(error, command)
        }
    }

    /// Help that was asked for is a success.
    private func settle(_ error: FlagError, help: String, hint: String) throws(CommandFailure) -> ExitStatus {
        guard error.isHelp else { throw CommandFailure("\(error) (\(hint))", status: program.usage) }
        Output.write(help)
        return .success
    }
}
