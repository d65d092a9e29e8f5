import CLinux
import CommandSupport

let program = Program(name: "swbox", usage: .engineFailure, arguments: .failure)

// Directories that containers' users have to enter get the modes they are made with, whatever the caller's umask is.
umask(0o022)
program.main { try SwboxCommands.table(program).run(Program.words) }
