/// The form of version numbers, <https://semver.org/spec/v2.0.0.html>.
enum SemanticVersion {
    /// Whether a text is three numbers, perhaps with what comes before a release (`-rc.1`) and what was built (`+dev`).
    static func isValid(_ text: String) -> Bool {
        let halves = text.utf8.split(separator: UInt8(ascii: "+"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let version = halves.first, halves.dropFirst().allSatisfy({ areWords($0, numbersAreShort: false) }) else {
            return false
        }
        let parts = version.split(separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let core = parts.first, parts.dropFirst().allSatisfy({ areWords($0, numbersAreShort: true) }) else {
            return false
        }
        let numbers = core.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return numbers.count == 3 && numbers.allSatisfy { isNumber($0) && isShort($0) && !$0.isEmpty }
    }

    /// The second of the numbers of a valid one.
    static func minor(of text: String) -> Int {
        let rest = text.utf8.drop { $0 != UInt8(ascii: ".") }.dropFirst()
        return Int(Substring(rest.prefix(while: isDigit))) ?? 0
    }

    private static func areWords(_ text: Substring.UTF8View, numbersAreShort: Bool) -> Bool {
        text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { word in
            !word.isEmpty && word.allSatisfy { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") }
                && (!numbersAreShort || !isNumber(word) || isShort(word))
        }
    }

    private static func isNumber(_ word: Substring.UTF8View) -> Bool { word.allSatisfy(isDigit) }
    /// Without zeros in front.
    private static func isShort(_ word: Substring.UTF8View) -> Bool {
        word.count == 1 || word.first != UInt8(ascii: "0")
    }
    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
