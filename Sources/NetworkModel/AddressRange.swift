public import Addressing

/// Addresses from one to another, both included: `10.1.0.10-10.1.0.99`, or `10.1.0.128/25` for all of a prefix.
public struct AddressRange: Hashable, Sendable {
    public let first: IPAddress
    public let last: IPAddress

    /// - Returns: nil when they are of different families, or run backwards.
    public init?(_ first: IPAddress, _ last: IPAddress) {
        guard first.family == last.family, first <= last else { return nil }
        self.first = first
        self.last = last
    }

    public var family: IPFamily { first.family }

    public func contains(_ address: IPAddress) -> Bool {
        address.family == family && first <= address && address <= last
    }

    public func overlaps(_ other: AddressRange) -> Bool {
        family == other.family && first <= other.last && other.first <= last
    }
}

extension AddressRange: LosslessStringConvertible {
    public init?(_ text: String) {
        if let prefix = IPPrefix(text) {
            self.init(prefix.network.address, prefix.last)
            return
        }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { IPAddress(String($0)) }
        guard ends.count == 2, let first = ends[0], let last = ends[1] else { return nil }
        self.init(first, last)
    }

    public var description: String { "\(first)-\(last)" }
}
