public import LinuxSystem
public import RuntimeSpec

/// Where the files of a container's root come from.
public enum RootFilesystem: Hashable, Sendable {
    /// A directory of the host, used as it is.
    case directory(String)
    /// Layers with a writable one on top; the overlay exists in the container's mount namespace only.
    case overlay(Overlay)

    public struct Overlay: Hashable, Sendable {
        /// The read-only layers, the topmost first.
        public var lower: [String]
        /// The writable layer and its work directory, which has to be empty and on the same file system.
        /// Without them the root cannot be written to.
        public var upper: String?
        public var work: String?
        /// Further options of overlayfs, for example `("metacopy", "on")` or `("volatile", nil)`.
        public var options: [MountSetting]

        public init(lower: [String], upper: String?, work: String?, options: [MountSetting] = []) {
            self.lower = lower
            self.upper = upper
            self.work = work
            self.options = options
        }
    }
}

/// An option of a file system: a flag when there is no value.
public struct MountSetting: Hashable, Sendable {
    public var name: String
    public var value: String?

    public init(_ name: String, _ value: String? = nil) {
        self.name = name
        self.value = value
    }
}

/// What the container's program gets as its descriptors 0, 1 and 2.
public enum StandardStreams: Hashable, Sendable {
    /// This process's own.
    case inherited
    /// Open descriptors of this process, borrowed until the container has started.
    case descriptors(input: Int32, output: Int32, error: Int32)
}

/// A cgroup's directory in one hierarchy of cgroup v1.
public struct HierarchyPlace: Hashable, Sendable {
    public var mountPoint: String
    /// Absolute.
    public var path: String
}

/// The cgroup a container starts in, as open files of it, borrowed until the container has started.
public struct CgroupJoin: Hashable, Sendable {
    /// Files that the child writes `0` to in order to move itself: `cgroup.procs`, or `tasks` of cgroup v1, which for
    /// a process of one thread is the same and spares the kernel a lock over all processes.
    public var descriptors: [Int32]
    /// A cgroup v2 directory to be cloned into, which costs no move at all; -1 for none.
    public var directory: Int32
    /// Where it is in v1, if it is in every hierarchy.
    public var places: [HierarchyPlace] = []
    /// Who puts the process there before it does anything, when neither it nor the launcher may.
    var unit: UnitJoin?

    public init(descriptors: [Int32] = [], directory: Int32 = -1) {
        self.descriptors = descriptors
        self.directory = directory
    }
}

/// What a container's document does not say: the host's side of it.
public struct LaunchOptions: Sendable {
    /// The directory that relative paths of the document start at.
    public var bundle: String
    /// The root; the document's `root.path` when nil.
    public var root: RootFilesystem?
    public var streams: StandardStreams
    public var cgroup: CgroupJoin
    /// Which system calls the container may make; nil for all.
    public var seccomp: SeccompProgram?
    /// What the container's first process gets when the thread that launched it ends; 0 for nothing.
    /// Until the container has started it is always killed.
    public var parentDeathSignal: Int32
    /// How many descriptors from 3 on the container's program inherits. All others are closed.
    public var preservedDescriptors: Int32
    /// Whether `lo` of a new network namespace is switched on here; not needed where the network's owner does it.
    public var bringsLoopbackUp: Bool
    /// An open socket at which the container waits to be started, borrowed until it waits there; -1 for none.
    public var startListener: Int32 = -1
    /// An open file that stays locked for as long as the container waits there; -1 for none.
    public var waitingDescriptor: Int32 = -1
    /// An open file of this process whose lock must not live on in the container's process; -1 for none.
    public var lockDescriptor: Int32 = -1
    /// Where to mount the root of a container that has no mount namespace to itself.
    var place: RootPlace?
    /// Which of a user and a time namespace the container has of its own, for a further process of it: the kernel
    /// refuses to enter the one that a process is in.
    public var ownNamespaces: Set<NamespaceKind> = []
    /// Whether the container's root is not that of its mount namespace, which is another's, for a further process of it.
    var sharesMounts = false
    /// Those of a first process that its owner may not look into, for a further process of it; empty where it may.
    var namespaces: [NamespaceKind: SharedDescriptor] = [:]
    /// What hooks are told about the container; nil where a document must not have any.
    public var hookState: State?
    /// Who answers for the system calls that the filter asks about.
    public var seccompListener: SeccompListener?
    /// What Landlock denies.
    var landlock: LandlockStep?
    /// The container's execution domain, for a further process of it.
    public var personality: Spec.Linux.Personality?
    /// Where the container's memory is to be, likewise.
    public var memoryPolicy: Spec.Linux.MemoryPolicy?
    /// Whether this process copies what is written to the container's terminal.
    public var relaysTerminal = false
    /// Whether processes keep the groups of whoever started the runtime, for files that only these may open.
    public var keepsGroups = false
    /// Whether the container gets a session keyring of its own instead of the caller's.
    public var makesKeyring = true
    /// Whether the old root is left by `pivot_root`, which a root on the kernel's initial ramdisk does not allow.
    public var pivots = true

    public init(
        bundle: String, root: RootFilesystem? = nil, streams: StandardStreams = .inherited,
        cgroup: CgroupJoin = CgroupJoin(), seccomp: SeccompProgram? = nil, parentDeathSignal: Int32 = 9,
        preservedDescriptors: Int32 = 0, bringsLoopbackUp: Bool = true
    ) {
        self.bundle = bundle
        self.root = root
        self.streams = streams
        self.cgroup = cgroup
        self.seccomp = seccomp
        self.parentDeathSignal = parentDeathSignal
        self.preservedDescriptors = preservedDescriptors
        self.bringsLoopbackUp = bringsLoopbackUp
    }
}
