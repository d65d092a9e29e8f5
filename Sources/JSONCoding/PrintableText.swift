extension String {
    /// The text with everything escaped that would act on a terminal instead of being shown: control characters,
    /// line separators and the marks that reorder text. A name that came from outside cannot hide in a message.
    public var printable: String {
        // Almost every message is plain, and asking for a scalar's category is slow.
        if utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) { return self }
        var result = ""
        for scalar in unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate:
                let digits = String(scalar.value, radix: 16)
                result += scalar.value < 0x80 ? "\\x" + (digits.count < 2 ? "0" : "") + digits : "\\u{\(digits)}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
