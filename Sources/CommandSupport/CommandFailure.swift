/// Why a command ends without having done its work: one line for the person and a number for the script.
public struct CommandFailure: Error, Hashable, Sendable {
    /// Lower case, without a full stop; it names the object and its value.
    public var message: String
    public var status: ExitStatus
    /// Whether the message says by itself who speaks: then the program's name does not stand in front.
    public var isWhole = false
    /// Whether it has been said on standard error already.
    public var isTold = false

    public init(_ message: String, status: ExitStatus = .failure) {
        self.message = message
        self.status = status
    }
}

extension CommandFailure: CustomStringConvertible {
    public var description: String { message }
}

/// What a program hands back to its caller, 0 to 255.
public struct ExitStatus: RawRepresentable, Hashable, Sendable {
    public var rawValue: Int32

    public init(rawValue: Int32) { self.rawValue = rawValue }

    public static let success = ExitStatus(rawValue: 0)
    /// The command could not do what it was asked for.
    public static let failure = ExitStatus(rawValue: 1)
    /// The command line was not understood (sysexits.h: EX_USAGE).
    public static let usage = ExitStatus(rawValue: 64)
    /// docker's: the engine itself failed, before the container's command had a chance to run.
    public static let engineFailure = ExitStatus(rawValue: 125)
    /// The container's command was found and cannot be executed.
    public static let cannotExecute = ExitStatus(rawValue: 126)
    /// The container's command was not found.
    public static let notFound = ExitStatus(rawValue: 127)
    /// A shell's number for a process that a signal ended.
    public static func signal(_ number: Int32) -> ExitStatus { ExitStatus(rawValue: 128 + number) }
}
