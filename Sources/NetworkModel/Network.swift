public import Addressing
public import JSONCoding

/// A network: the subnets that its endpoints get addresses from, and the driver that joins them.
public struct Network: Hashable, Sendable {
    public var name: String
    public var driver: Driver
    /// At most one of each family, and at least one.
    public var subnets: [Subnet]
    /// The largest packet in bytes; nil for the kernel's 1500.
    public var mtu: Int?
    /// Whether traffic stays inside: no default route, no way out, none in.
    public var isInternal: Bool
    /// Options of the driver; none are known yet.
    public var options: [String: String]

    public init(
        name: String, driver: Driver = .bridge, subnets: [Subnet], mtu: Int? = nil, isInternal: Bool = false,
        options: [String: String] = [:]
    ) {
        self.name = name
        self.driver = driver
        self.subnets = subnets
        self.mtu = mtu
        self.isInternal = isInternal
        self.options = options
    }

    /// How endpoints are joined.
    public enum Driver: String, CaseIterable, Hashable, Sendable {
        /// An Ethernet bridge of the host, with a veth pair for each endpoint.
        case bridge
    }

    /// The subnet of a family.
    public func subnet(_ family: IPFamily) -> Subnet? { subnets.first { $0.prefix.family == family } }
}

/// The addresses of a network in one family.
public struct Subnet: Hashable, Sendable {
    /// The subnet, with every host bit zero.
    public var prefix: IPPrefix
    /// The host's own address in it, which endpoints use as their router.
    public var gateway: IPAddress

    public init(prefix: IPPrefix, gateway: IPAddress) {
        self.prefix = prefix
        self.gateway = gateway
    }

    /// The gateway's address with the subnet's length, as it is set on an interface.
    public var gatewayPrefix: IPPrefix { with(gateway) }

    /// An address of the subnet with the subnet's length.
    public func with(_ address: IPAddress) -> IPPrefix {
        var copy = prefix
        copy.address = address
        return copy
    }
}

extension Network {
    /// The bridge's name: `sw-NAME` when that fits, else `sw-` and ten digits that stand for the name.
    public var bridgeName: String {
        let plain = "sw-\(name)"
        if InterfaceName(plain) != nil { return plain }
        // FNV-1a (draft-eastlake-fnv): the same in every process, unlike Swift's own hashes.
        let hash = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return "sw-" + (String(repeating: "0", count: 16 - digits.count) + digits).suffix(10)
    }

    /// The mark that the bridge carries in the kernel, so that it can be recognised as ours.
    public var alias: String { "swnet network \(name)" }
}

extension Subnet: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        self.init(prefix: try json.text("subnet"), gateway: try json.text("gateway"))
    }

    public var json: JSONValue { JSONValue(["subnet": .init(text: prefix), "gateway": .init(text: gateway)]) }
}

extension Network: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        let driverName = try json.string("driver")
        guard let driver = Driver(rawValue: driverName) else {
            throw JSONCodingError("driver", "'\(driverName)' is not known")
        }
        var options: [String: String] = [:]
        if case .object(let members)? = json["options"] {
            for member in members {
                guard case .string(let text) = member.value else { continue }
                options[member.name] = text
            }
        }
        self.init(
            name: try json.string("name"), driver: driver, subnets: try json.list("subnets"),
            mtu: json["mtu"] == nil ? nil : try json.integer("mtu"), isInternal: try json.flag("internal"),
            options: options)
    }

    public var json: JSONValue {
        JSONValue([
            "name": .string(name),
            "driver": .string(driver.rawValue),
            "bridge": .string(bridgeName),
            "subnets": JSONValue(subnets),
            "mtu": mtu.map { .integer($0) },
            "internal": .bool(isInternal),
            "options": .object(options.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }),
        ])
    }
}
