/// A JSON document as a value (RFC 8259), for the small records that a hot command reads and writes.
///
/// Foundation's coder costs half a millisecond at its first use in a process, which is more than making a veth pair.
/// Members keep their order, so that a record reads the way it was written.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// One `"name": value` of an object.
    public struct Member: Hashable, Sendable {
        public var name: String
        public var value: JSONValue

        public init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }
}

/// A value that is kept in records as JSON.
public protocol JSONRepresentable {
    init(json: JSONValue) throws(NetworkError)
    var json: JSONValue { get }
}

// MARK: - Building

extension JSONValue {
    /// An object of the members that have a value.
    public init(_ members: KeyValuePairs<String, JSONValue?>) {
        self = .object(members.compactMap { name, value in value.map { Member(name, $0) } })
    }

    public init(_ values: some Sequence<some JSONRepresentable>) { self = .array(values.map(\.json)) }

    /// The text of a value that prints and parses as text: an address, a name.
    public init(text value: some LosslessStringConvertible) { self = .string(value.description) }
}

// MARK: - Reading

extension JSONValue {
    /// The member of that name; nil when it is missing or null, or this is no object.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        guard let value = members.first(where: { $0.name == name })?.value, value != .null else { return nil }
        return value
    }

    public func string(_ name: String) throws(NetworkError) -> String {
        guard case .string(let text)? = self[name] else { throw wrong(name, "a string") }
        return text
    }

    public func integer(_ name: String) throws(NetworkError) -> Int {
        guard case .integer(let number)? = self[name] else { throw wrong(name, "an integer") }
        return number
    }

    /// A member that may be missing, which counts as false.
    public func flag(_ name: String) throws(NetworkError) -> Bool {
        guard let value = self[name] else { return false }
        guard case .bool(let flag) = value else { throw wrong(name, "true or false") }
        return flag
    }

    /// The elements of an array that may be missing, which counts as empty.
    public func array(_ name: String) throws(NetworkError) -> [JSONValue] {
        guard let value = self[name] else { return [] }
        guard case .array(let values) = value else { throw wrong(name, "an array") }
        return values
    }

    public func list<Element: JSONRepresentable>(
        _ name: String, of type: Element.Type = Element.self
    ) throws(NetworkError) -> [Element] {
        var elements: [Element] = []
        for value in try array(name) { elements.append(try Element(json: value)) }
        return elements
    }

    /// A member whose text is parsed as `Value`.
    public func text<Value: LosslessStringConvertible>(
        _ name: String, as type: Value.Type = Value.self
    ) throws(NetworkError) -> Value {
        guard let value = Value(try string(name)) else { throw wrong(name, "a valid \(type)") }
        return value
    }

    /// A member that may be missing; when it is there, its text is parsed as `Value`.
    public func optionalText<Value: LosslessStringConvertible>(
        _ name: String, as type: Value.Type = Value.self
    ) throws(NetworkError) -> Value? {
        self[name] == nil ? nil : try text(name, as: type)
    }

    private func wrong(_ name: String, _ wanted: String) -> NetworkError {
        NetworkError(.failed, "record: '\(name)' is not \(wanted)")
    }
}
