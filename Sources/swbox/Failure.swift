import CommandSupport
import Engine
import NetworkModel

/// docker's exit codes for what the engine throws.
enum Failure {
    /// - Parameter status: What the command exits with for errors of the engine.
    static func of(_ error: any Error, default status: ExitStatus) -> any Error {
        if error is CommandFailure { return error }
        switch (error as? EngineError)?.kind {
        case .cannotExecute: return CommandFailure("\(error)", status: .cannotExecute)
        case .commandNotFound: return CommandFailure("\(error)", status: .notFound)
        // A container that is not there, or not in the right state, is no failure of a command in it.
        case .notFound, .conflict:
            return CommandFailure("\(error)", status: status == .cannotExecute ? .failure : status)
        default: return CommandFailure("\(error)", status: status)
        }
    }
}
