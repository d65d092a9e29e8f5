/// Writes an `Encodable` value as a JSON document.
public enum JSONEncoding {
    /// How a document is laid out.
    public struct Layout: Hashable, Sendable {
        /// Two spaces for each level, or everything on one line.
        public var isIndented: Bool
        /// Members by name, or in the order in which they are encoded. Those of a dictionary always are by name.
        public var isSorted: Bool

        public init(isIndented: Bool = true, isSorted: Bool = false) {
            self.isIndented = isIndented
            self.isSorted = isSorted
        }
    }

    /// - Throws: `JSONCodingError` for a number that JSON cannot say, or for what the value itself throws.
    public static func encode(
        _ value: some Encodable, layout: Layout = Layout()
    ) throws(JSONCodingError) -> [UInt8] {
        let node = TreeEncoder.Node()
        do {
            try TreeEncoder(node: node, codingPath: []).encode(value)
        } catch let error as JSONCodingError {
            throw error
        } catch {
            throw JSONCodingError("", "\(error)")
        }
        var text = ""
        write(node, layout, indent: "\n", to: &text)
        return Array(text.utf8)
    }

    private static func write(_ node: TreeEncoder.Node, _ layout: Layout, indent: String, to text: inout String) {
        let inner = layout.isIndented ? indent + "  " : ""
        let outer = layout.isIndented ? indent : ""
        switch node.content {
        case .scalar(let scalar): text += scalar
        case .list(let list) where list.isEmpty: text += "[]"
        case .object(let members) where members.isEmpty: text += "{}"
        case .list(let list):
            for (position, element) in list.enumerated() {
                text += (position == 0 ? "[" : ",") + inner
                write(element, layout, indent: inner, to: &text)
            }
            text += outer + "]"
        case .object(var members):
            if layout.isSorted { members.sort { $0.name < $1.name } }
            for (position, member) in members.enumerated() {
                text += (position == 0 ? "{" : ",") + inner + quote(member.name) + (layout.isIndented ? ": " : ":")
                write(member.node, layout, indent: inner, to: &text)
            }
            text += outer + "}"
        }
    }

    static func quote(_ string: String) -> String { JSONValue.string(string).text }
}

/// What is encoded in another order each time.
private protocol WithoutOrder {}
extension Dictionary: WithoutOrder {}

/// A place in a document that is being built.
struct TreeEncoder: Encoder {
    /// A tree that is being built: containers are handed out before they are complete.
    final class Node {
        enum Content {
            case scalar(String)
            case list([Node])
            case object([(name: String, node: Node)])
        }
        var content: Content = .scalar("null")

        /// Adds an element to a list.
        func append(_ element: Node) {
            guard case .list(var list) = content else { return }
            // While somebody else has it too, it would be copied, and a long list as often as it has elements.
            content = .list([])
            list.append(element)
            content = .list(list)
        }

        /// Adds a member to an object.
        func append(_ member: Node, named name: String) {
            guard case .object(var members) = content else { return }
            content = .object([])
            members.append((name, member))
            content = .object(members)
        }

        func sortMembers() {
            guard case .object(let members) = content else { return }
            content = .object(members.sorted { $0.name < $1.name })
        }
    }

    let node: Node
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if case .object = node.content {} else { node.content = .object([]) }
        return KeyedEncodingContainer(Keyed<Key>(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        if case .list = node.content {} else { node.content = .list([]) }
        return Unkeyed(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }
}

extension TreeEncoder: SingleValueEncodingContainer {
    func encodeNil() { node.content = .scalar("null") }
    func encode(_ value: Bool) { node.content = .scalar(value ? "true" : "false") }
    func encode(_ value: String) { node.content = .scalar(JSONEncoding.quote(value)) }
    func encode(_ value: Double) throws { try encode(float: value) }
    func encode(_ value: Float) throws { try encode(float: Double(value)) }
    func encode(_ value: Int) { encode(integer: value) }
    func encode(_ value: Int8) { encode(integer: value) }
    func encode(_ value: Int16) { encode(integer: value) }
    func encode(_ value: Int32) { encode(integer: value) }
    func encode(_ value: Int64) { encode(integer: value) }
    func encode(_ value: UInt) { encode(integer: value) }
    func encode(_ value: UInt8) { encode(integer: value) }
    func encode(_ value: UInt16) { encode(integer: value) }
    func encode(_ value: UInt32) { encode(integer: value) }
    func encode(_ value: UInt64) { encode(integer: value) }

    func encode(_ value: some Encodable) throws {
        try value.encode(to: self)
        if value is any WithoutOrder { node.sortMembers() }
    }

    private func encode(integer: some FixedWidthInteger) { node.content = .scalar("\(integer)") }

    private func encode(float: Double) throws {
        guard float.isFinite else {
            throw JSONCodingError(JSONCodingError.path(codingPath), "\(float) cannot be written in JSON")
        }
        node.content = .scalar("\(float)")
    }
}

extension TreeEncoder {
    private struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
        let node: Node
        let codingPath: [any CodingKey]

        private func member(_ key: any CodingKey) -> TreeEncoder {
            let child = Node()
            node.append(child, named: key.stringValue)
            return TreeEncoder(node: child, codingPath: codingPath + [key])
        }

        func encodeNil(forKey key: Key) { member(key).encodeNil() }
        func encode(_ value: some Encodable, forKey key: Key) throws {
            try member(key).encode(value)
        }

        func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type, forKey key: Key
        ) -> KeyedEncodingContainer<Nested> { member(key).container(keyedBy: type) }

        func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { member(key).unkeyedContainer() }
        func superEncoder() -> any Encoder { TreeEncoder(node: node, codingPath: codingPath) }
        func superEncoder(forKey key: Key) -> any Encoder { member(key) }
    }

    private struct Unkeyed: UnkeyedEncodingContainer {
        let node: Node
        let codingPath: [any CodingKey]

        var count: Int { if case .list(let list) = node.content { list.count } else { 0 } }

        private func element() -> TreeEncoder {
            let child = Node()
            let path = codingPath + [ListIndex(count)]
            node.append(child)
            return TreeEncoder(node: child, codingPath: path)
        }

        func encodeNil() { element().encodeNil() }
        func encode(_ value: some Encodable) throws { try element().encode(value) }

        func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
            element().container(keyedBy: type)
        }

        func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { element().unkeyedContainer() }
        func superEncoder() -> any Encoder { element() }
    }
}
