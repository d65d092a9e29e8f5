/// The rules for names of networks.
public enum NetworkName {
    /// The network that exists without being created.
    public static let `default` = "bridge"
    /// The most bytes in a name.
    public static let maximumLength = 63

    /// Refuses a name that is no good as a file name, in a listing, or because it means something else.
    ///
    /// - Throws: `NetworkError` that says what is wrong with it.
    public static func check(_ name: String) throws(NetworkError) {
        guard !name.isEmpty else { throw NetworkError(.invalid, "a network's name is empty") }
        guard name.utf8.count <= maximumLength else {
            throw NetworkError(
                .invalid,
                "network name '\(name.prefix(maximumLength))…' has \(name.utf8.count) characters "
                    + "(at most \(maximumLength))")
        }
        let isAlphanumeric = { (byte: UInt8) in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: false
            }
        }
        guard let first = name.utf8.first, isAlphanumeric(first),
            name.utf8.allSatisfy({ isAlphanumeric($0) || "_.-".utf8.contains($0) })
        else {
            throw NetworkError(
                .invalid,
                "network name '\(name)' is not valid (letters, digits, '_', '.' and '-', a letter or digit first)")
        }
        guard name != "host" && name != "none" && name != "default" else {
            throw NetworkError(.invalid, "network name '\(name)' is reserved for a mode")
        }
    }
}
