public import Addressing

/// What a network's name server knows of its sandboxes, as a file of aardvark-dns has it: the addresses that it listens
/// on in the first line, then a line for each sandbox: `KEY IPV4,… IPV6,… NAME,…`.
///
/// Source: aardvark-dns, config/README.md.
public struct NameRecord: Sendable {
    private let head: String
    /// Bytes, each line with its end: a network of a thousand sandboxes has a thousand lines, which nearly always stay as
    /// they are.
    private var lines: [UInt8]

    private static let newline = UInt8(ascii: "\n")

    /// A file as it is.
    public init(_ file: [UInt8]) {
        let end = file.firstIndex(of: Self.newline) ?? file.endIndex
        head = String(decoding: file[..<end], as: UTF8.self)
        lines = Array(file[end...].dropFirst())
        if let last = lines.last, last != Self.newline { lines.append(Self.newline) }
    }

    /// - Parameter file: The file as it is; empty when there is none yet.
    public init(_ file: [UInt8] = [], gateways: [IPAddress]) {
        head = gateways.map(\.description).joined(separator: ",")
        lines = NameRecord(file).lines
    }

    /// Replaces what is known of a sandbox; nil for one that has left the network.
    public mutating func set(_ key: String, _ endpoint: Endpoint?, name: String) {
        remove(key)
        if let endpoint { append(key, endpoint, name: name) }
    }

    private mutating func remove(_ key: String) {
        let prefix = Array("\(key) ".utf8)
        var start = lines.startIndex
        while let last = lines[start...].firstIndex(of: Self.newline) {
            if lines[start...last].starts(with: prefix) {
                lines.removeSubrange(start...last)
            } else {
                start = last + 1
            }
        }
    }

    /// Adds a sandbox that is not there yet.
    public mutating func append(_ key: String, _ endpoint: Endpoint, name: String) {
        guard !endpoint.addresses.isEmpty else { return }
        let addresses = IPFamily.allCases.map { family in
            endpoint.addresses.filter { $0.family == family }.map(\.address.description).joined(separator: ",")
        }
        var names: [String] = []
        for name in [name] + endpoint.aliases where Self.isName(name) && !names.contains(name) { names.append(name) }
        guard !names.isEmpty else { return }
        lines += "\(key) \(addresses[0]) \(addresses[1]) \(names.joined(separator: ","))\n".utf8
    }

    /// What `isName` asks for, in words.
    public static let nameRule = "letters, digits, '_' and, not in front, '-', at most 63 between two dots"

    /// Whether both say the same, in whatever order.
    public func saysTheSame(as other: NameRecord) -> Bool {
        head == other.head
            && Set(lines.split(separator: Self.newline)) == Set(other.lines.split(separator: Self.newline))
    }

    /// Whether no sandbox is left.
    public var isEmpty: Bool { lines.isEmpty }

    /// The file.
    public var bytes: [UInt8] { Array("\(head)\n".utf8) + lines }

    /// A name that can be asked for: letters, digits, `-`, `_` and `.`, at most 253, of which no more than 63 stand between
    /// two dots (RFC 1035, section 2.3.4). With a dash in front the C library does not ask for it.
    public static func isName(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
                (1...63).contains(label.count) && label.first != UInt8(ascii: "-")
            }
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "-_.".utf8.contains(byte)
                }
            }
    }
}

extension Network {
    /// Whether its sandboxes find each other by name: people's own networks on a bridge of ours, whose gateway can answer.
    public var hasNames: Bool {
        driver.ownsBridge && name != NetworkName.default && subnets.contains { $0.gateway != nil }
    }
}
