import CLinux
import LinuxSystem
import SystemPackage

/// Where a container's first process waits until it is started: a socket in the container's directory, which only
/// its owner can reach.
///
/// Against a FIFO, which is runc's way, the process needs no /proc of the container to open it, and can answer: the
/// connection ends when the program is executed, or carries why it could not be.
struct StartGate: ~Copyable {
    /// What a connection begins with.
    enum Request: UInt8 {
        case start = 1
        case namespaces = 2
    }

    /// Handed to the container's process; -1 for one that its launcher starts.
    let listenerNumber: Int32
    private let listener: Descriptor?
    /// Handed to it as well: the file that is locked until it executes the container's program, when the kernel lets go of
    /// it with the last descriptor.
    let waitingNumber: Int32
    private let waiting: Descriptor?

    /// - Parameter isOpen: Whether another command may start the container.
    /// - Parameter isSeen: Whether it matters to others that the program has not begun: not for one that begins in a moment.
    init(in directory: borrowing Descriptor, isOpen: Bool, isSeen: Bool) throws(SystemError) {
        guard isOpen || isSeen else {
            listenerNumber = -1
            listener = nil
            waitingNumber = -1
            waiting = nil
            return
        }
        let file = try Self.make(in: directory)
        let number = isOpen ? try Self.socket(in: directory, listening: true).release() : -1
        listenerNumber = number
        listener = number >= 0 ? Descriptor(owning: number) : nil
        waitingNumber = file.rawValue
        waiting = consume file
    }

    /// The only file of the host's that a container which waits has open. Its name and kind are those of what runc's and
    /// crun's have open, so that who looks for descriptors that should not be there knows it.
    private static let file = "exec.fifo"

    private static func make(in directory: borrowing Descriptor) throws(SystemError) -> Descriptor {
        guard unsafe mkfifoat(directory.rawValue, file, 0o600) == 0 else {
            throw SystemError("make", file, errno: .last)
        }
        let file = try opened(in: directory)
        guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 else { throw SystemError("lock", Self.file, errno: .last) }
        return file
    }

    /// Opens the file whose lock says that the process waits, for its lock.
    static func opened(in directory: borrowing Descriptor) throws(SystemError) -> Descriptor {
        // Without waiting for who writes to it, which nobody does.
        try Descriptor.open(file, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, relativeTo: directory.rawValue)
    }

    /// Forgets what belongs to waiting.
    static func remove(from directory: borrowing Descriptor) throws(SystemError) {
        for name in [file, "start"] { try directory.remove(name) }
    }

    /// By descriptor, because an address holds only 107 bytes, and the directory's path may be longer.
    private static func socket(in directory: borrowing Descriptor, listening: Bool) throws(SystemError) -> Descriptor {
        let path = "\(directory.procPath)/start"
        let number = unsafe swn_unix_socket(Int32(SOCK_SEQPACKET.rawValue), path, listening ? 1 : 0)
        guard number >= 0 else { throw SystemError(listening ? "listen at" : "connect to", path, errno: .last) }
        return Descriptor(owning: number)
    }

    /// Starts the process that waits behind the gate in this directory, and waits for its exec.
    ///
    /// - Returns: Why it could not be executed; nil when it was.
    /// - Throws: `SystemError`; ECONNREFUSED when nobody waits there any more.
    ///
    /// - Parameter handOver: Gets the listener of the filter, when it has one.
    static func open(
        in directory: borrowing Descriptor, handOver: (borrowing Descriptor) throws -> Void
    ) throws -> InitRecord? {
        let connection = SequencedSocket(owning: try socket(in: directory, listening: false))
        try connection.send([Request.start.rawValue])
        while var message = try connection.receive(limit: InitRecord.size) {
            guard let record = InitRecord(bytes: message.bytes) else {
                throw SystemError("start the container", "", errno: Errno(rawValue: EPROTO))
            }
            guard record.stage == .listener, let listener = message.descriptor.take() else { return record }
            try handOver(listener)
            try connection.send([1])
        }
        return nil
    }

    /// Asks the process that waits behind the gate for its namespaces.
    ///
    /// It is not dumpable, so that nobody in the container can look into a process that still has what is the host's. But
    /// then an ordinary user cannot enter its namespaces through its number or its pidfd either: the kernel asks for
    /// CAP_SYS_PTRACE in the user namespace that the runtime was executed in (ptrace(2), "access mode checking").
    /// - Throws: `SystemError`; ECONNREFUSED when nobody waits there any more.
    static func namespaces(in directory: borrowing Descriptor) throws -> [NamespaceKind: SharedDescriptor] {
        let connection = SequencedSocket(owning: try socket(in: directory, listening: false))
        try connection.send([Request.namespaces.rawValue])
        var namespaces: [NamespaceKind: SharedDescriptor] = [:]
        for kind in NamespaceKind.allCases {
            guard var message = try connection.receive(limit: InitRecord.size),
                let record = InitRecord(bytes: message.bytes), record.stage == .namespace
            else { throw SystemError("ask for the container's namespaces", errno: Errno(rawValue: EPROTO)) }
            guard let descriptor = message.descriptor.take() else {
                // A kernel without the kind has nobody in one.
                if record.errno == ENOENT, kind == .time || kind == .cgroup { continue }
                throw SystemError(
                    "enter the container before its start", "/proc/self/ns/\(kind.rawValue)",
                    errno: Errno(rawValue: record.errno), hint: "this needs a file system proc in the container")
            }
            namespaces[kind] = SharedDescriptor(descriptor)
        }
        return namespaces
    }
}
