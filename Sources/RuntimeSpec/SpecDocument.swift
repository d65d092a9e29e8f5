import JSONCoding

extension Spec {
    /// The newest version of the specification that documents may follow.
    public static let supportedVersion = "1.3.0"

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

extension Spec.Process {
    /// Reads the document of a further process, which is the `process` of a `config.json` by itself.
    public init(json: [UInt8]) throws(SpecError) {
        do throws(JSONCodingError) {
            self = try JSONDecoding.decode(Spec.Process.self, from: json)
        } catch {
            throw SpecError(error.path, error.reason)
        }
    }
}

extension Spec.Linux.Resources {
    /// Reads the document of new limits, which is the `linux.resources` of a `config.json` by itself.
    public init(json: [UInt8]) throws(SpecError) {
        do throws(JSONCodingError) {
            self = try JSONDecoding.decode(Spec.Linux.Resources.self, from: json)
        } catch {
            throw SpecError(error.path, error.reason)
        }
    }
}

extension State {
    /// The document that `state` prints and that hooks read.
    public func text(isIndented: Bool) throws(SpecError) -> String {
        do throws(JSONCodingError) {
            return String(decoding: try JSONEncoding.encode(self, layout: .init(isIndented: isIndented)), as: UTF8.self)
        } catch {
            throw SpecError(error.path, error.reason)
        }
    }
}
