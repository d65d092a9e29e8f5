public import Addressing

/// What a network's name server knows of its sandboxes, as a file of aardvark-dns has it: the addresses that it listens
/// on in the first line, then a line for each sandbox: `KEY IPV4,… IPV6,… NAME,…`.
///
/// Source: aardvark-dns, config/README.md.
public struct NameRecord: Sendable {
    private var lines: [Substring]

    /// A file as it is.
    public init(_ text: String) { lines = Self.split(text) }

    /// By bytes: a network of a thousand sandboxes has a thousand lines, and what is a character is looked up for each.
    private static func split(_ text: String) -> [Substring] {
        text.utf8.split(separator: UInt8(ascii: "\n")).map { Substring($0) }
    }

    public init(gateways: [IPAddress]) { self.init("", gateways: gateways) }

    /// - Parameter text: The file as it is; empty when there is none yet.
    public init(_ text: String, gateways: [IPAddress]) {
        let head = gateways.map(\.description).joined(separator: ",")
        lines = [head[...]] + Self.split(text).dropFirst()
    }

    /// Replaces what is known of a sandbox; nil for one that has left the network.
    public mutating func set(_ key: String, _ endpoint: Endpoint?, name: String) {
        let prefix = Array("\(key) ".utf8)
        lines.removeAll { $0.utf8.starts(with: prefix) }
        if let endpoint { append(key, endpoint, name: name) }
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
        lines.append("\(key) \(addresses[0]) \(addresses[1]) \(names.joined(separator: ","))"[...])
    }

    /// Whether both say the same, in whatever order.
    public func saysTheSame(as other: NameRecord) -> Bool {
        lines.first == other.lines.first && Set(lines) == Set(other.lines)
    }

    /// Whether no sandbox is left.
    public var isEmpty: Bool { lines.count == 1 }

    public var text: String { lines.joined(separator: "\n") + "\n" }

    /// A name that can be asked for: letters, digits, `-`, `_` and `.`, at most 253 (RFC 1035, section 2.3.4).
    public static func isName(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count)
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
