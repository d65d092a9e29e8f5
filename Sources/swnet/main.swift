import CommandSupport

let program = Program(name: "swnet")

program.main { try SwnetCommands.table(program).run(Array(CommandLine.arguments.dropFirst())) }
