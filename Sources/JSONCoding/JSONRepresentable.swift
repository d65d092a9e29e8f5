/// A value that can be said in JSON.
public protocol JSONRepresentable {
    /// - Throws: `JSONCodingError` with the path of the member that is missing or has the wrong type.
    init(json: JSONValue) throws(JSONCodingError)
    var json: JSONValue { get }
}

extension Bool: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        guard case .bool(let value) = json else { throw json.mismatch("true or false") }
        self = value
    }

    public var json: JSONValue { .bool(self) }
}

extension String: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        guard case .string(let value) = json else { throw json.mismatch("a string") }
        self = value
    }

    public var json: JSONValue { .string(self) }
}

extension Int: JSONRepresentable {}
extension Int8: JSONRepresentable {}
extension Int16: JSONRepresentable {}
extension Int32: JSONRepresentable {}
extension Int64: JSONRepresentable {}
extension UInt: JSONRepresentable {}
extension UInt8: JSONRepresentable {}
extension UInt16: JSONRepresentable {}
extension UInt32: JSONRepresentable {}
extension UInt64: JSONRepresentable {}

extension JSONRepresentable where Self: FixedWidthInteger {
    @inlinable public init(json: JSONValue) throws(JSONCodingError) {
        if case .integer(let number) = json, let value = Self(exactly: number) {
            self = value
        } else {
            self = try Self.unusual(json)
        }
    }

    /// A number that is beyond `Int`, or beyond this type, or written as something else.
    @usableFromInline static func unusual(_ json: JSONValue) throws(JSONCodingError) -> Self {
        let text: String
        switch json {
        case .integer(let number): text = "\(number)"
        case .number(let digits): text = digits
        default: throw json.mismatch("a number")
        }
        if let value = Self(text) { return value }
        // 1e3 and 1.0 are integers as well, if they are small enough to be exact.
        if let number = Double(text), number.magnitude < 9e15, let value = Self(exactly: number) { return value }
        throw JSONCodingError("", "is \(text) and has to be a whole number from \(Self.min) to \(Self.max)")
    }

    @inlinable public var json: JSONValue {
        if let number = Int(exactly: self) { .integer(number) } else { .number(String(self)) }
    }
}

extension JSONRepresentable where Self: RawRepresentable<String> & CaseIterable {
    @inlinable public init(json: JSONValue) throws(JSONCodingError) {
        let name = try String(json: json)
        guard let value = Self(rawValue: name) else {
            let names = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw JSONCodingError("", "is '\(name)' and has to be one of \(names)")
        }
        self = value
    }

    @inlinable public var json: JSONValue { .string(rawValue) }
}

extension Array: JSONRepresentable where Element: JSONRepresentable {
    @inlinable public init(json: JSONValue) throws(JSONCodingError) {
        guard case .array(let values) = json else { throw json.mismatch("a list") }
        self = []
        reserveCapacity(values.count)
        for (index, value) in values.enumerated() {
            do throws(JSONCodingError) {
                append(try Element(json: value))
            } catch {
                throw error.inside("[\(index)]")
            }
        }
    }

    @inlinable public var json: JSONValue { .array(map { $0.json }) }
}

extension Dictionary: JSONRepresentable where Key == String, Value: JSONRepresentable {
    @inlinable public init(json: JSONValue) throws(JSONCodingError) {
        guard case .object(let members) = json else { throw json.mismatch("an object") }
        self = [:]
        for member in members {
            do throws(JSONCodingError) {
                self[member.name] = try Value(json: member.value)
            } catch {
                throw error.inside(member.name)
            }
        }
    }

    /// In the order of the names.
    @inlinable public var json: JSONValue {
        .object(keys.sorted().compactMap { name in self[name].map { JSONValue.Member(name, $0.json) } })
    }
}

extension JSONValue {
    /// The error that this is something else than what a place wants.
    @usableFromInline func mismatch(_ wanted: String) -> JSONCodingError {
        JSONCodingError("", "is \(kind) and has to be \(wanted)")
    }
}
