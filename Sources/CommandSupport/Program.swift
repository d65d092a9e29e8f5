import CLinux

/// The one place where a program begins and ends: errors become one line on standard error and an exit status.
///
/// There is no `async` and no second thread: a process that clones containers has to stay single-threaded.
public struct Program: Sendable {
    /// The name in front of every message.
    public let name: String
    /// The exit status of an error that carries none.
    public let failure: ExitStatus
    /// The exit status of a command line that was not understood: a flag, or its value.
    public let usage: ExitStatus
    /// The exit status of a command line that names no command, or lacks arguments.
    public let arguments: ExitStatus

    public init(name: String, failure: ExitStatus = .failure, usage: ExitStatus = .usage, arguments: ExitStatus? = nil)
    {
        self.name = name
        self.failure = failure
        self.usage = usage
        self.arguments = arguments ?? usage
    }

    /// Runs the program's body and ends the process with the status it returns, or with that of its error.
    public func main(_ body: () throws -> ExitStatus) -> Never {
        // A reader that goes away is an error of `write`, which names what was written; not a silent death in the
        // middle of a transaction. An empty handler, and not SIG_IGN, because that would last through exec into what
        // the program starts.
        signal(SIGPIPE) { _ in }
        do {
            exit(with: try body())
        } catch {
            exit(with: report(error))
        }
    }

    /// Prints an error as `PROGRAM: message` in one line and returns the status that goes with it.
    @discardableResult
    public func report(_ error: any Error) -> ExitStatus {
        Output.errorLine("\(name): \("\(error)".printable)")
        return (error as? CommandFailure)?.status ?? failure
    }

    /// Says something that a person should know on standard error: `PROGRAM: message`.
    public func notify(_ message: String) { Output.errorLine("\(name): \(message.printable)") }

    /// Says something that is not an error on standard error: `PROGRAM: warning: message`.
    public func warn(_ message: String) { Output.errorLine("\(name): warning: \(message.printable)") }

    /// Ends the process. Nothing is buffered, so nothing has to be flushed.
    public func exit(with status: ExitStatus) -> Never { _exit(status.rawValue) }
}
