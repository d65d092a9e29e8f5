public import JSONCoding
public import RuntimeSpec

/// What the runtime wants of systemd: one line of JSON on the standard input of `swrun-systemd`.
///
/// The runtime is a static program that starts several times for each container, and libsystemd is a shared library. So
/// a program of its own speaks D-Bus, and only those who ask for the systemd manager pay for it.
public struct UnitRequest: JSONObjectRepresentable, Hashable, Sendable {
    /// The unit's name: `libpod-4f2a.scope`, or that of a slice.
    public var unit = ""
    /// The slice that it is put into; for a unit that is a slice, the one that it wants.
    public var slice = ""
    public var description = ""
    /// Whether the user's own manager is meant instead of the system's.
    public var isUser = false
    /// Whether cgroups are those of version 2 alone; the names of properties depend on it.
    public var isUnified = false
    public var resources: Spec.Linux.Resources?
    /// `org.systemd.property.NAME` and a value as `busctl`'s or `gdbus`'s users write it (GVariant text).
    public var annotations: [String: String] = [:]
    /// Who is to be put into the unit, as systemd's pid namespace numbers it, by `attach`.
    public var process: Int64?
    /// Where inside the unit's cgroup: `/init.scope`.
    public var subpath: String?

    public init(
        unit: String, slice: String, description: String, isUser: Bool, isUnified: Bool,
        resources: Spec.Linux.Resources? = nil, annotations: [String: String] = [:]
    ) {
        self.unit = unit
        self.slice = slice
        self.description = description
        self.isUser = isUser
        self.isUnified = isUnified
        self.resources = resources
        self.annotations = annotations.filter { $0.key.hasPrefix(Self.annotationPrefix) }
    }

    public static let annotationPrefix = "org.systemd.property."

    /// What follows the request of an `update` that is not to be in the end.
    public static let takeBack: [UInt8] = [UInt8(ascii: "\n")]

    public init() {}

    public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
        try fields.required("unit", &unit)
        try fields.required("slice", &slice)
        try fields.required("description", &description)
        try fields.required("isUser", &isUser)
        try fields.required("isUnified", &isUnified)
        try fields.optional("resources", &resources)
        try fields.required("annotations", &annotations)
        try fields.optional("process", &process)
        try fields.optional("subpath", &subpath)
    }
}

/// What `swrun-systemd` answers, in one line of JSON on its standard output.
public struct UnitReply: JSONObjectRepresentable, Hashable, Sendable {
    /// Where systemd has put the unit, below the root of the hierarchies: `/system.slice/libpod-4f2a.scope`.
    public var controlGroup: String?
    /// Why it could not be done: systemd's words, with the unit's name.
    public var error: String?

    public init() {}

    public init(controlGroup: String? = nil, error: String? = nil) {
        self.controlGroup = controlGroup
        self.error = error
    }

    public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
        try fields.optional("controlGroup", &controlGroup)
        try fields.optional("error", &error)
    }
}

extension JSONObjectRepresentable {
    /// The request or reply in one line.
    public var line: [UInt8] { json.bytes + [UInt8(ascii: "\n")] }

    /// - Throws: `JSONCodingError` with the member's path.
    public init(line: [UInt8]) throws(JSONCodingError) { try self.init(json: JSONValue(parsing: line)) }
}
