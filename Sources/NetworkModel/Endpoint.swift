public import Addressing
public import JSONCoding

/// A sandbox's place in a network: a veth pair, one end in the sandbox and one on the network's bridge.
public struct Endpoint: Hashable, Sendable {
    public var network: String
    /// The interface in the sandbox.
    public var interface: String
    /// The interface of the host, a port of the bridge.
    public var hostInterface: String
    public var bridge: String
    public var macAddress: MACAddress
    /// At most one of each family, with the subnet's length.
    public var addresses: [IPPrefix]
    /// The routers of its default routes; empty on an internal network.
    public var gateways: [IPAddress]
    /// What is added to the metric of its default routes: the endpoint with the least gives the one that is used, and
    /// the next takes over when that one is disconnected.
    public var metric: Int
    public var mtu: Int?
    /// Whether its network is cut off from the outside, so that no port can be published on it.
    public var isInternal: Bool
    /// Other names of the sandbox on this network.
    public var aliases: [String]
    /// What whoever connected it wants to find it by again; they mean nothing to the engine.
    public var labels: [String: String]

    public init(
        network: String, interface: String, hostInterface: String, bridge: String, macAddress: MACAddress,
        addresses: [IPPrefix], gateways: [IPAddress] = [], metric: Int = 0, mtu: Int? = nil, isInternal: Bool = false,
        aliases: [String] = [], labels: [String: String] = [:]
    ) {
        self.network = network
        self.interface = interface
        self.hostInterface = hostInterface
        self.bridge = bridge
        self.macAddress = macAddress
        self.addresses = addresses
        self.gateways = gateways
        self.metric = metric
        self.mtu = mtu
        self.isInternal = isInternal
        self.aliases = aliases
        self.labels = labels
    }

    public func address(_ family: IPFamily) -> IPAddress? { addresses.first { $0.family == family }?.address }
}

extension Endpoint: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        self.init(
            network: try json.string("network"), interface: try json.string("interface"),
            hostInterface: try json.string("hostInterface"), bridge: try json.string("bridge"),
            macAddress: try json.text("mac"), addresses: try json.texts("addresses"),
            gateways: try json.texts("gateways"),
            metric: json["metric"] == nil ? 0 : try json.integer("metric"),
            mtu: json["mtu"] == nil ? nil : try json.integer("mtu"),
            isInternal: try json.flag("internal"), aliases: try json.texts("aliases"),
            labels: try json.strings("labels"))
    }

    public var json: JSONValue {
        JSONValue([
            "network": .string(network),
            "interface": .string(interface),
            "hostInterface": .string(hostInterface),
            "bridge": .string(bridge),
            "mac": .init(text: macAddress),
            "addresses": .array(addresses.map { .init(text: $0) }),
            "gateways": .array(gateways.map { .init(text: $0) }),
            "metric": metric == 0 ? nil : .integer(metric),
            "mtu": mtu.map { .integer($0) },
            "internal": isInternal ? .bool(true) : nil,
            "aliases": aliases.isEmpty ? nil : .array(aliases.map { .string($0) }),
            "labels": labels.isEmpty ? nil : .init(strings: labels),
        ])
    }
}
