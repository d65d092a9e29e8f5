public import Addressing
public import JSONCoding

/// A sandbox's place in a network: an interface, with its addresses and routes.
public struct Endpoint: Hashable, Sendable {
    public var network: String
    /// The interface in the sandbox.
    public var interface: String
    /// What the interface is, and where its other end.
    public var link: EndpointLink
    /// nil where the driver gives it.
    public var macAddress: MACAddress?
    /// One of each of the network's subnets.
    public var addresses: [IPPrefix]
    /// The routers of its default routes; empty on an internal network.
    public var gateways: [IPAddress]
    /// Families whose default route is the interface itself.
    public var deviceRoutes: [IPFamily]
    /// What is added to the metric of its default routes: the endpoint with the least gives the one that is used, and
    /// the next takes over when that one is disconnected (`Sandbox.orderDefaultRoutes`).
    public var metric: Int
    public var mtu: Int?
    /// Whether its network is cut off from the outside.
    public var isInternal: Bool
    /// Whether it reaches no other isolated port of its bridge.
    public var isIsolated: Bool
    /// Whether the host routes for it, so that ports can be published that lead to it.
    public var takesPorts: Bool
    /// Other names of the sandbox on this network.
    public var aliases: [String]
    /// Who answers when the sandbox asks for a name; empty where that is nobody of ours.
    public var nameServers: [IPAddress]
    /// What whoever connected it wants to find it by again; they mean nothing to the engine.
    public var labels: [String: String]
    /// What else was asked for.
    public var options: EndpointOptions
    /// The network's static routes, and those that were asked for with it.
    public var routes: [StaticRoute]
    /// What DHCP servers gave it, by family; none where addresses are ours to give.
    public var leases: [IPFamily: DHCPLease]
    /// Whether routers say in advertisements which addresses of IPv6 it makes for itself (SLAAC, RFC 4862). The kernel does
    /// that, so they are not among `addresses`.
    public var configuresItself: Bool
    /// Whether other programs have changed its Ethernet address, the size of its packets and its kernel parameters since,
    /// or may have: plugins that come behind ours in a chain of CNI. What they are then is nobody's mistake.
    public var isHandedOn: Bool

    public init(
        network: String, interface: String, link: EndpointLink, macAddress: MACAddress? = nil,
        addresses: [IPPrefix], gateways: [IPAddress] = [], deviceRoutes: [IPFamily] = [], metric: Int = 0,
        mtu: Int? = nil, isInternal: Bool = false, isIsolated: Bool = false, takesPorts: Bool = true,
        aliases: [String] = [],
        nameServers: [IPAddress] = [], labels: [String: String] = [:],
        options: EndpointOptions = EndpointOptions(), routes: [StaticRoute] = [],
        leases: [IPFamily: DHCPLease] = [:], configuresItself: Bool = false, isHandedOn: Bool = false
    ) {
        self.network = network
        self.interface = interface
        self.link = link
        self.macAddress = macAddress
        self.addresses = addresses
        self.gateways = gateways
        self.deviceRoutes = deviceRoutes
        self.metric = metric
        self.mtu = mtu
        self.isInternal = isInternal
        self.isIsolated = isIsolated
        self.takesPorts = takesPorts
        self.aliases = aliases
        self.nameServers = nameServers
        self.labels = labels
        self.options = options
        self.routes = routes
        self.leases = leases
        self.configuresItself = configuresItself
        self.isHandedOn = isHandedOn
    }

    /// Whether somebody else gives its addresses.
    public var isLeased: Bool { !leases.isEmpty }

    /// Whether it believes routers that advertise themselves. Nobody else tells a default route of IPv6.
    public var believesRouters: Bool { configuresItself || leases[.v6] != nil }

    public func address(_ family: IPFamily) -> IPAddress? { addresses.first { $0.family == family }?.address }
}

extension Endpoint: JSONRepresentable {
    private static let leaseNames = [(IPFamily.v4, "dhcp"), (.v6, "dhcp6")]

    public init(json: JSONValue) throws(JSONCodingError) {
        self.init(
            network: try json.string("network"), interface: try json.string("interface"),
            link: try EndpointLink(json: json.member("link")), macAddress: try json.optionalText("mac"),
            addresses: try json.texts("addresses"),
            gateways: try json.texts("gateways"),
            deviceRoutes: try json.texts("deviceRoutes", as: String.self).compactMap(IPFamily.init(rawValue:)),
            metric: json["metric"] == nil ? 0 : try json.integer("metric"),
            mtu: json["mtu"] == nil ? nil : try json.integer("mtu"),
            isInternal: try json.flag("internal"), isIsolated: try json.flag("isolated"),
            takesPorts: try json.flag("takesPorts"),
            aliases: try json.texts("aliases"),
            nameServers: try json.texts("nameServers"), labels: try json.strings("labels"),
            options: try EndpointOptions(json: json), routes: try json.texts("routes"),
            configuresItself: try json.flag("slaac"), isHandedOn: try json.flag("handedOn"))
        for (family, name) in Self.leaseNames where json[name] != nil {
            leases[family] = try DHCPLease(json: json.member(name))
        }
    }

    public var json: JSONValue {
        let list = { (texts: [String]) in JSONValue.array(texts.map { .string($0) }) }
        var members: [JSONValue.Member] = [
            .init("network", .string(network)), .init("interface", .string(interface)), .init("link", link.json),
            .init("addresses", list(addresses.map(\.description))),
            .init("gateways", list(gateways.map(\.description))),
        ]
        if let macAddress { members.append(.init("mac", .init(text: macAddress))) }
        if !deviceRoutes.isEmpty { members.append(.init("deviceRoutes", list(deviceRoutes.map(\.rawValue)))) }
        if metric != 0 { members.append(.init("metric", .integer(metric))) }
        if let mtu { members.append(.init("mtu", .integer(mtu))) }
        if isInternal { members.append(.init("internal", .bool(true))) }
        if isIsolated { members.append(.init("isolated", .bool(true))) }
        if takesPorts { members.append(.init("takesPorts", .bool(true))) }
        if !aliases.isEmpty { members.append(.init("aliases", list(aliases))) }
        if !nameServers.isEmpty { members.append(.init("nameServers", list(nameServers.map(\.description)))) }
        if !labels.isEmpty { members.append(.init("labels", .init(strings: labels))) }
        if !routes.isEmpty { members.append(.init("routes", list(routes.map(\.description)))) }
        for (family, name) in Self.leaseNames {
            if let lease = leases[family] { members.append(.init(name, lease.json)) }
        }
        if configuresItself { members.append(.init("slaac", .bool(true))) }
        if isHandedOn { members.append(.init("handedOn", .bool(true))) }
        return .object(members + options.members)
    }
}
