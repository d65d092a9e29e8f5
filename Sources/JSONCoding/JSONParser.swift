extension JSONValue {
    /// Parses a document; nothing may follow it but white space.
    ///
    /// - Throws: `JSONCodingError` with the member in which and the byte where it stops being JSON. Nesting deeper than 128 is refused.
    public init(parsing bytes: [UInt8]) throws(JSONCodingError) {
        do throws(JSONError) {
            self = try JSONParser.parse(bytes)
        } catch {
            let line = bytes.prefix(error.offset).count { $0 == UInt8(ascii: "\n") } + 1
            throw JSONCodingError(
                error.path, "is not JSON: \(error.reason) at byte \(error.offset)" + (line > 1 ? ", line \(line)" : ""))
        }
    }
}

/// A text that is not JSON, with the place where it stops being it.
struct JSONError: Error {
    var reason: String
    /// In bytes from the beginning.
    var offset: Int
    /// The member or element that it is in, filled in on the way out.
    var path = ""

    func inside(_ step: String) -> JSONError {
        var error = self
        error.path = path.isEmpty || path.hasPrefix("[") ? step + path : "\(step).\(path)"
        return error
    }
}

/// Reads JSON strictly as RFC 8259 has it: no comments, no trailing commas, no other numbers, UTF-8 only.
struct JSONParser {
    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0
    /// Deeper documents are refused, because each level takes some of the stack.
    private static let maximumDepth = 128
    private static let digits = UInt8(ascii: "0")...UInt8(ascii: "9")

    static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        var parser = JSONParser(bytes: bytes)
        let value = try parser.value()
        parser.skipSpace()
        guard parser.position == bytes.count else { throw parser.error("something follows the document") }
        return value
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func error(_ reason: String) -> JSONError { JSONError(reason: reason, offset: position) }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func value() throws(JSONError) -> JSONValue {
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try nested { parser throws(JSONError) in try parser.object() }
        case UInt8(ascii: "["): return try nested { parser throws(JSONError) in try parser.array() }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case let byte? where byte == UInt8(ascii: "-") || Self.digits.contains(byte): return try number()
        case nil: throw error("the document ends early")
        default: throw error("no value begins here")
        }
    }

    private mutating func nested(
        _ body: (inout JSONParser) throws(JSONError) -> JSONValue
    ) throws(JSONError) -> JSONValue {
        guard depth < Self.maximumDepth else { throw error("nested more than \(Self.maximumDepth) levels deep") }
        depth += 1
        position += 1
        let value = try body(&self)
        depth -= 1
        return value
    }

    private mutating func object() throws(JSONError) -> JSONValue {
        var members: [JSONValue.Member] = []
        skipSpace()
        if take("}") { return .object(members) }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw error("a name is missing") }
            let name = try string()
            skipSpace()
            guard take(":") else { throw error("a colon is missing") }
            do throws(JSONError) {
                members.append(.init(name, try value()))
            } catch {
                throw error.inside(name)
            }
            skipSpace()
        } while take(",")
        guard take("}") else { throw error("a comma or a closing brace is missing") }
        return .object(members)
    }

    private mutating func array() throws(JSONError) -> JSONValue {
        var elements: [JSONValue] = []
        skipSpace()
        if take("]") { return .array(elements) }
        repeat {
            do throws(JSONError) {
                elements.append(try value())
            } catch {
                throw error.inside("[\(elements.count)]")
            }
            skipSpace()
        } while take(",")
        guard take("]") else { throw error("a comma or a closing bracket is missing") }
        return .array(elements)
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        guard bytes[position...].starts(with: word.utf8) else { throw error("no value begins here") }
        position += word.utf8.count
        return value
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        _ = take("-")
        // No zero in front of other digits.
        if !take("0") { try digits() }
        if take(".") { try digits() }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        return Int(text).map { .integer($0) } ?? .number(text)
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while let byte = next, Self.digits.contains(byte) { position += 1 }
        guard position > start else { throw error("a digit is missing") }
    }

    private mutating func string() throws(JSONError) -> String {
        position += 1
        let start = position
        // Almost every string has no escape and is one slice of the document.
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
        if next == UInt8(ascii: "\"") {
            position += 1
            return try text(bytes[start..<position - 1])
        }
        var result = Array(bytes[start..<position])
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return try text(result[...])
            case UInt8(ascii: "\\"):
                position += 1
                try escape(into: &result)
            case 0..<0x20: throw error("a control character in a string")
            default:
                result.append(byte)
                position += 1
            }
        }
        throw error("the document ends in a string")
    }

    private func text(_ bytes: ArraySlice<UInt8>) throws(JSONError) -> String {
        // `String(validating:as:)` asks the runtime for its types by name.
        do {
            return String(copying: try UTF8Span(validating: bytes.span))
        } catch {
            throw self.error("a string is not UTF-8")
        }
    }

    private mutating func escape(into result: inout [UInt8]) throws(JSONError) {
        guard let byte = next else { throw error("the document ends in a string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if (0xD800..<0xDC00).contains(code) {
                // Characters beyond the first 65,536 are written as two halves.
                guard take("\\"), take("u") else { throw error("half a character") }
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else { throw error("half a character") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw error("half a character") }
            result.append(contentsOf: Array(String(Character(scalar)).utf8))
        default: throw error("an unknown escape")
        }
    }

    private mutating func hexadecimal() throws(JSONError) -> UInt32 {
        guard position + 4 <= bytes.count else { throw error("the document ends in a string") }
        var code: UInt32 = 0
        for byte in bytes[position..<position + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw error("not four hex digits") }
            code = code << 4 | UInt32(digit)
        }
        position += 4
        return code
    }
}
