import Addressing
import JSONCoding

/// A place in a document that came from outside, with the path that an error has to name.
///
/// A value of the wrong type cannot be decoded (6); one of the right type that makes no sense is invalid (7). What is
/// missing, and what is null, reads as nil.
struct Field {
    let path: String
    let value: JSONValue?

    init(path: String, value: JSONValue?) {
        self.path = path
        self.value = value
    }

    /// - Throws: `CNIError` 6 for what is no JSON, or no object.
    init(document bytes: [UInt8]) throws(CNIError) {
        let value: JSONValue
        do throws(JSONCodingError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw CNIError(.undecodable, "the network configuration \(error)")
        }
        guard case .object = value else {
            throw CNIError(.undecodable, "the network configuration is \(value.kind) and has to be an object")
        }
        self.init(path: "", value: value)
    }

    /// A member; one of something that is missing is missing too.
    subscript(name: String) -> Field { Field(path: path.isEmpty ? name : "\(path).\(name)", value: value?[name]) }

    var isMissing: Bool { value == nil }

    func string() throws(CNIError) -> String? {
        guard let value else { return nil }
        guard case .string(let text) = value else { throw mismatch(value, "a string") }
        return text
    }

    func flag() throws(CNIError) -> Bool? {
        guard let value else { return nil }
        guard case .bool(let flag) = value else { throw mismatch(value, "true or false") }
        return flag
    }

    func integer() throws(CNIError) -> Int? {
        guard let value else { return nil }
        guard case .integer(let number) = value else { throw mismatch(value, "a whole number") }
        return number
    }

    func list() throws(CNIError) -> [Field]? {
        guard let value else { return nil }
        guard case .array(let elements) = value else { throw mismatch(value, "a list") }
        return elements.enumerated().map { Field(path: "\(path)[\($0)]", value: $1 == .null ? nil : $1) }
    }

    /// The members of an object, in their order.
    func members() throws(CNIError) -> [(name: String, field: Field)]? {
        guard let value else { return nil }
        guard case .object(let members) = value else { throw mismatch(value, "an object") }
        return members.map { ($0.name, self[$0.name]) }
    }

    /// An object or nothing.
    func object() throws(CNIError) -> Field {
        _ = try members()
        return self
    }

    /// A string that is something: an address, a name.
    ///
    /// - Parameter what: What it has to be: `an IP address`.
    func parsed<Value: LosslessStringConvertible>(
        _ what: String, as type: Value.Type = Value.self
    ) throws(CNIError) -> Value? {
        guard let text = try string(), !text.isEmpty else { return nil }
        guard let value = Value(text) else { throw invalid("'\(text)' is not \(what)") }
        return value
    }

    func strings() throws(CNIError) -> [String] {
        var strings: [String] = []
        for element in try list() ?? [] {
            guard let text = try element.string() else { throw element.missing }
            strings.append(text)
        }
        return strings
    }

    func number(_ range: ClosedRange<Int>) throws(CNIError) -> Int? {
        guard let number = try integer() else { return nil }
        guard range.contains(number) else {
            throw invalid("\(number) is out of range (\(range.lowerBound) to \(range.upperBound))")
        }
        return number
    }

    // MARK: - Errors

    func mismatch(_ value: JSONValue, _ wanted: String) -> CNIError {
        CNIError(.undecodable, "\(path) is \(value.kind) and has to be \(wanted)")
    }

    func invalid(_ what: String) -> CNIError { CNIError(.invalidConfiguration, "\(path): \(what)") }

    var missing: CNIError { CNIError(.invalidConfiguration, "\(path) is missing") }

    /// A key that is understood and cannot be done.
    func unsupported(_ why: String) -> CNIError {
        CNIError(.unsupportedField, "unsupported field \(path): \(value?.text ?? "null")", details: why)
    }
}
