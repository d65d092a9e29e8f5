extension JSONValue {
    /// The document on one line.
    public var bytes: [UInt8] { bytes(isIndented: false) }

    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// - Parameter isIndented: A line for each member and element, two spaces further in at each level.
    public func bytes(isIndented: Bool) -> [UInt8] {
        var printer = JSONPrinter(isIndented: isIndented)
        printer.print(self)
        return printer.output
    }
}

/// Writes a value as text.
struct JSONPrinter {
    let isIndented: Bool
    private(set) var output: [UInt8] = []
    private var depth = 0

    init(isIndented: Bool) {
        self.isIndented = isIndented
        output.reserveCapacity(1024)
    }

    mutating func print(_ value: JSONValue) {
        switch value {
        case .null: put("null")
        case .bool(let flag): put(flag ? "true" : "false")
        case .integer(let number): put(String(number))
        case .number(let number): put(number)
        case .string(let text): print(text)
        case .array(let values):
            list("[", "]", values) { $0.print($1) }
        case .object(let members):
            list("{", "}", members) { printer, member in
                printer.print(member.name)
                printer.put(printer.isIndented ? ": " : ":")
                printer.print(member.value)
            }
        }
    }

    private mutating func list<Element>(
        _ opening: String, _ closing: String, _ elements: [Element], _ body: (inout JSONPrinter, Element) -> Void
    ) {
        put(opening)
        depth += 1
        for (index, element) in elements.enumerated() {
            if index > 0 { put(",") }
            newLine()
            body(&self, element)
        }
        depth -= 1
        if !elements.isEmpty { newLine() }
        put(closing)
    }

    private mutating func newLine() {
        guard isIndented else { return }
        output.append(UInt8(ascii: "\n"))
        for _ in 0..<depth { put("  ") }
    }

    private mutating func put(_ text: String) { output.append(contentsOf: text.utf8) }

    mutating func print(_ text: String) {
        put("\"")
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): put("\\\"")
            case UInt8(ascii: "\\"): put("\\\\")
            case UInt8(ascii: "\n"): put("\\n")
            case UInt8(ascii: "\r"): put("\\r")
            case UInt8(ascii: "\t"): put("\\t")
            case 0..<0x20: put("\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))")
            default: output.append(byte)
            }
        }
        put("\"")
    }
}

extension JSONValue: Encodable {
    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    public func encode(to encoder: any Encoder) throws {
        if case .object(let members) = self {
            var container = encoder.container(keyedBy: Key.self)
            for member in members { try container.encode(member.value, forKey: Key(stringValue: member.name)) }
            return
        }
        var container = encoder.singleValueContainer()
        switch self {
        case .null, .object: try container.encodeNil()
        case .bool(let flag): try container.encode(flag)
        case .integer(let number): try container.encode(number)
        case .number(let text):
            if let number = UInt64(text) {
                try container.encode(number)
            } else {
                try container.encode(Double(text) ?? 0)
            }
        case .string(let text): try container.encode(text)
        case .array(let values): try container.encode(values)
        }
    }
}
