/// What a runtime says about a container: the document that `state` prints and that hooks read.
public struct State: Codable, Hashable, Sendable {
    public enum Status: String, Codable, Hashable, Sendable {
        case creating, created, running, stopped, paused
    }

    public var ociVersion: String
    public var id: String
    public var pid: Int32?
    public var status: Status
    public var bundle: String
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
}
