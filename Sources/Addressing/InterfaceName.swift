/// The name of a network interface that the kernel accepts.
public struct InterfaceName: Hashable, Sendable {
    /// The most bytes in a name: IFNAMSIZ is 16 with the terminating zero.
    public static let maximumLength = 15

    public let text: String
}

extension InterfaceName: LosslessStringConvertible {
    /// - Returns: nil unless the name has 1 to 15 bytes, is neither `.` nor `..`, and has no slash, colon, white space or
    ///   control character (the kernel's `dev_valid_name`, net/core/dev.c; `%` would make the kernel number it), and is
    ///   neither `all` nor `default`, which stand for others in `net.ipv4.conf` (`sysctl_dev_name_is_allowed`).
    public init?(_ text: String) {
        let bytes = text.utf8
        guard (1...Self.maximumLength).contains(bytes.count), ![".", "..", "all", "default"].contains(text) else {
            return nil
        }
        let refused: [UInt8] = [UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "%"), 0x7f]
        // 0xa0 is white space to the kernel's isspace().
        guard bytes.allSatisfy({ $0 > 0x20 && $0 != 0xa0 && !refused.contains($0) }) else { return nil }
        self.text = text
    }

    public var description: String { text }
}

extension InterfaceName: Comparable {
    public static func < (a: Self, b: Self) -> Bool { a.text < b.text }
}
