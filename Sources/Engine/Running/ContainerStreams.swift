import CLinux
import ContainerRuntime
import LinuxSystem
import SystemPackage

/// The pipes between a container without a terminal and its supervisor.
///
/// The container never gets the caller's own descriptors: through /proc/self/fd it could open the caller's terminal
/// or files again, for more than it was given.
struct ContainerStreams: ~Copyable {
    /// The container's ends; its input is /dev/null unless it is kept open.
    let childInput: Descriptor
    let childOutput: Descriptor
    let childError: Descriptor
    /// The supervisor's ends.
    var input: Descriptor?
    let output: Descriptor
    let error: Descriptor

    /// - Parameter owner: The container's user, who has to be allowed to open /dev/stdout, which is the pipe.
    init(isInteractive: Bool, owner: UInt32) throws(SystemError) {
        let output = try Pipe()
        let error = try Pipe()
        if owner != 0 {
            fchown(output.writer.rawValue, owner, UInt32.max)
            fchown(error.writer.rawValue, owner, UInt32.max)
        }
        if isInteractive {
            let input = try Pipe()
            childInput = input.reader
            self.input = .some(input.writer)
        } else {
            childInput = try Descriptor.open("/dev/null", O_RDONLY)
            input = nil
        }
        childOutput = output.writer
        self.output = output.reader
        childError = error.writer
        self.error = error.reader
    }
}

extension ContainerStreams {
    /// What the launcher hands to the container.
    var forChild: StandardStreams {
        .descriptors(input: childInput.rawValue, output: childOutput.rawValue, error: childError.rawValue)
    }

    /// The write end of the container's input; -1 when there is none.
    var inputNumber: Int32 {
        switch input {
        case .some(let input): input.rawValue
        case .none: -1
        }
    }

    /// Closes the container's ends here and keeps the others, so that the end of the container is the end of the file.
    consuming func channels() -> ForegroundSession.Channels {
        ForegroundSession.Channels(input: input, output: output, error: error)
    }
}

/// The two ends of a pipe. The corresponding system call is `pipe2(O_CLOEXEC)`.
struct Pipe: ~Copyable {
    let reader: Descriptor
    let writer: Descriptor

    init() throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw SystemError("make a pipe", errno: .last) }
        reader = Descriptor(owning: ends[0])
        writer = Descriptor(owning: ends[1])
    }

    /// Closes the write end here, so that the end of the other writers is the end of the file.
    consuming func intoReader() -> Descriptor { reader }

    /// Closes the read end here, so that a writer notices when the reader has gone.
    consuming func intoWriter() -> Descriptor { writer }
}
