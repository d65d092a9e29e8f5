/// How a person names a sandbox: a container's name, a named network namespace, `pid:N`, or a namespace file's path.
public struct SandboxReference: Hashable, Sendable {
    /// The name under which the sandbox is recorded and listed.
    public var name: String
    public var location: Location

    public enum Location: Hashable, Sendable {
        /// Whatever has that name: a recorded sandbox, or `/run/netns/NAME`.
        case named
        /// A recorded sandbox only: `container:NAME`.
        case recorded
        /// The network namespace of a process.
        case process(Int32)
        /// A namespace file.
        case path(String)
    }

    public init(name: String, location: Location = .named) {
        self.name = name
        self.location = location
    }

    /// The directory of named network namespaces (ip-netns(8)).
    public static let namedNamespaces = "/run/netns/"

    /// Parses what a person typed.
    ///
    /// A path of a named namespace is the same sandbox as its name.
    /// - Throws: `NetworkError` that names the text.
    public init(parsing text: String) throws(NetworkError) {
        if text.isEmpty { throw NetworkError(.invalid, "a sandbox's name is empty") }
        if text.hasPrefix("pid:") {
            guard let process = Int32(text.dropFirst(4)), process > 0 else {
                throw NetworkError(.invalid, "sandbox '\(text)': '\(text.dropFirst(4))' is no process number")
            }
            self.init(name: "pid:\(process)", location: .process(process))
        } else if text.hasPrefix("container:") {
            let name = String(text.dropFirst("container:".count))
            try Self.check(name)
            self.init(name: name, location: .recorded)
        } else if text.contains("/") {
            guard text.hasPrefix("/") else {
                throw NetworkError(.invalid, "sandbox '\(text)': a namespace's path begins with '/'")
            }
            for directory in [Self.namedNamespaces, "/var/run/netns/"] where text.hasPrefix(directory) {
                let name = String(text.dropFirst(directory.count))
                if (try? Self.check(name)) != nil {
                    self.init(name: name, location: .path(Self.namedNamespaces + name))
                    return
                }
            }
            self.init(name: text, location: .path(text))
        } else {
            try Self.check(text)
            self.init(name: text)
        }
    }

    private static func check(_ name: String) throws(NetworkError) {
        guard name.utf8.count <= 128 else {
            throw NetworkError(.invalid, "sandbox name '\(name)' has \(name.utf8.count) bytes (at most 128)")
        }
        guard !name.isEmpty, !name.hasPrefix("."), !name.contains("/"),
            name.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f })
        else {
            throw NetworkError(.invalid, "sandbox name '\(name)' is not valid (no '/', no white space, no dot first)")
        }
    }
}

extension SandboxReference {
    /// The name as a file name: `/` and `%` are written in hexadecimal, as in a URL.
    public static func key(forName name: String) -> String {
        guard
            name.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: ".") })
        else { return name }
        var key = ""
        for character in name {
            switch character {
            case "/": key += "%2f"
            case "%": key += "%25"
            case "." where key.isEmpty: key += "%2e"
            default: key.append(character)
            }
        }
        return key
    }
}
