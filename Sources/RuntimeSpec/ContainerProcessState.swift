import JSONCoding

/// What the listener of a seccomp filter is told about a process: the document that comes with the descriptor.
public struct ContainerProcessState: Hashable, Sendable {
    public var ociVersion: String
    /// The descriptors that come along, by name.
    public var fds: [String]
    public var pid: Int32
    public var metadata: String?
    public var state: State

    public init(state: State, process: Int32, metadata: String) {
        ociVersion = state.ociVersion
        fds = ["seccompFd"]
        pid = process
        self.metadata = metadata.isEmpty ? nil : metadata
        self.state = state
    }

    /// In one line.
    public var text: String {
        JSONValue([
            "ociVersion": ociVersion.json, "fds": fds.json, "pid": pid.json, "metadata": metadata?.json,
            "state": state.json,
        ]).text
    }
}
