import FoundationEssentials

extension Spec {
    /// Reads a `config.json`.
    ///
    /// - Throws: `SpecError` with the path of the field that is missing or has the wrong type.
    public init(json: [UInt8]) throws(SpecError) {
        do {
            self = try JSONDecoder().decode(Spec.self, from: Data(json))
        } catch let error as DecodingError {
            throw SpecError(error)
        } catch {
            throw SpecError("", "\(error)")
        }
    }

    /// Writes the `config.json`, indented, keys in order.
    public func json() throws(SpecError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(self))
        } catch {
            throw SpecError("", "\(error)")
        }
    }
}

extension SpecError {
    fileprivate init(_ error: DecodingError) {
        switch error {
        case .typeMismatch(_, let context):
            self.init(Self.path(context.codingPath), Self.sentence(context.debugDescription))
        case .valueNotFound(_, let context):
            self.init(Self.path(context.codingPath), Self.sentence(context.debugDescription))
        case .keyNotFound(let key, let context):
            self.init(Self.path(context.codingPath + [key]), "missing")
        case .dataCorrupted(let context):
            self.init(Self.path(context.codingPath), Self.sentence(context.debugDescription))
        @unknown default:
            self.init("", "\(error)")
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
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
