/// How a container is made from a bundle: what `create` and `run` can be told.
public struct CreateOptions: Hashable, Sendable {
    public var identifier: String
    /// The bundle's directory.
    public var bundle: String
    /// Another document than the bundle's `config.json`.
    public var document: String?
    /// A socket that receives the terminal's controlling side.
    public var consoleSocket: String?
    public var pidFile: String?
    /// A socket that receives a pidfd of the process.
    public var pidfdSocket: String?
    public var pivots = true
    public var makesKeyring = true
    /// Descriptors from 3 on that the container's program gets.
    public var preservedDescriptors: Int32 = 0
    /// How many of them came from a service manager (`LISTEN_FDS`).
    public var listenDescriptors: Int32 = 0
    /// What the service manager calls them (`LISTEN_FDNAMES`).
    public var listenNames: String?

    /// The socket of the service manager that wants to know when the program is ready (`NOTIFY_SOCKET`).
    public var notifySocket: String?

    public init(identifier: String, bundle: String) {
        self.identifier = identifier
        self.bundle = bundle
    }

    /// Whether somebody else gets the process, who is to hear of none that fails.
    var handsOutProcess: Bool { pidFile != nil || pidfdSocket != nil }
}
