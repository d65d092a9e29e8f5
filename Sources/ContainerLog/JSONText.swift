/// The inside of a JSON string (RFC 8259 section 7).
public enum JSONText {
    /// Appends bytes that should be UTF-8, escaped; what is not UTF-8 becomes U+FFFD, as docker writes it.
    public static func append(_ text: [UInt8], to out: inout [UInt8]) {
        var index = 0
        while index < text.count {
            let byte = text[index]
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): out += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
            case UInt8(ascii: "\r"): out += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
            case UInt8(ascii: "\t"): out += [UInt8(ascii: "\\"), UInt8(ascii: "t")]
            case 0..<0x20, 0x7f:
                out += [UInt8(ascii: "\\"), UInt8(ascii: "u"), UInt8(ascii: "0"), UInt8(ascii: "0")]
                out += [digit(byte >> 4), digit(byte & 15)]
            case 0..<0x80: out.append(byte)
            default:
                let length = sequenceLength(text, at: index)
                if length == 0 {
                    out += [0xef, 0xbf, 0xbd]
                } else {
                    out.append(contentsOf: text[index..<(index + length)])
                    index += length - 1
                }
            }
            index += 1
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    /// The length of the well-formed UTF-8 sequence that starts here (Unicode, table 3-7); 0 when there is none.
    private static func sequenceLength(_ text: [UInt8], at index: Int) -> Int {
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xbf
        switch text[index] {
        case 0xc2...0xdf: length = 2
        case 0xe0...0xef:
            length = 3
            if text[index] == 0xe0 { second = 0xa0...0xbf }
            if text[index] == 0xed { second = 0x80...0x9f }
        case 0xf0...0xf4:
            length = 4
            if text[index] == 0xf0 { second = 0x90...0xbf }
            if text[index] == 0xf4 { second = 0x80...0x8f }
        default: return 0
        }
        guard index + length <= text.count, second.contains(text[index + 1]) else { return 0 }
        for position in (index + 2)..<(index + max(length, 2)) where text[position] & 0xc0 != 0x80 { return 0 }
        return length
    }
}
