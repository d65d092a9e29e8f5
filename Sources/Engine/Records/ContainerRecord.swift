public import NetworkModel
public import JSONCoding

/// What a container is: written once, when it is made.
public struct ContainerRecord: Hashable, Sendable {
    /// 64 hexadecimal digits.
    public var id: String
    public var name: String
    /// The image as it was named, and the digits of its id.
    public var image: String
    public var imageID: String
    /// RFC 3339.
    public var created: String
    /// The program and its arguments: entry point and command together.
    public var arguments: [String]
    public var environment: [String]
    public var workingDirectory: String
    /// As it was asked for; empty is root.
    public var user: String
    public var hostname: String
    public var hasTerminal: Bool
    public var isInteractive: Bool
    public var removesItself: Bool
    public var hasReadOnlyRoot: Bool
    public var isPrivileged: Bool
    public var capabilities: [String]
    public var limits: ResourceOptions
    /// As `--network` takes it.
    public var network: String
    /// As they were asked for.
    public var ports: [PortRequest]
    public var mounts: [MountRecord]
    public var labels: [String: String]
    public var stopSignal: String
    /// The directories of the image's layers, lowest first.
    public var layers: [String]

    public static let shortLength = 12

    public var shortID: String { String(id.prefix(Self.shortLength)) }
}

/// A bind mount or volume of a container.
public struct MountRecord: Hashable, Sendable {
    /// The volume's name; nil for a path of the host.
    public var volume: String?
    /// The host's path.
    public var source: String
    public var destination: String
    public var isReadOnly: Bool
    /// Whether the volume was made for this container alone, and goes with it.
    public var isAnonymous: Bool

    public init(
        volume: String? = nil, source: String, destination: String, isReadOnly: Bool = false, isAnonymous: Bool = false
    ) {
        self.volume = volume
        self.source = source
        self.destination = destination
        self.isReadOnly = isReadOnly
        self.isAnonymous = isAnonymous
    }
}

extension ContainerRecord: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        id = try json.string("id")
        name = try json.string("name")
        image = try json.string("image")
        imageID = try json.string("imageID")
        created = try json.string("created")
        arguments = try json.texts("arguments")
        environment = try json.texts("environment")
        workingDirectory = try json.string("workingDirectory")
        user = try json.string("user")
        hostname = try json.string("hostname")
        hasTerminal = try json.flag("terminal")
        isInteractive = try json.flag("interactive")
        removesItself = try json.flag("remove")
        hasReadOnlyRoot = try json.flag("readOnly")
        isPrivileged = try json.flag("privileged")
        capabilities = try json.texts("capabilities")
        limits = try ResourceOptions(json: json["limits"] ?? .object([]))
        network = try json.string("network")
        ports = try json.list("ports")
        mounts = try json.list("mounts")
        labels = [:]
        if case .object(let members)? = json["labels"] {
            for member in members {
                if case .string(let value) = member.value { labels[member.name] = value }
            }
        }
        stopSignal = try json.string("stopSignal")
        layers = try json.texts("layers")
    }

    public var json: JSONValue {
        let labels = labels.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, .string($0.value)) }
        return JSONValue([
            "id": .string(id), "name": .string(name), "image": .string(image), "imageID": .string(imageID),
            "created": .string(created), "arguments": .strings(arguments), "environment": .strings(environment),
            "workingDirectory": .string(workingDirectory), "user": .string(user), "hostname": .string(hostname),
            "terminal": .bool(hasTerminal), "interactive": .bool(isInteractive), "remove": .bool(removesItself),
            "readOnly": .bool(hasReadOnlyRoot), "privileged": .bool(isPrivileged),
            "capabilities": .strings(capabilities), "limits": limits.json, "network": .string(network),
            "ports": JSONValue(ports), "mounts": JSONValue(mounts), "labels": .object(labels),
            "stopSignal": .string(stopSignal), "layers": .strings(layers),
        ])
    }
}

extension MountRecord: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        self.init(
            volume: try json.optionalText("volume"), source: try json.string("source"),
            destination: try json.string("destination"), isReadOnly: try json.flag("readOnly"),
            isAnonymous: try json.flag("anonymous"))
    }

    public var json: JSONValue {
        JSONValue([
            "volume": volume.map { .string($0) }, "source": .string(source), "destination": .string(destination),
            "readOnly": .bool(isReadOnly), "anonymous": .bool(isAnonymous),
        ])
    }
}

extension JSONValue {
    static func strings(_ texts: [String]) -> JSONValue { .array(texts.map { .string($0) }) }
}
