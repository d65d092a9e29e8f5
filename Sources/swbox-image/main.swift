import ArgumentParser
import ArgumentSupport
import CommandSupport

/// The helper that `swbox import` and `swbox load` become: it links the archive library, so that `swbox` need not.
struct ImageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "swbox", abstract: "Make images out of archives.",
        subcommands: [ImportCommand.self, LoadCommand.self])
}

ImageCommand.main(as: Program(name: "swbox", usage: .engineFailure))
