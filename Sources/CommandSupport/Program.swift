import CLinux
import JSONCoding

/// The one place where a program begins and ends: errors become one line on standard error and an exit status.
///
/// There is no `async` and no second thread: a process that clones containers has to stay single-threaded.
public struct Program: Sendable {
    /// The name in front of every message.
    public let name: String
    /// The name it was given by those who wrote it, and has in the examples of its help.
    private let ownName: String
    /// The exit status of an error that carries none.
    public let failure: ExitStatus
    /// The exit status of a command line that was not understood: a flag, or its value.
    public let usage: ExitStatus
    /// The exit status of a command line that names no command, or lacks arguments.
    public let arguments: ExitStatus

    /// - Parameter calledName: The name it goes by when it is called by another than its own (`calledName`).
    public init(
        name: String, calledAs calledName: String? = nil, failure: ExitStatus = .failure, usage: ExitStatus = .usage,
        arguments: ExitStatus? = nil
    ) {
        self.name = calledName ?? name
        ownName = name
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

    /// Whether one of the command line's words is this one, asked before any of them is read.
    public static func isAsked(for word: String) -> Bool {
        var next = unsafe swn_arguments()
        while let argument = unsafe next?.pointee {
            if unsafe strcmp(argument, word) == 0 { return true }
            unsafe next = unsafe next?.successor()
        }
        return false
    }

    /// The command line without the program's own name. For `CommandLine.arguments` more of the standard library would
    /// have to be in memory.
    public static var words: [String] {
        var words: [String] = []
        var next = unsafe swn_arguments()
        // Kernels before 5.18 start a program without even its own name.
        guard unsafe next?.pointee != nil else { return [] }
        unsafe next = unsafe next?.successor()
        while let argument = unsafe next?.pointee {
            let bytes = unsafe UnsafeRawBufferPointer(start: argument, count: strlen(argument))
            words.append(unsafe String(decoding: bytes, as: UTF8.self))
            unsafe next = unsafe next?.successor()
        }
        return words
    }

    /// The last component of the path that the program was called by, as C's programs have it
    /// (`program_invocation_short_name`): who is installed as a link under another's name answers to it.
    ///
    /// Nil for what is no file's name, or none that could stand in a message: the caller may have set it to anything.
    public static var calledName: String? {
        guard let path = unsafe swn_arguments()[0] else { return nil }
        let name = unsafe strrchr(path, Int32(UInt8(ascii: "/"))).map { unsafe $0 + 1 } ?? path
        let count = unsafe strlen(name)
        let characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._"
        guard count > 0, count <= 64, unsafe strspn(name, characters) == count,
            unsafe name.pointee != CChar(UInt8(ascii: "-")), unsafe name.pointee != CChar(UInt8(ascii: "."))
        else { return nil }
        // As above: `String(cString:)` would bring in more of the standard library.
        return unsafe String(decoding: UnsafeRawBufferPointer(start: name, count: count), as: UTF8.self)
    }

    /// A command line of the help, with the name that the program was called by.
    func renamed(_ example: String) -> String {
        guard name != ownName, example.hasPrefix("\(ownName) ") else { return example }
        return name + example.dropFirst(ownName.count)
    }

    /// Takes the numbers of standard streams that whoever started the program has closed: a file of ours that got one of
    /// them would be read from or written to by accident. What is in their place can only be used the wrong way round, so
    /// that using it is an error, and is closed for programs that are started.
    public static func occupyStandardStreams() {
        for (number, flag) in [(Int32(0), O_WRONLY), (1, O_RDONLY), (2, O_RDONLY)]
        where swn_fcntl(number, F_GETFD, 0) < 0 {
            _ = swn_openat(AT_FDCWD, "/dev/null", flag | O_CLOEXEC, 0)
        }
    }

    /// Prints an error as `PROGRAM: message` in one line and returns the status that goes with it.
    @discardableResult
    public func report(_ error: any Error) -> ExitStatus {
        let failure = error as? CommandFailure
        if let failure, failure.isTold { return failure.status }
        let prefix = failure?.isWhole == true ? "" : "\(name): "
        Output.errorLine("\(prefix)\("\(error)".printable)")
        return failure?.status ?? self.failure
    }

    /// Says something that a person should know on standard error: `PROGRAM: message`.
    public func notify(_ message: String) { Output.errorLine("\(name): \(message.printable)") }

    /// Says something that is not an error on standard error: `PROGRAM: warning: message`.
    public func warn(_ message: String) { Output.errorLine("\(name): warning: \(message.printable)") }

    /// Ends the process. Nothing is buffered, so nothing has to be flushed.
    public func exit(with status: ExitStatus) -> Never { _exit(status.rawValue) }
}
