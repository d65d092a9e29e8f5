/// The fields of a JSON object, gone through in one of two directions: each is read into a value, or written from it.
///
/// One list of the fields serves both directions, so that what is written can be read again. What the compiler makes for
/// `Codable` says the same with types that are put together at run time, which took a runtime a sixth of its own time.
public struct JSONFields {
    /// What is there to be read, or has been written.
    @usableFromInline var members: [JSONValue.Member]
    @usableFromInline let isReading: Bool

    /// Fields to be read.
    ///
    /// - Throws: `JSONCodingError` when the value is no object.
    @usableFromInline init(reading json: JSONValue) throws(JSONCodingError) {
        guard case .object(let members) = json else { throw json.mismatch("an object") }
        self.members = members
        isReading = true
    }

    /// Fields to be written.
    @usableFromInline init() {
        members = []
        isReading = false
    }

    /// The member of that name; of a name that comes twice, the last counts.
    @usableFromInline func member(_ name: String) -> JSONValue? {
        for member in members.reversed() where member.name == name { return member.value }
        return nil
    }

    @inlinable static func read<Value: JSONRepresentable>(
        _ name: String, _ json: JSONValue
    ) throws(JSONCodingError) -> Value {
        do throws(JSONCodingError) {
            return try Value(json: json)
        } catch {
            throw error.inside(name)
        }
    }

    /// A field that a document has to have.
    @inlinable public mutating func required<Value: JSONRepresentable>(
        _ name: String, _ value: inout Value
    ) throws(JSONCodingError) {
        guard isReading else { return members.append(JSONValue.Member(name, value.json)) }
        guard let json = member(name) else { throw JSONCodingError(name, "missing") }
        value = try Self.read(name, json)
    }

    /// A field that a document may leave out; null is the same as nothing.
    @inlinable public mutating func optional<Value: JSONRepresentable>(
        _ name: String, _ value: inout Value?
    ) throws(JSONCodingError) {
        guard isReading else {
            if let value { members.append(JSONValue.Member(name, value.json)) }
            return
        }
        guard let json = member(name) else { return }
        if case .null = json { return }
        value = try Self.read(name, json)
    }

    /// A field that keeps the value it has when a document leaves it out.
    @inlinable public mutating func defaulted<Value: JSONRepresentable>(
        _ name: String, _ value: inout Value
    ) throws(JSONCodingError) {
        var field: Value? = value
        try optional(name, &field)
        if let field { value = field }
    }
}

extension JSONFields {
    /// Refuses members that a document of this kind does not have, for kinds where a misspelt one does harm.
    public func refuseAll(but names: String...) throws(JSONCodingError) {
        guard let other = members.first(where: { !names.contains($0.name) }) else { return }
        throw JSONCodingError("", "unknown member '\(other.name)'")
    }
}

/// A type that is an object in JSON, and tells its fields.
public protocol JSONObjectRepresentable: JSONRepresentable {
    /// A value whose fields are yet to be read.
    init()

    /// Goes through the fields, in the order in which they are written.
    mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError)
}

extension JSONObjectRepresentable {
    @inlinable public init(json: JSONValue) throws(JSONCodingError) {
        var fields = try JSONFields(reading: json)
        self.init()
        try exchange(&fields)
    }

    @inlinable public var json: JSONValue {
        var fields = JSONFields()
        var value = self
        // Only reading has something to refuse.
        try? value.exchange(&fields)
        return .object(fields.members)
    }
}
