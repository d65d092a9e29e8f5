public import ArgumentParser
public import CommandSupport

extension ParsableCommand {
    /// Parses this process's arguments, runs the command and ends the process, without `async` and with errors of
    /// one line: `PROGRAM: message`.
    ///
    /// Use it as the only statement of a program's `main.swift`: `ImageCommand.main(as: Program(name: "swbox"))`.
    public static func main(as program: Program) -> Never {
        program.main {
            do {
                var command = try parseAsRoot()
                try command.run()
                return .success
            } catch {
                return try settle(error, program)
            }
        }
    }

    /// Help and `--version` go to standard output and are a success; a misunderstood command line gets one line that
    /// says where the usage is; every other error is thrown on.
    private static func settle(_ error: any Error, _ program: Program) throws -> ExitStatus {
        if error is CommandFailure { throw error }
        if let code = error as? ExitCode { return ExitStatus(rawValue: code.rawValue) }
        let code = exitCode(for: error)
        if code == .success {
            Output.line(fullMessage(for: error))
            return .success
        }
        guard code == .validationFailure else { throw error }
        let message = message(for: error)
        let lowered = message.prefix(1).lowercased() + message.dropFirst()
        throw CommandFailure("\(withoutFullStop(lowered)) (\(program.name) --help)", status: program.usage)
    }

    private static func withoutFullStop(_ message: String) -> String {
        let line = message.split(separator: "\n", omittingEmptySubsequences: true).joined(separator: "; ")
        return line.hasSuffix(".") ? String(line.dropLast()) : line
    }
}
