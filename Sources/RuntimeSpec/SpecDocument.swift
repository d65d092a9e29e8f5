extension Spec {
    /// Reads a `config.json`.
    ///
    /// - Throws: `SpecError` with the path of the field that is missing or has the wrong type.
    public init(json: [UInt8]) throws(SpecError) {
        self = try JSONDecoding.decode(Spec.self, from: json)
    }

    /// Writes the `config.json`, indented, the fields in the specification's order.
    public func json() throws(SpecError) -> [UInt8] { try JSONEncoding.encode(self) }
}

extension SpecError {
    /// What the standard library says about a value, such as a name that an enumeration does not have.
    init(_ error: DecodingError) {
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            self.init(Self.path(context.codingPath), Self.sentence(context.debugDescription))
        case .keyNotFound(let key, let context):
            self.init(Self.path(context.codingPath + [key]), "missing")
        @unknown default:
            self.init("", "\(error)")
        }
    }

    static func path(_ keys: [any CodingKey]) -> String {
        keys.reduce(into: "") { path, key in
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += path.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
    }

    private static func sentence(_ text: String) -> String {
        let text = text.hasSuffix(".") ? String(text.dropLast()) : text
        return text.prefix(1).lowercased() + text.dropFirst()
    }
}
