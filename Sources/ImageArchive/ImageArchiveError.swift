import ImageStore

/// Why an archive was not taken: which one, which of its entries, and what is wrong with it.
public struct ImageArchiveError: Error, Hashable, Sendable {
    /// The file, and the member of it when it is an archive in an archive.
    public var archive: String
    /// The entry, when the fault is one entry's.
    public var entry: String?
    public var reason: String

    public init(_ archive: String, entry: String? = nil, _ reason: String) {
        self.archive = archive
        self.entry = entry
        self.reason = reason
    }
}

extension ImageArchiveError: CustomStringConvertible {
    public var description: String {
        entry.map { "\(archive): entry \($0): \(reason)" } ?? "\(archive): \(reason)"
    }
}

/// Bytes of a name from an archive as text that cannot harm a terminal: anything but printable text is escaped.
func printable(_ bytes: some Collection<UInt8>) -> String {
    let text = String(decoding: bytes, as: UTF8.self)
    var result = ""
    for scalar in text.unicodeScalars.prefix(300) {
        let isControl = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
        let isDirection = (0x200e...0x200f).contains(scalar.value) || (0x202a...0x202e).contains(scalar.value)
        if isControl || isDirection || (0x2066...0x2069).contains(scalar.value) {
            result += "\\u{\(String(scalar.value, radix: 16))}"
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}
