import JSONCoding
public import RuntimeSpec

/// What the runtime wants of systemd: one line of JSON on the standard input of `swrun-systemd`.
///
/// The runtime is a static program that starts several times for each container, and libsystemd is a shared library. So
/// a program of its own speaks D-Bus, and only those who ask for the systemd manager pay for it.
public struct UnitRequest: Codable, Hashable, Sendable {
    /// The unit's name: `libpod-4f2a.scope`, or that of a slice.
    public var unit: String
    /// The slice that it is put into; for a unit that is a slice, the one that it wants.
    public var slice: String
    public var description: String
    /// Whether the user's own manager is meant instead of the system's.
    public var isUser: Bool
    /// Whether cgroups are those of version 2 alone; the names of properties depend on it.
    public var isUnified: Bool
    public var resources: Spec.Linux.Resources?
    /// `org.systemd.property.NAME` and a value as `busctl`'s or `gdbus`'s users write it (GVariant text).
    public var annotations: [String: String]

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

    /// The request in one line.
    public var line: [UInt8] {
        get throws { try JSONEncoding.encode(self, layout: .init(isIndented: false)) + [UInt8(ascii: "\n")] }
    }

    /// - Throws: `JSONCodingError` with the member's path.
    public init(line: [UInt8]) throws {
        self = try JSONDecoding.decode(UnitRequest.self, from: line)
    }
}

/// What `swrun-systemd` answers, in one line of JSON on its standard output.
public struct UnitReply: Codable, Hashable, Sendable {
    /// Where systemd has put the unit, below the root of the hierarchies: `/system.slice/libpod-4f2a.scope`.
    public var controlGroup: String?
    /// Why it could not be done: systemd's words, with the unit's name.
    public var error: String?

    public init(controlGroup: String? = nil, error: String? = nil) {
        self.controlGroup = controlGroup
        self.error = error
    }

    /// The reply in one line.
    public var line: [UInt8] {
        get throws { try JSONEncoding.encode(self, layout: .init(isIndented: false)) + [UInt8(ascii: "\n")] }
    }

    /// - Throws: `JSONCodingError` with the member's path.
    public init(line: [UInt8]) throws {
        self = try JSONDecoding.decode(UnitReply.self, from: line)
    }
}
