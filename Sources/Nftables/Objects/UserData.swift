import CLinux
import CNftnl

/// What user space keeps with an object: the kernel stores the bytes and gives them back.
///
/// A list of type, length and value, one byte each for the first two (libnftnl's src/udata.c).
struct UserData {
    private(set) var bytes: [UInt8] = []

    init() {}
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The most bytes of a comment (`NFTNL_UDATA_COMMENT_MAXLEN`).
    static let maximumComment = Int(NFTNL_UDATA_COMMENT_MAXLEN)

    /// Appends a text with the zero that ends it in C. The caller has checked its length.
    mutating func put(_ type: UInt32, _ text: String) {
        bytes.append(UInt8(truncatingIfNeeded: type))
        bytes.append(UInt8(truncatingIfNeeded: text.utf8.count + 1))
        bytes.append(contentsOf: text.utf8)
        bytes.append(0)
    }

    /// Appends a number in the machine's byte order.
    mutating func put(_ type: UInt32, _ number: UInt32) {
        bytes.append(UInt8(truncatingIfNeeded: type))
        bytes.append(UInt8(MemoryLayout<UInt32>.size))
        bytes.append(bigEndian: number.bigEndian)
    }

    /// The value of a type; what is cut short at the end is not there.
    private func value(_ type: UInt32) -> ArraySlice<UInt8>? {
        var rest = bytes[...]
        while rest.count >= 2 {
            let header = rest.prefix(2)
            let value = rest.dropFirst(2).prefix(Int(header[header.startIndex + 1]))
            guard value.count == Int(header[header.startIndex + 1]) else { return nil }
            if UInt32(header[header.startIndex]) == type { return value }
            rest = rest[value.endIndex...]
        }
        return nil
    }

    func text(_ type: UInt32) -> String? {
        value(type).map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    func number(_ type: UInt32) -> UInt32? {
        value(type).flatMap { $0.count == 4 ? UInt32(inMachineOrder: $0) : nil }
    }
}
