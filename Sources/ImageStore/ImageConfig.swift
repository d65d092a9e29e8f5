/// What an image says about running it: the `config` object of the OCI image configuration (config.md).
///
/// Members that are absent or null are empty here; what a container gets is the engine's decision.
public struct ImageConfig: Hashable, Sendable {
    public var entrypoint: [String] = []
    public var command: [String] = []
    /// `NAME=value`, in order.
    public var environment: [String] = []
    /// Empty means `/`.
    public var workingDirectory = ""
    /// `user[:group]`, names or numbers; empty means root.
    public var user = ""
    /// `port/protocol`, sorted.
    public var exposedPorts: [String] = []
    /// Paths that should be volumes, sorted.
    public var volumes: [String] = []
    public var labels: [String: String] = [:]
    /// `SIGTERM`, `15` or nil.
    public var stopSignal: String?

    public init() {}
}

extension ImageConfig: Codable {
    /// The specification's names, which begin with a capital.
    private enum CodingKeys: String, CodingKey {
        case entrypoint = "Entrypoint"
        case command = "Cmd"
        case environment = "Env"
        case workingDirectory = "WorkingDir"
        case user = "User"
        case exposedPorts = "ExposedPorts"
        case volumes = "Volumes"
        case labels = "Labels"
        case stopSignal = "StopSignal"
    }

    /// A set, as Go's encoding writes it: `{"80/tcp": {}}`.
    private struct Member: Codable {}

    public init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: CodingKeys.self)
        func texts(_ key: CodingKeys) throws -> [String] {
            try object.decodeIfPresent([String].self, forKey: key) ?? []
        }
        func names(_ key: CodingKeys) throws -> [String] {
            try object.decodeIfPresent([String: Member].self, forKey: key)?.keys.sorted() ?? []
        }
        entrypoint = try texts(.entrypoint)
        command = try texts(.command)
        environment = try texts(.environment)
        workingDirectory = try object.decodeIfPresent(String.self, forKey: .workingDirectory) ?? ""
        user = try object.decodeIfPresent(String.self, forKey: .user) ?? ""
        exposedPorts = try names(.exposedPorts)
        volumes = try names(.volumes)
        labels = try object.decodeIfPresent([String: String].self, forKey: .labels) ?? [:]
        let signal = try object.decodeIfPresent(String.self, forKey: .stopSignal) ?? ""
        stopSignal = signal.isEmpty ? nil : signal
    }

    /// Empty members are left out, as the specification allows.
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: CodingKeys.self)
        func put(_ value: some Collection & Encodable, _ key: CodingKeys) throws {
            if !value.isEmpty { try object.encode(value, forKey: key) }
        }
        func put(names: [String], _ key: CodingKeys) throws {
            guard !names.isEmpty else { return }
            let members = Dictionary(names.map { ($0, Member()) }) { first, _ in first }
            try object.encode(members, forKey: key)
        }
        try put(entrypoint, .entrypoint)
        try put(command, .command)
        try put(environment, .environment)
        try put(workingDirectory, .workingDirectory)
        try put(user, .user)
        try put(names: exposedPorts, .exposedPorts)
        try put(names: volumes, .volumes)
        try put(labels, .labels)
        try object.encodeIfPresent(stopSignal, forKey: .stopSignal)
    }
}
