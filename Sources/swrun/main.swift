import CommandSupport

let usage = """
    usage: swrun run [--bundle DIR] ID     run the container that DIR/config.json describes
           swrun spec [--bundle DIR]       write a config.json to start from
    """

// The runtime's program is kept to a table: it starts once for every container, and a parser that could do more would
// take longer to load than the container takes to start.
Program(name: "swrun", failure: .engineFailure).main {
    let arguments = Array(CommandLine.arguments.dropFirst())
    switch arguments.first {
    case "run": return try RunCommand(Array(arguments.dropFirst())).run()
    case "spec": return try SpecCommand(Array(arguments.dropFirst())).run()
    case "help", "--help", "-h":
        Output.line(usage)
        return .success
    case nil: throw CommandFailure(usage, status: .usage)
    case let name?: throw CommandFailure("unknown command '\(name)'\n\(usage)", status: .usage)
    }
}
