/// One cgroup v1 hierarchy: where it is mounted and what it controls.
public struct CgroupHierarchy: Hashable, Sendable {
    public var mountPoint: String
    /// The kernel's names of its controllers (`cpu`, `cpuacct`); empty for a named one such as systemd's.
    public var controllers: [String]

    public init(mountPoint: String, controllers: [String]) {
        self.mountPoint = mountPoint
        self.controllers = controllers
    }
}
