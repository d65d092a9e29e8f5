import ArgumentParser
import CommandSupport

/// The helper that `swbox import` and `swbox load` become: it links the archive library, so that `swbox` need not.
struct ImageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "swbox-image", abstract: "Make images out of archives.",
        subcommands: [ImportCommand.self, LoadCommand.self])
}

let program = Program(name: "swbox", usage: .engineFailure)

program.main {
    do {
        var command = try ImageCommand.parseAsRoot()
        try command.run()
        return .success
    } catch let error as CommandFailure {
        throw error
    } catch {
        // The parser throws its own help and usage errors, for which it knows the words; all others are ours.
        let code = ImageCommand.exitCode(for: error)
        if code == .success {
            Output.line(ImageCommand.fullMessage(for: error))
            return .success
        }
        if code == .validationFailure {
            Output.errorLine("swbox: \(ImageCommand.message(for: error))")
            return .engineFailure
        }
        throw error
    }
}
