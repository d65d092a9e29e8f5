/// How a program's help is laid out: as that of the program it stands in for.
public enum HelpLayout: Sendable {
    /// `Usage:` first, then what the command is for.
    case docker
    /// What it is for first, below `NAME:` (the templates of urfave/cli).
    case runc
}

extension CommandTable {
    /// What `PROGRAM --help` prints.
    var help: String {
        let shown = commands().filter { !$0.isHidden }.map { (left: $0.name, right: $0.summary) }
        let more = "'\(program.name) COMMAND --help' says more about a command."
        switch layout {
        case .docker:
            return "Usage: \(program.name) [FLAG…] COMMAND …\n\n\(summary)\n"
                + section("Commands", shown) + section("Flags", describe(globals()))
                + (details.isEmpty ? "" : "\n\(details)\n") + "\n\(more)\n"
        case .runc:
            return Self.lines("NAME", "\(program.name) - \(summary)")
                + Self.lines("\nUSAGE", "\(program.name) [GLOBAL OPTION…] COMMAND [OPTION…] …")
                + Self.lines("\nDESCRIPTION", details.isEmpty ? more : "\(details)\n\(more)")
                + section("COMMANDS", shown) + section("GLOBAL OPTIONS", describe(globals()))
        }
    }

    /// What `PROGRAM COMMAND --help` prints.
    func help(of command: Command<Context>) -> String {
        let usage = [program.name, command.name, command.synopsis].filter { !$0.isEmpty }.joined(separator: " ")
        let details = command.details()
        let flags = describe(command.grammar() ?? FlagGrammar([]))
        let examples = command.examples().map { (left: program.renamed($0), right: "") }
        switch layout {
        case .docker:
            return "Usage: \(usage)\n\n\(command.summary)\n" + (details.isEmpty ? "" : "\n\(details)\n")
                + section("Flags", flags) + section("Examples", examples)
        case .runc:
            return Self.lines("NAME", "\(program.name) \(command.name) - \(command.summary)")
                + Self.lines("\nUSAGE", usage) + (details.isEmpty ? "" : Self.lines("\nDESCRIPTION", details))
                + section("OPTIONS", flags) + section("EXAMPLES", examples)
        }
    }

    private func describe(_ grammar: FlagGrammar) -> [(left: String, right: String)] {
        let flags = grammar.flags.filter { !$0.help.isEmpty }
        switch layout {
        case .docker:
            return flags.map { flag in
                let short = flag.short.map { "-\($0), " } ?? "    "
                let names = flag.names.map { "--\($0)" }.joined(separator: ", ")
                return (short + names + (flag.placeholder.map { " \($0)" } ?? ""), flag.help)
            }
        case .runc:
            return (flags + [.init("help", short: "h", help: "show help")]).map { flag in
                let names = flag.names.map { "--\($0)" } + (flag.short.map { ["-\($0)"] } ?? [])
                return (names.map { $0 + (flag.placeholder.map { " \($0)" } ?? "") }.joined(separator: ", "), flag.help)
            }
        }
    }

    private static func lines(_ title: String, _ text: String) -> String {
        "\(title):\n" + text.split(separator: "\n").map { "   \($0)\n" }.joined()
    }

    private func section(_ title: String, _ lines: [(left: String, right: String)]) -> String {
        guard !lines.isEmpty else { return "" }
        let indent = layout == .runc ? "   " : "  "
        let width = lines.map(\.left.count).max() ?? 0
        return lines.reduce("\n\(title):\n") { text, line in
            let padding = String(repeating: " ", count: width - line.left.count + 2)
            return text + indent + line.left + (line.right.isEmpty ? "" : padding + line.right) + "\n"
        }
    }
}
