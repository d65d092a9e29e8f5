import ArgumentParser
import ArgumentSupport
import CommandSupport

// The parser takes 2 ms to look at all commands and 1 ms to look at one, so a command line that is right is parsed by
// its own command alone. Everything else (help, mistakes, what is to be said about them) takes the way through the root.
let words = Array(CommandLine.arguments.dropFirst())
if let name = words.first, let type = Swnet.command(named: name),
    let command = try? type.parse(Array(words.dropFirst()))
{
    Swnet.program.main {
        var command = command
        try command.run()
        return .success
    }
}
Swnet.main(as: Swnet.program)
