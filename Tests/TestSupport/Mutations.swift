public import JSONCoding

/// Documents that are almost what they should be.
public enum Mutations {
    private static let marks: [Unicode.Scalar] = ["{", "}", "[", "]", "\"", ":", ",", "\\", "-", "9", "."]

    /// The text with up to six bytes changed, taken out or put in.
    public static func bytes(of text: String, using generator: inout some RandomNumberGenerator) -> [UInt8] {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(UInt8(ascii: marks.randomElement(using: &generator) ?? "0"), at: place)
            default: bytes[place] ^= 1
            }
        }
        return bytes
    }

    /// What stands nowhere where it should, in one respect or another.
    public static let values: [JSONCoding.JSONValue] = [
        .null, .bool(true), .integer(0), .integer(-1), .integer(.max), .integer(.min), .number("1e400"), .string(""),
        .string("10.1.0.0/16"), .string("\u{0}\u{202e}"), .string("/"), .string("../.."), .array([]), .array([.null]),
        .object([]), .object([.init("", .null)]),
    ]

    /// The document with one place after the other replaced by a value.
    public static func replacements(
        of document: JSONCoding.JSONValue, by value: JSONCoding.JSONValue
    ) -> [JSONCoding.JSONValue] {
        switch document {
        case .object(let members):
            members.indices.flatMap { index in
                ([value] + replacements(of: members[index].value, by: value)).map { changed in
                    var members = members
                    members[index].value = changed
                    return .object(members)
                }
            }
        case .array(let elements):
            elements.indices.flatMap { index in
                ([value] + replacements(of: elements[index], by: value)).map { changed in
                    var elements = elements
                    elements[index] = changed
                    return .array(elements)
                }
            }
        default: []
        }
    }
}
