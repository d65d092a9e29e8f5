/// What is remembered of a container between two commands. What the kernel knows is not in it: whether the process
/// lives, has started or is paused is asked each time.
public struct StateRecord: Codable, Hashable, Sendable {
    public var ociVersion: String
    public var id: String
    /// The container's first process; 0 until there is one.
    public var pid: Int32
    /// When that process started (`ProcessHandle.startTime`), so that no other process is taken for it.
    public var startTime: UInt64
    /// Absolute.
    public var bundle: String
    public var rootfs: String
    /// RFC 3339.
    public var created: String
    /// Who made it.
    public var owner: UInt32
    /// Below the root of the hierarchies; nil for a container without one.
    public var cgroupPath: String?
    /// The unit of systemd that the cgroup is of; nil when systemd was not asked.
    public var unit: String?
    /// Whether it is a unit of the user's own systemd.
    public var hasUserUnit: Bool?
    /// The groups of resctrl that were made for it, below where that is mounted.
    public var resctrlGroups: [String]?
    /// Whether something has to be run when it starts or goes; the hooks themselves are in the document.
    public var hasHooks: Bool
    public var annotations: [String: String]?
}
