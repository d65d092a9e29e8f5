import ImageStore

/// A change to an image's configuration in the words of a Dockerfile, as `docker import --change` takes it.
struct ConfigChange {
    private let instruction: String
    private let arguments: String
    private let text: String

    /// Reads `ENV NAME=value`, `CMD ["program", "argument"]` and the like.
    init(_ text: String) throws {
        self.text = text
        let trimmed = text.trimmingSpaces()
        let end = trimmed.firstIndex(where: \.isWhitespace) ?? trimmed.endIndex
        instruction = trimmed[..<end].uppercased()
        arguments = trimmed[end...].trimmingSpaces()
    }

    func apply(to config: inout ImageConfig) throws {
        guard !arguments.isEmpty else { throw failure("\(instruction) needs an argument") }
        switch instruction {
        case "CMD": config.command = try command()
        case "ENTRYPOINT": config.entrypoint = try command()
        case "ENV":
            for (name, value) in try pairs() {
                config.environment.removeAll { $0.hasPrefix("\(name)=") }
                config.environment.append("\(name)=\(value)")
            }
        case "LABEL": for (name, value) in try pairs() { config.labels[name] = value }
        case "WORKDIR":
            let base = arguments.hasPrefix("/") ? "" : config.workingDirectory
            config.workingDirectory = "/" + EntryPathText.clean("\(base)/\(arguments)")
        case "USER": config.user = arguments
        case "STOPSIGNAL": config.stopSignal = arguments
        case "EXPOSE": config.exposedPorts = Set(config.exposedPorts + (try ports())).sorted()
        case "VOLUME": config.volumes = Set(config.volumes + (try list() ?? words())).sorted()
        default:
            throw failure(
                "unknown instruction \(instruction)"
                    + " (CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME and WORKDIR are known)")
        }
    }

    private func failure(_ reason: String) -> ImageArchiveError {
        ImageArchiveError("change '\(printable(text.utf8))'", reason)
    }

    /// The JSON form as it stands, anything else through a shell.
    private func command() throws -> [String] { try list() ?? ["/bin/sh", "-c", arguments] }

    private func list() throws -> [String]? {
        guard arguments.hasPrefix("[") else { return nil }
        // What is no JSON list is text for the shell to docker: `[ -f x ] && y`.
        return try? decodeJSON([String].self, from: Array(arguments.utf8), name: instruction)
    }

    /// `NAME=value…`, with quotes and backslashes, or the old `NAME value`.
    private func pairs() throws -> [(name: String, value: String)] {
        let all = try words()
        guard let first = all.first, first.contains("=") else {
            guard let space = arguments.firstIndex(where: \.isWhitespace) else {
                throw failure("\(instruction) needs NAME=value")
            }
            return [(String(arguments[..<space]), arguments[space...].trimmingSpaces())]
        }
        return try all.map { word in
            guard let equals = word.firstIndex(of: "="), equals != word.startIndex else {
                throw failure("'\(word)' is not NAME=value")
            }
            return (String(word[..<equals]), String(word[word.index(after: equals)...]))
        }
    }

    /// The words of the arguments: white space separates, quotes group, a backslash takes the next character as it is.
    private func words() throws -> [String] {
        var result: [String] = []
        var word: String?
        var quote: Character?
        var rest = arguments[...]
        while let character = rest.popFirst() {
            switch character {
            case "\\" where quote != "'":
                guard let next = rest.popFirst() else { throw failure("it ends with a backslash") }
                word = (word ?? "") + String(next)
            case quote: quote = nil
            case "'" where quote == nil, "\"" where quote == nil:
                quote = character
                word = word ?? ""
            case _ where quote == nil && character.isWhitespace:
                if let word { result.append(word) }
                word = nil
            default: word = (word ?? "") + String(character)
            }
        }
        guard quote == nil else { throw failure("a quote is not closed") }
        return result + (word.map { [$0] } ?? [])
    }

    /// `80`, `80/udp`, `8000-8002/tcp`.
    private func ports() throws -> [String] {
        try words().flatMap { word in
            let parts = word.split(separator: "/", omittingEmptySubsequences: false)
            let network = parts.count == 2 ? parts[1].lowercased() : "tcp"
            let bounds = (parts.first ?? "").split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
            guard parts.count <= 2, ["tcp", "udp", "sctp"].contains(network), (1...2).contains(bounds.count),
                let first = bounds[0], let last = bounds[bounds.count - 1], first > 0, first <= last
            else { throw failure("'\(word)' is not PORT[-PORT][/tcp|/udp|/sctp]") }
            return (first...last).map { "\($0)/\(network)" }
        }
    }
}

private enum EntryPathText {
    /// A path without leading slash and with its dots resolved.
    static func clean(_ path: String) -> String {
        guard let path = EntryPath(Array("/\(path)".utf8)), !path.components.isEmpty else { return "" }
        return String(decoding: path.bytes, as: UTF8.self)
    }
}

extension StringProtocol {
    fileprivate func trimmingSpaces() -> String {
        var text = self.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
