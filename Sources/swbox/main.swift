import CLinux
import CommandSupport
import Engine

let program = Program(name: "swbox", usage: .engineFailure)
program.main { try CommandTable.run(Array(CommandLine.arguments.dropFirst()), program) }
