import FoundationEssentials

/// JSON for people and for `jq`: two-space indentation, keys in order, slashes as they are.
public enum JSONOutput {
    /// Encodes a value, without a line end.
    public static func text(_ value: some Encodable, pretty: Bool = true) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
        let bytes = try encoder.encode(value)
        return pretty ? String(decoding: tightened(bytes), as: UTF8.self) : String(decoding: bytes, as: UTF8.self)
    }

    /// Prints a value on standard output.
    public static func print(_ value: some Encodable, pretty: Bool = true) throws {
        Output.line(try text(value, pretty: pretty))
    }

    /// Writes `"key": value`, as everyone else does, where Foundation's encoder writes `"key" : value`.
    private static func tightened(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var inString = false
        var escaped = false
        for byte in bytes {
            if inString {
                if escaped {
                    escaped = false
                } else if byte == UInt8(ascii: "\\") {
                    escaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                }
            } else if byte == UInt8(ascii: "\"") {
                inString = true
            } else if byte == UInt8(ascii: ":"), result.last == UInt8(ascii: " ") {
                result.removeLast()
            } else if byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") {
                // An empty object or list is two characters and not three lines.
                let content = result.lastIndex { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\n") } ?? 0
                if result[content] == byte - 2 { result.removeSubrange((content + 1)...) }
            }
            result.append(byte)
        }
        return result
    }
}
