/// Reads a value written as text: `'a string'`, `true`, `uint64 5000000`, `['a', 'b']` (GLib, "GVariant Text Format").
///
/// Numbers without a type are `int32`, or `double` when they have a point, as they are there and for runc.
struct VariantText {
    private var rest: Substring.UnicodeScalarView
    private var depth = 0

    /// - Throws: `UnitError` for what is no value, or has something behind it.
    static func value(_ text: String) throws(UnitError) -> UnitValue {
        var reader = VariantText(rest: Substring(text).unicodeScalars)
        let value = try reader.value()
        reader.skipSpace()
        guard reader.rest.isEmpty else { throw UnitError("'\(text)': '\(String(reader.rest))' follows the value") }
        return value
    }

    private init(rest: Substring.UnicodeScalarView) { self.rest = rest }

    private mutating func skipSpace() {
        while let next = rest.first, next.properties.isWhitespace { rest.removeFirst() }
    }

    private mutating func value() throws(UnitError) -> UnitValue {
        skipSpace()
        guard let first = rest.first else { throw UnitError("a value is missing") }
        switch first {
        case "'", "\"": return .string(try string())
        case "[": return try array()
        case "(": return try tuple()
        case "@": return try typed(String(String.UnicodeScalarView(word())))
        default: break
        }
        let word = String(String.UnicodeScalarView(self.word()))
        switch word {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "boolean", "byte", "int16", "uint16", "int32", "uint32", "int64", "uint64", "double", "string",
            "objectpath":
            return try typed(word)
        default: return try Self.number(word, word.contains { ".eE".contains($0) } && !isHexadecimal(word) ? "d" : "i")
        }
    }

    private func isHexadecimal(_ word: String) -> Bool { word.hasPrefix("0x") || word.hasPrefix("-0x") }

    /// What stands before a space, a comma or a bracket.
    private mutating func word() -> Substring.UnicodeScalarView {
        let end = rest.firstIndex { $0.properties.isWhitespace || ",]()['\"".unicodeScalars.contains($0) }
        let word = rest[..<(end ?? rest.endIndex)]
        rest = rest[word.endIndex...]
        return word
    }

    private static let letters = [
        "boolean": "b", "byte": "y", "int16": "n", "uint16": "q", "int32": "i", "uint32": "u", "int64": "x",
        "uint64": "t", "double": "d", "string": "s", "objectpath": "o",
    ]

    /// A value whose type is said: by its name, or as `@t`.
    private mutating func typed(_ type: String) throws(UnitError) -> UnitValue {
        let letter = Self.letters[type] ?? String(type.dropFirst())
        skipSpace()
        switch letter {
        case "s": return .string(try string())
        case "o": return .objectPath(try string())
        case "b":
            let word = String(String.UnicodeScalarView(self.word()))
            guard word == "true" || word == "false" else { throw UnitError("'boolean' is followed by '\(word)'") }
            return .boolean(word == "true")
        case "as", "ao":
            guard rest.first == "[" else { throw UnitError("'\(type)' is followed by no list") }
            let elements = try list("]")
            let texts = elements.compactMap { if case .string(let text) = $0 { text } else { nil } }
            guard texts.count == elements.count else { throw UnitError("'\(type)' is followed by a list of others") }
            return .array(
                signature: String(letter.dropFirst()), texts.map { letter == "as" ? .string($0) : .objectPath($0) })
        default: return try Self.number(String(String.UnicodeScalarView(word())), letter)
        }
    }

    private static func number(_ text: String, _ letter: String) throws(UnitError) -> UnitValue {
        func integer<Number: FixedWidthInteger>(_ type: Number.Type) throws(UnitError) -> Number {
            let isNegative = text.hasPrefix("-")
            let digits = isNegative ? text.dropFirst() : text[...]
            let number =
                digits.hasPrefix("0x")
                ? Number((isNegative ? "-" : "") + digits.dropFirst(2), radix: 16)
                : digits.count > 1 && digits.hasPrefix("0")
                    ? Number((isNegative ? "-" : "") + digits.dropFirst(), radix: 8) : Number(text)
            guard let number else { throw UnitError("'\(text)' is no value, or no \(type)") }
            return number
        }
        switch letter {
        case "y": return .byte(try integer(UInt8.self))
        case "n": return .int16(try integer(Int16.self))
        case "q": return .uint16(try integer(UInt16.self))
        case "i": return .int32(try integer(Int32.self))
        case "u": return .uint32(try integer(UInt32.self))
        case "x": return .int64(try integer(Int64.self))
        case "t": return .uint64(try integer(UInt64.self))
        case "d":
            guard let number = Double(text), number.isFinite else { throw UnitError("'\(text)' is no number") }
            return .double(number)
        default: throw UnitError("'\(letter)' is no type that a value can have here")
        }
    }

    private mutating func string() throws(UnitError) -> String {
        guard let quote = rest.popFirst(), quote == "'" || quote == "\"" else {
            throw UnitError("a string has no quote")
        }
        var text = String.UnicodeScalarView()
        while let next = rest.popFirst() {
            if next == quote { return String(text) }
            guard next == "\\" else {
                text.append(next)
                continue
            }
            switch rest.popFirst() {
            case "n": text.append("\n")
            case "t": text.append("\t")
            case let other?: text.append(other)
            case nil: break
            }
        }
        throw UnitError("a string has no end")
    }

    private mutating func array() throws(UnitError) -> UnitValue {
        let elements = try list("]")
        let signature = elements.first?.signature ?? "s"
        guard elements.allSatisfy({ $0.signature == signature }) else {
            throw UnitError("a list has values of several types")
        }
        return .array(signature: signature, elements)
    }

    private mutating func tuple() throws(UnitError) -> UnitValue {
        let members = try list(")")
        guard !members.isEmpty else { throw UnitError("a tuple is empty") }
        return .tuple(members)
    }

    /// What stands between two brackets.
    private mutating func list(_ end: Unicode.Scalar) throws(UnitError) -> [UnitValue] {
        // D-Bus nests no deeper either.
        depth += 1
        guard depth <= 32 else { throw UnitError("brackets are nested too deep") }
        defer { depth -= 1 }
        rest.removeFirst()
        var elements: [UnitValue] = []
        skipSpace()
        while let next = rest.first, next != end {
            elements.append(try value())
            skipSpace()
            guard rest.first == "," else { break }
            rest.removeFirst()
            skipSpace()
        }
        guard rest.popFirst() == end else { throw UnitError("a bracket is not closed by '\(end)'") }
        return elements
    }
}

/// Something about a unit that systemd cannot be asked for.
public struct UnitError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}
