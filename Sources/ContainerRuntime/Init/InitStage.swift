import CLinux

/// The steps of a container's first process, in their order: what a record from it is about.
enum InitStage: UInt16, Sendable {
    // Not failures.
    /// All is made; the child waits for the go-ahead.
    case ready
    /// Carries the terminal's other end.
    case console
    /// The mounts are made; the child waits until the launcher's hooks have run, and learns its number.
    case hooks
    /// The child does not depend on its launcher any more; it waits for whoever starts it.
    case detached
    /// Carries the listener of the seccomp filter; the child waits until somebody has it.
    case listener
    /// Carries a namespace of a first process that waits, for who may not look into it.
    case namespace
    /// Carries the mount namespace of a process that asks for a mount.
    case mountNamespace
    /// Carries its root, and asks for the source of a bind.
    case wantsSource
    /// Asks for the node of a device of the document, or of one that every container has.
    case wantsDevice
    case wantsNode
    /// The launcher's answer, which carries the mount.
    case lent

    case parent
    case streams
    case userNamespace
    case joinNamespace
    case cgroup
    case cgroupNamespace
    case timeNamespace
    case processors
    case scheduler
    case ioPriority
    case memoryPolicy
    case keyring
    case session
    case oomScore
    case loopback
    case propagation
    case root
    case attachRoot
    case mount
    case mountTarget
    case device
    case deviceLinks
    case terminal
    case sysctl
    case maskedPath
    case readOnlyPath
    case readOnlyRoot
    case hook
    case pivot
    case hostname
    case domainname
    case personality
    case rlimit
    case bounding
    case groups
    case gid
    case uid
    case capabilities
    case ambient
    case noNewPrivileges
    case label
    case landlock
    case seccomp
    case workingDirectory
    case workingDirectoryOutside
    case processMissing
    case commandMissing
    case commandDenied
    case commandDirectory
    case commandIsRuntime
    case goAhead
    case descriptors
    case execute
}

/// A step that failed: what the child reports before it ends. A plain value, so that throwing it allocates nothing.
struct InitFailure: Error {
    var stage: InitStage
    /// Which of the stage's items, in the plan's lists.
    var index: Int32
    var errno: Int32
    /// What the kernel said about it besides.
    var words: String?

    init(_ stage: InitStage, _ index: Int32 = 0, errno: Int32 = swn_errno(), words: String? = nil) {
        self.stage = stage
        self.index = index
        self.errno = errno
        self.words = words
    }
}

/// What goes over the socket: a stage, an index, an errno and a line of text, in a fixed size.
struct InitRecord {
    static let size = 320
    private static let header = 12

    var stage: InitStage
    var index: Int32
    var errno: Int32
    var words: String

    init(_ stage: InitStage) {
        (self.stage, index, errno, words) = (stage, 0, 0, "")
    }

    init(_ failure: InitFailure) {
        (stage, index, errno, words) = (failure.stage, failure.index, failure.errno, failure.words ?? "")
    }

    /// Nil for bytes that no child of ours sends.
    init?(bytes: [UInt8]) {
        guard bytes.count == Self.size,
            let stage = InitStage(rawValue: UInt16(bytes[0]) | UInt16(bytes[1]) << 8)
        else { return nil }
        func number(_ at: Int) -> Int32 {
            Int32(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) })
        }
        self.stage = stage
        index = number(4)
        errno = number(8)
        words = String(decoding: bytes[Self.header...].prefix { $0 != 0 }, as: UTF8.self)
    }

    var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.size)
        bytes[0] = UInt8(truncatingIfNeeded: stage.rawValue)
        bytes[1] = UInt8(truncatingIfNeeded: stage.rawValue >> 8)
        for position in 0..<4 {
            bytes[4 + position] = UInt8(truncatingIfNeeded: index >> (8 * position))
            bytes[8 + position] = UInt8(truncatingIfNeeded: errno >> (8 * position))
        }
        for (position, byte) in words.utf8.prefix(Self.size - Self.header - 1).enumerated() {
            bytes[Self.header + position] = byte
        }
        return bytes
    }
}
