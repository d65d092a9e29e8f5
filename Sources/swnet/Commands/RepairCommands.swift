import CommandSupport
import JSONCoding
import NetworkEngine
import NetworkModel

extension SwnetCommands {
    static let check = Command(
        "check", "[--format table|json]", summary: "compare the kernel with what is recorded, and say every difference",
        details: """
            Links, addresses, routes, kernel parameters, the firewall, leases, the index of ports and names. Exits with 1 when
            something of ours is different. What others do that stands in the way is said and is no failure.
            """,
        examples: ["swnet check", "swnet check --format json"], grammar: FlagGrammar([.format]),
        run: { invocation in
            try invocation.require(0...0, "no argument")
            let format = try invocation.format
            let differences = try invocation.engine.check()
            if format == .json {
                try JSONOutput.print(JSONValue.array(differences.map(\.json)))
            } else {
                for difference in differences { Output.line("\(difference)".printable) }
            }
            return differences.contains(where: \.isOurs) ? .failure : .success
        })

    static let repair = Command(
        "repair", summary: "make right what is different, without disturbing what is right",
        details: "Prints what it repaired. Exits with 1 when something of ours is still different.",
        examples: ["swnet repair"],
        run: { invocation in
            try invocation.require(0...0, "no argument")
            let (repaired, left) = try invocation.engine.repair()
            for difference in repaired { Output.line("repaired \(difference)".printable) }
            for difference in left { invocation.program.warn("\(difference)") }
            return left.contains(where: \.isOurs) ? .failure : .success
        })
}
