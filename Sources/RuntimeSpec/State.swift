public import JSONCoding

/// What a runtime says about a container: the document that `state` prints and that hooks read.
public struct State: JSONObjectRepresentable, Hashable, Sendable {
    public enum Status: String, JSONRepresentable, CaseIterable, Hashable, Sendable {
        case creating, created, running, stopped, paused
    }

    public var ociVersion = ""
    public var id = ""
    public var pid: Int32?
    public var status = Status.creating
    public var bundle = ""
    /// What runc prints besides the specification's members, and engines read: the root's path, the time of creation
    /// (RFC 3339) and the owner's name.
    public var rootfs: String?
    public var created: String?
    public var annotations: [String: String]?
    public var owner: String?

    public init(
        ociVersion: String = "1.0.2", id: String, status: Status, pid: Int32?, bundle: String,
        annotations: [String: String]? = nil
    ) {
        self.ociVersion = ociVersion
        self.id = id
        self.status = status
        self.pid = pid
        self.bundle = bundle
        self.annotations = annotations
    }

    public init() {}

    public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
        try fields.required("ociVersion", &ociVersion)
        try fields.required("id", &id)
        try fields.optional("pid", &pid)
        try fields.required("status", &status)
        try fields.required("bundle", &bundle)
        try fields.optional("rootfs", &rootfs)
        try fields.optional("created", &created)
        try fields.optional("annotations", &annotations)
        try fields.optional("owner", &owner)
    }
}
