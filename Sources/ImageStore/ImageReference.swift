/// The name of an image: `[registry[:port]/]path[:tag][@digest]`, kept in its full form.
///
/// The grammar and the short forms people type (`redis` is `docker.io/library/redis:latest`) are those of
/// github.com/distribution/reference, which docker and podman use.
public struct ImageReference: Hashable, Sendable {
    /// The registry: `docker.io`, `localhost:5000`.
    public let domain: String
    /// The repository within the registry: `library/redis`.
    public let path: String
    /// The tag, if the name has one; a name without tag and digest gets `latest`.
    public let tag: String?
    /// The digest of the manifest, if the name pins one.
    public let digest: Digest?

    /// Reads a name as a person types it.
    ///
    /// - Throws: `ImageStoreError` (`invalidReference`) that names the text and what is wrong with it.
    public init(parsing text: String) throws(ImageStoreError) {
        func invalid(_ reason: String) -> ImageStoreError {
            ImageStoreError(.invalidReference, "invalid image reference '\(text)': \(reason)")
        }
        guard !text.isEmpty else { throw invalid("it is empty") }
        guard Digest(hex: text) == nil else { throw invalid("64 hexadecimal digits are an image id, not a name") }
        var rest = text[...]
        var digest: Digest?
        if let at = rest.firstIndex(of: "@") {
            digest = Digest(String(rest[rest.index(after: at)...]))
            guard digest != nil else { throw invalid("the digest has to be sha256: and 64 hexadecimal digits") }
            rest = rest[..<at]
        }
        var tag: String?
        if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("/") {
            tag = String(rest[rest.index(after: colon)...])
            guard isTag(tag ?? "") else {
                throw invalid(
                    "a tag has 1 to 128 letters, digits, '_', '.' and '-', and starts with none of the last two")
            }
            rest = rest[..<colon]
        }
        (domain, path) = splitDomain(rest)
        guard isDomain(domain) else { throw invalid("'\(domain)' is not a registry name") }
        guard path == path.lowercased() else { throw invalid("the repository name has to be lower case") }
        guard !path.isEmpty, path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy(isPathComponent)
        else { throw invalid("'\(path)' is not a repository name") }
        guard domain.utf8.count + 1 + path.utf8.count <= 255 else { throw invalid("it is longer than 255 bytes") }
        self.tag = tag ?? (digest == nil ? "latest" : nil)
        self.digest = digest
        guard key.utf8.count <= Self.maximumKeyLength else {
            throw invalid("with its tag it is longer than \(Self.maximumKeyLength) bytes")
        }
    }

    /// The repository as people write it: `redis`, `localhost:5000/tool`.
    public var familiarName: String {
        guard domain == Self.defaultDomain else { return "\(domain)/\(path)" }
        let official = "library/"
        // `library/a/b` keeps its prefix, because `a/b` would be read as the user a's repository.
        if path.hasPrefix(official), !path.dropFirst(official.count).contains("/") {
            return String(path.dropFirst(official.count))
        }
        return path
    }

    /// The whole name as people write it: `redis:latest`.
    public var familiar: String { familiarName + suffix }

    private var suffix: String { (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "") }

    static let defaultDomain = "docker.io"
}

extension ImageReference: LosslessStringConvertible {
    public init?(_ description: String) {
        do { try self.init(parsing: description) } catch { return nil }
    }

    /// The full form: `docker.io/library/redis:latest`.
    public var description: String { "\(domain)/\(path)\(suffix)" }
}

extension ImageReference {
    /// The name of the reference's file in the store: the comma is no character of the grammar.
    ///
    /// A name that pins a digest is found by it whatever its tag says.
    var key: String {
        let name = "\(domain),\(String(path.map { $0 == "/" ? "," : $0 }))"
        return digest.map { "\(name)@\($0)" } ?? name + suffix
    }

    init?(key: String) {
        self.init(String(key.map { $0 == "," ? "/" : $0 }))
    }

    /// File names have at most 255 bytes.
    static let maximumKeyLength = 255
}

/// The first component is a registry only when it cannot be a user of the default registry.
private func splitDomain(_ name: Substring) -> (domain: String, path: String) {
    var domain = ImageReference.defaultDomain
    var path = String(name)
    if let slash = name.firstIndex(of: "/") {
        let first = String(name[..<slash])
        if first == "localhost" || first.contains(".") || first.contains(":") || first != first.lowercased() {
            domain = first == "index.docker.io" ? ImageReference.defaultDomain : first
            path = String(name[name.index(after: slash)...])
        }
    }
    if domain == ImageReference.defaultDomain, !path.isEmpty, !path.contains("/") { path = "library/\(path)" }
    return (domain, path)
}

private func isDomain(_ text: String) -> Bool {
    var host = text[...]
    if let colon = host.lastIndex(of: ":"), !host[colon...].contains("]") {
        let port = host[host.index(after: colon)...].utf8
        guard !port.isEmpty, port.allSatisfy(isDigit) else { return false }
        host = host[..<colon]
    }
    if host.hasPrefix("["), host.hasSuffix("]") {
        let address = host.dropFirst().dropLast().utf8
        return !address.isEmpty && address.allSatisfy { isDigit($0) || isHexLetter($0) || $0 == UInt8(ascii: ":") }
    }
    return host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
        guard let first = label.utf8.first, let last = label.utf8.last else { return false }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && label.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }
}

/// `[a-z0-9]+` joined by `.`, `_`, `__` or any number of `-`.
private func isPathComponent(_ text: Substring) -> Bool {
    var separator: [UInt8] = []
    var atStart = true
    for byte in text.utf8 {
        if isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) {
            guard isSeparator(separator) else { return false }
            separator = []
            atStart = false
        } else {
            if atStart { return false }
            separator.append(byte)
        }
    }
    return !atStart && separator.isEmpty
}

private func isSeparator(_ bytes: [UInt8]) -> Bool {
    switch String(decoding: bytes, as: UTF8.self) {
    case "", ".", "_", "__": true
    default: bytes.allSatisfy { $0 == UInt8(ascii: "-") }
    }
}

private func isTag(_ text: String) -> Bool {
    guard let first = text.utf8.first, text.utf8.count <= 128 else { return false }
    guard isAlphanumeric(first) || first == UInt8(ascii: "_") else { return false }
    return text.utf8.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
}

private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

private func isHexLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
}

private func isAlphanumeric(_ byte: UInt8) -> Bool {
    isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
}
