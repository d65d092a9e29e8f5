public import JSONCoding

/// What is remembered of a container between two commands. What the kernel knows is not in it: whether the process
/// lives, has started or is paused is asked each time.
public struct StateRecord: Hashable, Sendable {
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
    /// Whether it was paused before it was started; it may go on by now.
    public var mayBePaused: Bool?
    /// Whether something has to be run when it starts or goes; the hooks themselves are in the document.
    public var hasHooks: Bool
    public var annotations: [String: String]?
}

/// By hand: a record is read or written by every command, and what the compiler makes for `Codable` puts together types
/// at run time, which takes longer than the rest of it.
extension StateRecord: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        ociVersion = try json.string("ociVersion")
        id = try json.string("id")
        guard let pid = Int32(exactly: try json.integer("pid")), pid >= 0 else {
            throw JSONCodingError("pid", "is no process")
        }
        self.pid = pid
        startTime = UInt64(max(0, try json.integer("startTime")))
        bundle = try json.string("bundle")
        rootfs = try json.string("rootfs")
        created = try json.string("created")
        guard let owner = UInt32(exactly: try json.integer("owner")) else {
            throw JSONCodingError("owner", "is no user")
        }
        self.owner = owner
        cgroupPath = json["cgroupPath"] == nil ? nil : try json.string("cgroupPath")
        unit = json["unit"] == nil ? nil : try json.string("unit")
        hasUserUnit = json["hasUserUnit"] == nil ? nil : try json.flag("hasUserUnit")
        resctrlGroups = json["resctrlGroups"] == nil ? nil : try json.texts("resctrlGroups")
        mayBePaused = json["mayBePaused"] == nil ? nil : try json.flag("mayBePaused")
        hasHooks = try json.flag("hasHooks")
        annotations = json["annotations"] == nil ? nil : try json.strings("annotations")
    }

    public var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("ociVersion", .string(ociVersion)), .init("id", .string(id)), .init("pid", .integer(Int(pid))),
            .init("startTime", .integer(Int(startTime))), .init("bundle", .string(bundle)),
            .init("rootfs", .string(rootfs)), .init("created", .string(created)), .init("owner", .integer(Int(owner))),
            .init("hasHooks", .bool(hasHooks)),
        ]
        // One by one: a list of pairs, some without a value, is of types that the runtime would have to put together.
        if let cgroupPath { members.append(.init("cgroupPath", .string(cgroupPath))) }
        if let unit { members.append(.init("unit", .string(unit))) }
        if let hasUserUnit { members.append(.init("hasUserUnit", .bool(hasUserUnit))) }
        if let resctrlGroups { members.append(.init("resctrlGroups", .array(resctrlGroups.map { .string($0) }))) }
        if let mayBePaused { members.append(.init("mayBePaused", .bool(mayBePaused))) }
        if let annotations { members.append(.init("annotations", JSONValue(strings: annotations))) }
        return .object(members)
    }
}
