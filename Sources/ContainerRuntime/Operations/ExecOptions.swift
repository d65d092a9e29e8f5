public import Cgroups
public import RuntimeSpec

/// What `exec` can be told about a further process of a container.
public struct ExecOptions: Hashable, Sendable {
    public var identifier: String
    /// The whole process as a document; nil to take the container's own and change it by what follows.
    public var process: Spec.Process?
    public var arguments: [String] = []
    public var workingDirectory: String?
    public var environment: [String] = []
    public var user: Spec.User?
    public var additionalGroups: [UInt32] = []
    /// Names of capabilities to have besides.
    public var capabilities: [String] = []
    public var apparmorProfile: String?
    public var selinuxLabel: String?
    public var noNewPrivileges: Bool?
    public var hasTerminal: Bool?
    public var consoleSocket: String?
    public var pidFile: String?
    /// A socket that receives a pidfd of the process.
    public var pidfdSocket: String?
    public var isDetached = false
    public var preservedDescriptors: Int32 = 0
    public var listenDescriptors: Int32 = 0
    /// What the service manager calls them (`LISTEN_FDNAMES`).
    public var listenNames: String?
    /// Cgroups inside the container's to put it into; none for the container's own.
    public var cgroups: [CgroupSubpath] = []
    /// Whether a process may be put into a container that is paused, in which it waits.
    public var ignoresPause = false

    public init(identifier: String) { self.identifier = identifier }
}
