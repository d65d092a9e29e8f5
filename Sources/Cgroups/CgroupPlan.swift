import SystemPackage

/// What limits mean on the machine at hand: which hierarchies, which files, which values.
struct CgroupPlan {
    /// The v1 hierarchies in which the cgroup is made.
    var hierarchies: [CgroupHierarchy] = []
    var version1Settings: [CgroupSetting] = []
    var deviceRules: [DeviceRule]?
    /// Whether the cgroup is made in the v2 hierarchy.
    var needsUnified: Bool
    var version2Controllers: Set<CgroupController> = []
    /// Those that nothing is asked of: a cgroup can do without them.
    var trackedControllers: Set<CgroupController> = []
    var version2Settings: [CgroupSetting] = []
    /// Device rules where no v1 hierarchy has them: a BPF program of the v2 cgroup.
    var deviceProgram: DeviceProgram?

    /// - Throws: `CgroupError`; ENODEV for a controller that no hierarchy can have.
    init(_ limits: CgroupLimits, tracking: Set<CgroupController>, root: CgroupRoot) throws(CgroupError) {
        needsUnified = root.unified != nil
        var inVersion1: Set<CgroupController> = []
        for controller in limits.controllers.union(tracking).sorted(by: { $0.rawValue < $1.rawValue }) {
            if let hierarchy = root.hierarchy(of: controller) {
                if !hierarchies.contains(hierarchy) { hierarchies.append(hierarchy) }
                inVersion1.insert(controller)
            } else if root.unified == nil || controller.isVersion1Only {
                throw CgroupError(
                    "enable", "", controller: controller, errno: .operationNotSupportedByDevice,
                    hint: "this kernel has no \(controller.version1Name) hierarchy mounted")
            } else if controller.version2Name != nil {
                version2Controllers.insert(controller)
            }
        }
        trackedControllers = version2Controllers.subtracting(limits.controllers)
        version2Controllers.formIntersection(limits.controllers)
        if inVersion1.contains(.devices) {
            deviceRules = limits.devices
        } else if let rules = limits.devices {
            deviceProgram = DeviceProgram(rules)
        }
        if !inVersion1.isEmpty {
            version1Settings = try limits.version1Settings().filter { $0.controller.map(inVersion1.contains) ?? false }
        }
        if !version2Controllers.isEmpty || (root.mode == .unified && limits != CgroupLimits()) {
            version2Settings = try limits.version2Settings().filter {
                ($0.controller.map(version2Controllers.contains) ?? false) || limits.unified[$0.file] != nil
            }
        }
        // v1 counts time apart from sharing it out; the v2 hierarchy counts it for everybody.
        if root.unified == nil, inVersion1.contains(.cpu),
            let accounting = root.hierarchies.first(where: { $0.controllers.contains("cpuacct") }),
            !hierarchies.contains(accounting)
        {
            hierarchies.append(accounting)
        }
        if root.unified == nil, let place = Self.lookup(in: root), !hierarchies.contains(place) {
            hierarchies.append(place)
        }
    }

    /// The v1 hierarchy in which processes are found: the freezer, which can also stop them while they are killed.
    static func lookup(in root: CgroupRoot) -> CgroupHierarchy? {
        root.hierarchy(of: .freezer) ?? root.hierarchy(of: .pids) ?? root.hierarchies.first
    }
}
