/// A user of a container, as the container's own files know it.
public struct ContainerUser: Hashable, Sendable {
    public var uid: UInt32
    public var gid: UInt32
    public var additionalGroups: [UInt32]
    /// The home directory; `/` for a user without an entry.
    public var home: String

    public init(uid: UInt32, gid: UInt32, additionalGroups: [UInt32] = [], home: String = "/") {
        self.uid = uid
        self.gid = gid
        self.additionalGroups = additionalGroups
        self.home = home
    }
}

/// A user or group that a container does not have.
public struct ContainerUserError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
}
