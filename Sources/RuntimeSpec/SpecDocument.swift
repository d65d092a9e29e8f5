public import JSONCoding

extension Spec {
    /// The newest version of the specification that documents may follow.
    public static let supportedVersion = "1.3.0"

    /// Writes the `config.json`, indented, the fields in the specification's order.
    public var document: [UInt8] { json.bytes(isIndented: true) }
}

extension JSONObjectRepresentable {
    /// Reads a document: a `config.json`, or one of its objects by itself, such as the `process` of an `exec` or the
    /// `linux.resources` of an `update`.
    ///
    /// - Throws: `SpecError` with the path of the field that is missing or has the wrong type.
    public init(json document: [UInt8]) throws(SpecError) {
        do throws(JSONCodingError) {
            self = try Self(json: JSONValue(parsing: document))
        } catch {
            throw SpecError(error.path, error.reason)
        }
    }
}

extension State {
    /// The document that `state` prints and that hooks read.
    public func text(isIndented: Bool) -> String {
        String(decoding: json.bytes(isIndented: isIndented), as: UTF8.self)
    }
}
