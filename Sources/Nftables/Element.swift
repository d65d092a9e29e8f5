/// An element of a set, or of a map: a key, and what the map has for it.
///
///     Element(.ifname("sw-bridge"), .prefix(subnet))
///     Element([.proto(.tcp), .service(8080)], to: [.ipv4(container), .service(80)], comment: "web")
public struct Element: Hashable, Sendable {
    /// What an element of a map carries.
    public enum Content: Hashable, Sendable {
        case nothing
        case data([Value])
        case verdict(Verdict)
    }

    /// One value for each component of the set's key type.
    public var key: [Value]
    public var content: Content
    /// At most 128 bytes; `nft list` prints it.
    public var comment: String?

    /// An element of a set.
    public init(_ key: Value..., comment: String? = nil) { self.init(key, .nothing, comment: comment) }

    /// An element of a map.
    public init(_ key: [Value], to data: [Value], comment: String? = nil) {
        self.init(key, .data(data), comment: comment)
    }

    /// An element of a verdict map.
    public init(_ key: [Value], _ verdict: Verdict, comment: String? = nil) {
        self.init(key, .verdict(verdict), comment: comment)
    }

    public init(_ key: [Value], _ content: Content, comment: String? = nil) {
        self.key = key
        self.content = content
        self.comment = comment
    }

    /// The data of a map's element; empty for sets and verdict maps.
    public var data: [Value] {
        if case .data(let values) = content { values } else { [] }
    }
}

extension Element: CustomStringConvertible {
    /// As `nft` prints it.
    public var description: String {
        let key = comment.map { "\(self.key.text) comment \"\($0)\"" } ?? self.key.text
        switch content {
        case .nothing: return key
        case .data(let values): return "\(key) : \(values.text)"
        case .verdict(let verdict): return "\(key) : \(verdict)"
        }
    }
}
