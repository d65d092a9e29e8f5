public import Addressing
public import JSONCoding

/// Addresses of a network.
public struct Subnet: Hashable, Sendable {
    /// The subnet, with every host bit zero.
    public var prefix: IPPrefix
    /// The router that endpoints use: the host's own address where the host routes, somebody else's where it does not.
    public var gateway: IPAddress?
    /// The part that addresses are chosen from; nil for all of it.
    public var range: AddressRange?
    /// Addresses that are never chosen, because somebody else has them. They can be asked for.
    public var excluded: [IPAddress]

    public init(
        prefix: IPPrefix, gateway: IPAddress? = nil, range: AddressRange? = nil, excluded: [IPAddress] = []
    ) {
        self.prefix = prefix
        self.gateway = gateway
        self.range = range
        self.excluded = excluded
    }

    /// An address of the subnet with the subnet's length.
    public func with(_ address: IPAddress) -> IPPrefix {
        var copy = prefix
        copy.address = address
        return copy
    }

    /// Whether an address may be chosen for an endpoint, if nobody has it.
    public func offers(_ address: IPAddress) -> Bool {
        prefix.allowsHost(address) && address != gateway && range?.contains(address) != false
            && !excluded.contains(address)
    }
}

extension Subnet: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        self.init(
            prefix: try json.text("subnet"), gateway: try json.optionalText("gateway"),
            range: try json.optionalText("range"), excluded: try json.texts("excluded"))
    }

    public var json: JSONValue {
        JSONValue([
            "subnet": .init(text: prefix), "gateway": gateway.map { .init(text: $0) },
            "range": range.map { .init(text: $0) },
            "excluded": excluded.isEmpty ? nil : .array(excluded.map { .init(text: $0) }),
        ])
    }
}
