/// The digest of some content: `sha256:` and 64 lower-case hexadecimal digits.
///
/// The grammar is that of the OCI image specification (descriptor.md, "Digests"), of which only the algorithm that every
/// implementation has to know is accepted: content that cannot be verified is not wanted.
public struct Digest: Hashable, Sendable {
    /// The 64 hexadecimal digits, which are safe as a file name.
    public let hex: String

    /// - Returns: nil unless the text is 64 lower-case hexadecimal digits.
    public init?(hex: some StringProtocol) {
        guard hex.utf8.count == 64, hex.utf8.allSatisfy(isLowerHexDigit) else { return nil }
        self.hex = String(hex)
    }

    /// The digest that a hash function computed.
    ///
    /// - Returns: nil unless there are 32 bytes.
    public init?(bytes: some Sequence<UInt8>) {
        let digits = Array("0123456789abcdef".utf8)
        let text = String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
        self.init(hex: text)
    }

    /// The first 12 digits, as listings show them.
    public var short: String { String(hex.prefix(12)) }
}

extension Digest: LosslessStringConvertible {
    public init?(_ text: String) {
        guard text.hasPrefix(Digest.prefix) else { return nil }
        self.init(hex: text.dropFirst(Digest.prefix.count))
    }

    public var description: String { Digest.prefix + hex }

    static let prefix = "sha256:"
}

extension Digest: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Digest(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not a sha256 digest")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

func isLowerHexDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
}
