/// A JSON document as a value (RFC 8259).
///
/// Foundation's coder costs half a millisecond at its first use in a process, which is more than making a veth pair.
/// Members keep their order, so that a record reads the way it was written; of a name that comes twice, the last counts.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    /// Any other number, as it is written: it keeps all its digits until somebody says which type it is.
    case number(String)
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

// MARK: - Building

extension JSONValue {
    /// An object of the members that have a value.
    public init(_ members: KeyValuePairs<String, JSONValue?>) {
        self = .object(members.compactMap { name, value in value.map { Member(name, $0) } })
    }

    /// Inlinable like the others here: what is generic at run time is put together at its use, which takes longer than
    /// most documents.
    @inlinable public init(_ values: some Sequence<some JSONRepresentable>) {
        self = .array(values.map { $0.json })
    }

    /// An object of strings, in the order of their names.
    public init(strings: [String: String]) {
        self = .object(strings.sorted { $0.key < $1.key }.map { Member($0.key, .string($0.value)) })
    }

    /// The text of a value that prints and parses as text: an address, a name.
    @inlinable public init(text value: some LosslessStringConvertible) { self = .string(value.description) }
}

// MARK: - Reading

extension JSONValue {
    /// The member of that name; nil when it is missing or null, or this is no object.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        guard let value = members.last(where: { $0.name == name })?.value, value != .null else { return nil }
        return value
    }

    public func string(_ name: String) throws(JSONCodingError) -> String {
        guard case .string(let text)? = self[name] else { throw wrong(name, "a string") }
        return text
    }

    public func integer(_ name: String) throws(JSONCodingError) -> Int {
        guard case .integer(let number)? = self[name] else { throw wrong(name, "an integer") }
        return number
    }

    /// A member that may be missing, which counts as false.
    public func flag(_ name: String) throws(JSONCodingError) -> Bool {
        guard let value = self[name] else { return false }
        guard case .bool(let flag) = value else { throw wrong(name, "true or false") }
        return flag
    }

    /// The elements of an array that may be missing, which counts as empty.
    public func array(_ name: String) throws(JSONCodingError) -> [JSONValue] {
        guard let value = self[name] else { return [] }
        guard case .array(let values) = value else { throw wrong(name, "an array") }
        return values
    }

    @inlinable public func list<Element: JSONRepresentable>(
        _ name: String, of type: Element.Type = Element.self
    ) throws(JSONCodingError) -> [Element] {
        var elements: [Element] = []
        for value in try array(name) { elements.append(try Element(json: value)) }
        return elements
    }

    /// A member whose text is parsed as `Value`.
    public func text<Value: LosslessStringConvertible>(
        _ name: String, as type: Value.Type = Value.self
    ) throws(JSONCodingError) -> Value {
        guard let value = Value(try string(name)) else { throw wrong(name, "a valid \(type)") }
        return value
    }

    /// A member that may be missing; when it is there, its text is parsed as `Value`.
    public func optionalText<Value: LosslessStringConvertible>(
        _ name: String, as type: Value.Type = Value.self
    ) throws(JSONCodingError) -> Value? {
        self[name] == nil ? nil : try text(name, as: type)
    }

    /// The elements of an array that may be missing, each parsed as `Value`.
    @inlinable public func texts<Value: LosslessStringConvertible>(
        _ name: String, as type: Value.Type = Value.self
    ) throws(JSONCodingError) -> [Value] {
        try array(name).map { element throws(JSONCodingError) in
            guard case .string(let text) = element, let value = Value(text) else {
                throw wrong(name, "a list of \(type)s")
            }
            return value
        }
    }

    /// The members of an object whose values are all strings; a missing one counts as empty.
    public func strings(_ name: String) throws(JSONCodingError) -> [String: String] {
        guard let value = self[name] else { return [:] }
        guard case .object(let members) = value else { throw wrong(name, "an object") }
        var strings: [String: String] = [:]
        for member in members {
            guard case .string(let text) = member.value else { throw wrong(name, "an object of strings") }
            strings[member.name] = text
        }
        return strings
    }

    /// A member that has to be there, whatever it is.
    public func member(_ name: String) throws(JSONCodingError) -> JSONValue {
        guard let value = self[name] else { throw JSONCodingError(name, "missing") }
        return value
    }

    @usableFromInline func wrong(_ name: String, _ wanted: String) -> JSONCodingError {
        JSONCodingError(name, self[name] == nil ? "missing" : "is not \(wanted)")
    }

    /// What it is, for an error message.
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }
}
