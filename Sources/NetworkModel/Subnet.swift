public import Addressing
public import JSONCoding

/// Addresses of a network.
public struct Subnet: Hashable, Sendable {
    /// The subnet, with every host bit zero.
    public var prefix: IPPrefix
    /// The router that endpoints use: the host's own address where the host routes, somebody else's where it does not.
    public var gateway: IPAddress?
    /// The parts that addresses are chosen from, in order of their addresses and apart; none for all of it.
    public var ranges: [AddressRange]
    /// Addresses that are never chosen, because somebody else has them. They can be asked for.
    public var excluded: [IPAddress]
    /// Whether it is chosen from only when the subnet before it is full, instead of as well.
    public var isAlternative: Bool

    public init(
        prefix: IPPrefix, gateway: IPAddress? = nil, ranges: [AddressRange] = [], excluded: [IPAddress] = [],
        isAlternative: Bool = false
    ) {
        self.prefix = prefix
        self.gateway = gateway
        self.ranges = ranges
        self.excluded = excluded
        self.isAlternative = isAlternative
    }

    /// An address of the subnet with the subnet's length.
    public func with(_ address: IPAddress) -> IPPrefix {
        var copy = prefix
        copy.address = address
        return copy
    }

    /// Whether an address may be chosen for an endpoint, if nobody has it.
    public func offers(_ address: IPAddress) -> Bool {
        prefix.allowsHost(address) && address != gateway && !excluded.contains(address)
            && (ranges.isEmpty || ranges.contains { $0.contains(address) })
    }

    /// What addresses are chosen from, for an error message.
    public var extent: String {
        ranges.isEmpty ? prefix.description : ranges.map(\.description).joined(separator: " and ")
    }
}

extension Subnet: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        self.init(
            prefix: try json.text("subnet"), gateway: try json.optionalText("gateway"),
            ranges: try json.texts("ranges"), excluded: try json.texts("excluded"),
            isAlternative: try json.flag("alternative"))
    }

    public var json: JSONValue {
        JSONValue([
            "subnet": .init(text: prefix), "gateway": gateway.map { .init(text: $0) },
            "ranges": ranges.isEmpty ? nil : .array(ranges.map { .init(text: $0) }),
            "excluded": excluded.isEmpty ? nil : .array(excluded.map { .init(text: $0) }),
            "alternative": isAlternative ? .bool(true) : nil,
        ])
    }
}
