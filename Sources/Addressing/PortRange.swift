/// One port or a run of ports, 1 to 65535, first to last inclusive.
public struct PortRange: Hashable, Sendable {
    public let first: UInt16
    public let last: UInt16

    /// - Returns: nil when the first port is 0 or the last is below the first.
    public init?(_ first: UInt16, _ last: UInt16) {
        guard first > 0 && first <= last else { return nil }
        self.first = first
        self.last = last
    }

    public init?(_ port: UInt16) { self.init(port, port) }

    /// Parses one port.
    public init?(port digits: Substring.UTF8View) {
        guard let port = UInt16(decimal: digits) else { return nil }
        self.init(port)
    }

    public var count: Int { Int(last) - Int(first) + 1 }
    public var ports: ClosedRange<UInt16> { first...last }

    public func overlaps(_ other: PortRange) -> Bool { ports.overlaps(other.ports) }
}

extension PortRange: LosslessStringConvertible {
    /// Parses `80` or `8000-8010`.
    public init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = UInt16(decimal: parts[0]) else { return nil }
        guard parts.count == 2 else {
            self.init(first)
            return
        }
        guard let last = UInt16(decimal: parts[1]) else { return nil }
        self.init(first, last)
    }

    public var description: String { first == last ? "\(first)" : "\(first)-\(last)" }
}
