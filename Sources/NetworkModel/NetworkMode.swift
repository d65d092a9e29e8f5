/// What a container's network is: `--network host|none|container:NAME|NETWORK`.
public enum NetworkMode: Hashable, Sendable {
    /// The host's own network namespace.
    case host
    /// A namespace with nothing but loopback.
    case none
    /// The namespace of another container.
    case container(String)
    /// A namespace of its own, connected to these networks. The first gives the default route.
    case networks([String])

    /// Parses one `--network` value. `default` is docker's other name for the network `bridge`.
    public init(parsing text: String) throws(NetworkError) {
        switch text {
        case "host": self = .host
        case "none": self = .none
        case "default": self = .networks([NetworkName.default])
        default:
            if text.hasPrefix("container:") {
                let name = String(text.dropFirst("container:".count))
                guard !name.isEmpty else {
                    throw NetworkError(.invalid, "network '\(text)' names no container (container:NAME)")
                }
                self = .container(name)
            } else {
                try NetworkName.check(text)
                self = .networks([text])
            }
        }
    }
}

extension NetworkMode: CustomStringConvertible {
    public var description: String {
        switch self {
        case .host: "host"
        case .none: "none"
        case .container(let name): "container:\(name)"
        case .networks(let names): names.joined(separator: ",")
        }
    }
}
