/// The grammar of docker's command line, which is that of Go's pflag and not getopt's.
///
/// `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`; switches join (`-it`), and the last of them may
/// take a value (`-dp 80:80`); a switch takes a value only after `=` (`--rm=false`); `--` ends the flags. Where flags
/// are not interspersed, the first argument that is none ends them too: what follows an image belongs to its command.
public struct FlagGrammar: Sendable {
    /// A flag that a command knows.
    public struct Flag: Sendable {
        /// Without the dashes: under this its values are found.
        public var key: String
        /// Other names of it.
        public var aliases: [String]
        public var short: Character?
        /// What stands for the value in the help; nil for a switch.
        public var placeholder: String?
        public var help: String
        /// Whether several values are as good as one.
        public var isRepeatable = false

        public var isSwitch: Bool { placeholder == nil }
        public var names: [String] { [key] + aliases }

        /// A switch.
        public init(_ key: String, _ aliases: String..., short: Character? = nil, help: String) {
            self.init(key, aliases, short: short, placeholder: nil, help: help)
        }

        /// A flag with a value.
        public init(
            _ key: String, _ aliases: String..., short: Character? = nil, value placeholder: String,
            isRepeatable: Bool = false, help: String
        ) {
            self.init(key, aliases, short: short, placeholder: placeholder, help: help)
            self.isRepeatable = isRepeatable
        }

        private init(_ key: String, _ aliases: [String], short: Character?, placeholder: String?, help: String) {
            self.key = key
            self.aliases = aliases
            self.short = short
            self.placeholder = placeholder
            self.help = help
        }
    }

    public var flags: [Flag]
    public var isInterspersed: Bool
    /// Whether two values of a flag that can have one are an error, unless they are the same. With pflag the last one counts.
    public var refusesContradictions = false

    public init(_ flags: [Flag], interspersed: Bool = true) {
        self.flags = flags
        isInterspersed = interspersed
    }

    /// Parses arguments, without the program's and the command's name.
    ///
    /// - Throws: `FlagError`, in pflag's words, for a flag that is unknown, lacks its value or has one it cannot have.
    public func parse(_ arguments: some Collection<String>) throws(FlagError) -> ParsedFlags {
        var parsed = ParsedFlags()
        var rest = Array(arguments)[...]
        while let argument = rest.popFirst() {
            if argument == "--" {
                parsed.arguments += rest
                break
            } else if argument.utf8.starts(with: "--".utf8) {
                try parseLong(Substring(argument.utf8.dropFirst(2)), &rest, &parsed)
            } else if argument.utf8.first == UInt8(ascii: "-") && argument != "-" {
                try parseShort(argument, &rest, &parsed)
            } else {
                parsed.arguments.append(argument)
                if !isInterspersed {
                    parsed.arguments += rest
                    break
                }
            }
        }
        if refusesContradictions { try checkContradictions(parsed) }
        return parsed
    }

    private func checkContradictions(_ parsed: ParsedFlags) throws(FlagError) {
        for flag in flags where !flag.isRepeatable {
            let values = parsed.values(flag.key)
            guard let first = values.first, let other = values.first(where: { $0 != first }) else { continue }
            throw FlagError("'\(first)' and '\(other)' for --\(flag.key) contradict each other")
        }
    }

    private func parseLong(
        _ text: Substring, _ rest: inout ArraySlice<String>, _ parsed: inout ParsedFlags
    ) throws(FlagError) {
        let equals = text.utf8.firstIndex(of: UInt8(ascii: "="))
        let name = text[..<(equals ?? text.endIndex)]
        guard !name.isEmpty, let flag = flags.first(where: { $0.key == name || $0.aliases.contains { $0 == name } })
        else {
            throw FlagError("unknown flag: --\(name)", isHelp: name == "help" || name == "usage")
        }
        if let equals {
            try parsed.add(String(text[text.utf8.index(after: equals)...]), to: flag, written: "--\(name)")
        } else if flag.isSwitch {
            try parsed.add("true", to: flag, written: "--\(name)")
        } else {
            guard let value = rest.popFirst() else { throw FlagError("flag needs an argument: --\(name)") }
            try parsed.add(value, to: flag, written: "--\(name)")
        }
    }

    private func parseShort(
        _ argument: String, _ rest: inout ArraySlice<String>, _ parsed: inout ParsedFlags
    ) throws(FlagError) {
        var letters = argument.dropFirst()
        while let letter = letters.popFirst() {
            guard let flag = flags.first(where: { $0.short == letter }) else {
                throw FlagError(
                    "unknown shorthand flag: '\(letter)' in \(argument)", isHelp: argument == "-h" || argument == "-?")
            }
            if letters.first == "=" {
                try parsed.add(String(letters.dropFirst()), to: flag, written: "-\(letter)")
                return
            } else if flag.isSwitch {
                try parsed.add("true", to: flag, written: "-\(letter)")
            } else if !letters.isEmpty {
                try parsed.add(String(letters), to: flag, written: "-\(letter)")
                return
            } else {
                guard let value = rest.popFirst() else {
                    throw FlagError("flag needs an argument: '\(letter)' in \(argument)")
                }
                try parsed.add(value, to: flag, written: "-\(letter)")
            }
        }
    }
}

/// What was found on a command line.
public struct ParsedFlags: Sendable {
    /// What is no flag, in order.
    public internal(set) var arguments: [String] = []
    /// In the order of the command line.
    private var values: [Value] = []

    private struct Value {
        var key: String
        var value: String
    }

    public init() {}

    /// Whether a switch is on; the last one counts.
    public func isOn(_ key: String) -> Bool { value(key) == "true" }

    /// The last value of a flag; nil when it was not given.
    public func value(_ key: String) -> String? { values.last { $0.key == key }?.value }

    /// Every value of a flag, in order.
    public func values(_ key: String) -> [String] { values.filter { $0.key == key }.map { $0.value } }

    mutating func add(_ value: String, to flag: FlagGrammar.Flag, written: String) throws(FlagError) {
        guard flag.isSwitch else { return values.append(Value(key: flag.key, value: value)) }
        // strconv.ParseBool of Go, which decides this for docker.
        switch value {
        case "1", "t", "T", "true", "TRUE", "True": values.append(Value(key: flag.key, value: "true"))
        case "0", "f", "F", "false", "FALSE", "False": values.append(Value(key: flag.key, value: "false"))
        default: throw FlagError("invalid argument \"\(value)\" for \"\(written)\" flag: not a truth value")
        }
    }
}

/// A command line that does not follow the grammar.
public struct FlagError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    /// Whether it asks for help, which every grammar knows that does not say otherwise.
    public var isHelp: Bool

    public init(_ description: String, isHelp: Bool = false) {
        self.description = description
        self.isHelp = isHelp
    }
}
