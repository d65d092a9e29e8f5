import JSONCoding

/// What the listener of a seccomp filter is told about a process: the document that comes with the descriptor.
public struct ContainerProcessState: Codable, Hashable, Sendable {
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
    public func text() throws(SpecError) -> String {
        do throws(JSONCodingError) {
            return String(
                decoding: try JSONEncoding.encode(self, layout: .init(isIndented: false)), as: UTF8.self)
        } catch {
            throw SpecError(error.path, error.reason)
        }
    }
}
