public import JSONCoding

/// Ports as people write them, which is how records keep them too.
public protocol PortText: LosslessStringConvertible, JSONRepresentable {
    /// - Throws: `NetworkError` that names the piece that is wrong.
    init(parsing text: String) throws(NetworkError)
}

extension PortText {
    public init?(_ text: String) {
        do throws(NetworkError) { try self.init(parsing: text) } catch { return nil }
    }

    public init(json: JSONValue) throws(JSONCodingError) {
        guard case .string(let text) = json else { throw JSONCodingError("", "a port is not a string") }
        do throws(NetworkError) {
            try self.init(parsing: text)
        } catch {
            throw JSONCodingError("", error.message)
        }
    }

    public var json: JSONValue { .string(description) }
}
