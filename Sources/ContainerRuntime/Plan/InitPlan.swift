import CLinux
import LinuxSystem
import RuntimeSpec

/// Everything a container's first process does before it becomes the container's program, decided beforehand.
///
/// Between the clone and the exec nothing is parsed, looked up or decided any more: the child walks this value. What
/// can be wrong with a document is therefore found before there is a process to clean up.
public struct InitPlan: Sendable {
    /// Namespaces to make with the clone itself: all new ones but cgroup, whose root is to be the cgroup joined first.
    var cloneFlags: UInt64
    var makesCgroupNamespace: Bool
    /// How a new time namespace differs from the runtime's; nil for none.
    var timeOffsets: String?
    /// What the identifiers of a new user namespace, or of the one that is joined, are on the host.
    var userNamespace: UserNamespaceStep?
    /// Namespaces to join, in the kernel's order: user first, because it decides what may be done to the others.
    var joins: [NamespaceJoin]
    var cgroup: CgroupJoin

    var root: RootFilesystem
    /// Where the root is mounted in a mount namespace of others; nil in one of the container's own.
    var place: RootPlace?
    var isRootReadOnly: Bool
    /// `MS_SLAVE` and so on, for all mounts copied from the host and for the container's root.
    var propagation: RootPropagation
    var mounts: [MountStep]
    var devices: [DeviceStep]
    /// Where the program begins, below the root: made where it is missing. Nil for the root itself.
    var workingDirectory: String?
    /// Whether the usual nodes have to be made in a `/dev` that no mount of the plan has filled.
    var fillsDev: Bool
    var maskedPaths: [String]
    var readOnlyPaths: [String]

    var hostname: String?
    var domainname: String?
    /// Paths below /proc/sys and values.
    var sysctls: [SysctlStep]
    var bringsLoopbackUp: Bool
    /// Whether the old root is left by `pivot_root`; `chroot` alone otherwise.
    var pivots: Bool
    /// Nil for a document without hooks.
    var hooks: HookPlan?

    var process: ProcessPlan

    /// Whether the launcher may mount what the process may not, which is asked over their socket (`MountLender`).
    var asksForMounts: Bool { userNamespace?.isOrdinary == false }

    /// Nil for a root that is no directory of the host.
    var rootDirectory: String? {
        if case .directory(let path) = root { path } else { nil }
    }
}

/// The part of a plan that is about the process itself, the same for a container's first and for later ones.
struct ProcessPlan: Sendable {
    /// Whether the document has no process: then the container can be made, and not be started.
    var isMissing = false
    var security: SecurityStep
    /// Who is given the listener of the filter.
    var listener: SeccompListener?
    var scheduling: SchedulingStep
    var command: CommandStep
    var streams: StandardStreams
    /// The size of the terminal to make; nil for a process without one.
    var terminal: TerminalStep?
    var parentDeathSignal: Int32
    var inherited: InheritedState
    /// Whether the bounding set is the launcher's; a user namespace begins with all of them.
    var inheritsBoundingSet: Bool
    var preservedDescriptors: Int32
    /// A listening socket at which the process waits to be started by another command than the one that made it; -1
    /// when it is started by its launcher.
    var startListener: Int32
    /// The file whose lock says that the process waits there; -1 likewise.
    var waitingDescriptor: Int32
    /// A lock of the launcher's that dies with it, and not with this process; -1 for none.
    var lockDescriptor: Int32
    var makesKeyring: Bool
    /// Device and inode of this program, which no container may execute: see `CommandCheck`.
    var ownExecutable: FileIdentity
}

struct NamespaceJoin: Hashable, Sendable {
    var kind: NamespaceKind
    var path: String
    var field: String
}

/// A user namespace of the container's own.
struct UserNamespaceStep: Hashable, Sendable {
    /// Lines of uid_map and gid_map (user_namespaces(7)); empty for a namespace that is joined.
    var uidMap = ""
    var gidMap = ""
    /// Whether the clone makes it.
    var isNew: Bool
    /// Whether it is an ordinary user who makes it or joins it, and may do nothing outside of it.
    var isOrdinary = false
}

struct SysctlStep: Hashable, Sendable {
    var name: String
    /// Below /proc/sys, with slashes.
    var path: String
    var value: String
}

struct TerminalStep: Hashable, Sendable {
    /// Whether somebody copies it to a terminal, file or pipe of the host's, where a line ends as everywhere.
    var hasPlainLines = false
    var height: UInt16
    var width: UInt16
}

struct FileIdentity: Hashable, Sendable {
    var device: UInt64
    var inode: UInt64
}

/// A device node besides the usual ones.
struct DeviceStep: Hashable, Sendable {
    /// Where the document has it, for errors.
    var field: String
    /// Below the container's root, without a leading slash.
    var path: String
    /// `S_IFCHR` and so on with the permission bits.
    var mode: UInt32
    var number: UInt64
    var uid: UInt32
    var gid: UInt32
}

/// What a process of the container may do.
struct SecurityStep: Sendable {
    var uid: UInt32
    var gid: UInt32
    /// Nil to keep those of the runtime.
    var groups: [UInt32]?
    var umask: UInt32
    var capabilities: CapabilityStep
    var noNewPrivileges: Bool
    /// What the kernel's security module confines the program to.
    var label: LabelStep?
    var seccomp: SeccompProgram?
    var landlock: LandlockStep?
    var rlimits: [RlimitStep]
    var oomScoreAdjustment: String?
    var personality: UInt?
}

/// A label that the program gets by its exec.
struct LabelStep: Hashable, Sendable {
    /// The document's, and what is there.
    var field: String
    var name: String
    /// The file of /proc that takes it, and as what.
    var path: String
    var value: String
}

struct CapabilityStep: Hashable, Sendable {
    var bounding: CapabilitySet
    var effective: CapabilitySet
    var permitted: CapabilitySet
    var inheritable: CapabilitySet
    var ambient: CapabilitySet
}

struct RlimitStep: Hashable, Sendable {
    var name: String
    var resource: Int32
    var soft: UInt64
    var hard: UInt64
}

/// The program and what it is started with.
struct CommandStep: Sendable {
    /// As the document has it.
    var name: String
    /// Where to look for it: itself when it has a slash, else one path for each directory of the container's PATH.
    var candidates: [String]
    var arguments: CStringVector
    var variables: [String]
    /// Nil when it lacks `HOME`, which only the container's files know.
    var environment: CStringVector?
    var workingDirectory: String
}
