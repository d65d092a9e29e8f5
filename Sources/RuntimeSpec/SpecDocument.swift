import JSONCoding

extension Spec {
    /// Reads a `config.json`.
    ///
    /// - Throws: `SpecError` with the path of the field that is missing or has the wrong type.
    public init(json: [UInt8]) throws(SpecError) {
        do throws(JSONCodingError) {
            self = try JSONDecoding.decode(Spec.self, from: json)
        } catch {
            throw SpecError(error.path, error.reason)
        }
    }

    /// Writes the `config.json`, indented, the fields in the specification's order.
    public func json() throws(SpecError) -> [UInt8] {
        do throws(JSONCodingError) {
            return try JSONEncoding.encode(self)
        } catch {
            throw SpecError(error.path, error.reason)
        }
    }
}
