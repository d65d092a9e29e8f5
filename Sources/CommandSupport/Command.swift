/// A command of a program: its grammar, its help, and what it does with what it was given.
///
/// `Context` is what every command of the program works with: the engine behind it.
public struct Command<Context>: Sendable {
    public var name: String
    /// What stands behind the name in the usage line.
    public var synopsis: String
    /// One line, lower case, without a full stop.
    public var summary: String
    /// What a person should know before using it; whole sentences, wrapped by hand. Only help asks for it, and it may be
    /// long: no other command waits until it is made.
    public var details: @Sendable () -> String
    /// Whole command lines that work.
    public var examples: @Sendable () -> [String]
    /// Nil for a command whose words another program understands. Made for the one command that runs.
    public var grammar: @Sendable () -> FlagGrammar?
    /// Commands that other programs of ours call are not listed.
    public var isHidden: Bool
    /// What an error exits with that has no status of its own.
    public var failure: ExitStatus
    public var run: @Sendable (Invocation<Context>) throws -> ExitStatus

    public init(
        _ name: String, _ synopsis: String = "", summary: String,
        details: @escaping @Sendable @autoclosure () -> String = "",
        examples: @escaping @Sendable @autoclosure () -> [String] = [],
        grammar: @escaping @Sendable @autoclosure () -> FlagGrammar? = FlagGrammar([]), isHidden: Bool = false,
        failure: ExitStatus = .failure,
        run: @escaping @Sendable (Invocation<Context>) throws -> ExitStatus
    ) {
        self.name = name
        self.synopsis = synopsis
        self.summary = summary
        self.details = details
        self.examples = examples
        self.grammar = grammar
        self.isHidden = isHidden
        self.failure = failure
        self.run = run
    }
}

/// A command line that has been understood.
public struct Invocation<Context> {
    public var context: Context
    public var flags: ParsedFlags
    public var program: Program
    /// The command's name, for messages.
    public var command: String
    /// Everything behind the command's name, for a program that is executed instead.
    public var words: [String]

    public var arguments: [String] { flags.arguments }

    /// Checks how many arguments there are.
    ///
    /// - Parameter what: What the command wants: `one network`.
    /// - Throws: `CommandFailure` that says so and where the help is.
    public func require(_ count: ClosedRange<Int>, _ what: String) throws(CommandFailure) {
        guard !count.contains(arguments.count) else { return }
        var failure = misuse("\(command) needs \(what)")
        failure.status = program.arguments
        throw failure
    }

    /// The same for a command that takes any number above the least.
    public func require(_ count: PartialRangeFrom<Int>, _ what: String) throws(CommandFailure) {
        try require(count.lowerBound...Int.max, what)
    }

    /// A command line that is wrong, with where the help is.
    public func misuse(_ message: String) -> CommandFailure {
        CommandFailure("\(message) (\(program.name) \(command) --help)", status: program.usage)
    }

    /// The value of `--format`; a table when it was not given.
    public var format: OutputFormat {
        get throws(CommandFailure) {
            guard let text = flags.value("format") else { return .table }
            do throws(CommandFailure) {
                return try OutputFormat(parsing: text)
            } catch {
                throw misuse(error.message)
            }
        }
    }
}

extension FlagGrammar.Flag {
    /// `--format table|json`, which every listing takes.
    public static let format = Self("format", value: "FORMAT", help: "table or json")
}
