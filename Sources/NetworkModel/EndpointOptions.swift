import Addressing
public import JSONCoding

/// What a person may ask of an endpoint beside its addresses and names.
public struct EndpointOptions: Hashable, Sendable {
    /// What the sandbox may send.
    public var egress: RateLimit?
    /// What it may receive.
    public var ingress: RateLimit?
    /// Of the endpoints that can, the one with the highest gives the default route (docker's `--gw-priority`).
    public var gatewayPriority: Int
    /// The metric of its default routes, 1 to 4294967295; nil when it follows from the priorities.
    public var metric: UInt32?
    /// Kernel parameters of its interface, each once.
    public var sysctls: [InterfaceSysctl]

    public init(
        egress: RateLimit? = nil, ingress: RateLimit? = nil, gatewayPriority: Int = 0, metric: UInt32? = nil,
        sysctls: [InterfaceSysctl] = []
    ) {
        self.egress = egress
        self.ingress = ingress
        self.gatewayPriority = gatewayPriority
        self.metric = metric
        self.sysctls = sysctls
    }

    public var hasLimits: Bool { egress != nil || ingress != nil }
}

extension EndpointOptions {
    /// Refuses what contradicts itself, whatever the network is.
    ///
    /// - Parameter mtu: Of the endpoint, when it is known: a burst has to let one packet pass.
    /// - Throws: `NetworkError` that names the values.
    public func validate(mtu: Int? = nil) throws(NetworkError) {
        if let metric, gatewayPriority != 0 {
            throw NetworkError(
                .invalid,
                "metric \(metric) and the priority \(gatewayPriority) contradict each other (--metric, --gw-priority)")
        }
        if metric == 0 { throw NetworkError(.invalid, "metric 0 is out of range (1 to \(UInt32.max), --metric)") }
        for (index, sysctl) in sysctls.enumerated() {
            if let other = sysctls[..<index].first(where: { $0.name == sysctl.name }) {
                throw NetworkError(.invalid, "sysctls '\(other)' and '\(sysctl)' set the same parameter (--sysctl)")
            }
        }
        let packet = Self.packet(mtu: mtu)
        for (limit, flag) in [(egress, "egress"), (ingress, "ingress")] {
            guard let burst = limit?.burst, Int(burst) < packet else { continue }
            throw NetworkError(
                .invalid,
                "a burst of \(burst) bytes lets no packet of \(packet) pass (--\(flag) RATE,BURST)")
        }
    }

    /// The longest packet of a link with its Ethernet header and a tag, in bytes.
    public static func packet(mtu: Int?) -> Int { (mtu ?? 1500) + 18 }
}

extension EndpointOptions {
    /// Reads them from the record of an endpoint, where they stand among its own members.
    public init(json: JSONValue) throws(JSONCodingError) {
        self.init(
            egress: try json.optionalText("egress"), ingress: try json.optionalText("ingress"),
            gatewayPriority: json["gatewayPriority"] == nil ? 0 : try json.integer("gatewayPriority"),
            metric: json["fixedMetric"] == nil ? nil : UInt32(clamping: try json.integer("fixedMetric")),
            sysctls: try json.texts("sysctls"))
    }

    /// The members of a record that are not as they are by themselves.
    public var members: [JSONValue.Member] {
        var members: [JSONValue.Member] = []
        if let egress { members.append(.init("egress", .init(text: egress))) }
        if let ingress { members.append(.init("ingress", .init(text: ingress))) }
        if gatewayPriority != 0 { members.append(.init("gatewayPriority", .integer(gatewayPriority))) }
        if let metric { members.append(.init("fixedMetric", .integer(Int(metric)))) }
        if !sysctls.isEmpty { members.append(.init("sysctls", .array(sysctls.map { .init(text: $0) }))) }
        return members
    }
}

extension Endpoint {
    /// What it was given beside its addresses, for `inspect`; `metric` is that of its default route.
    public var settings: JSONValue {
        var members = options.members.filter { $0.name != "fixedMetric" }
        if hasDefaultRoute { members.append(.init("metric", .integer(Int(defaultMetric(.v4) ?? 0)))) }
        if let mtu { members.append(.init("mtu", .integer(mtu))) }
        if !routes.isEmpty { members.append(.init("routes", .array(routes.map { .init(text: $0) }))) }
        return .object(members)
    }

    /// What it has beside its addresses, for people: `, sends at most 10mbit, route 10.8.0.0/16,10.1.0.1`.
    var words: String {
        var words: [String] = []
        if hasDefaultRoute, let metric = defaultMetric(.v4) { words.append("default route with metric \(metric)") }
        words += routes.map { "route \($0)" }
        words += options.sysctls.map { "sysctl \($0)" }
        words += limitWords
        return words.map { ", \($0)" }.joined()
    }

    private var limitWords: [String] {
        (options.egress.map { ["sends at most \($0)"] } ?? [])
            + (options.ingress.map { ["receives at most \($0)"] } ?? [])
    }

    /// What becomes different in the second of two states of one endpoint.
    static func words(_ before: Endpoint, _ after: Endpoint) -> String {
        var words: [String] = []
        if before.metric != after.metric {
            words.append("default route with metric \(after.defaultMetric(.v4) ?? 0)")
        }
        if before.addresses != after.addresses {
            words.append("addresses " + after.addresses.map(\.description).joined(separator: " and "))
        }
        if before.options.egress != after.options.egress {
            words.append("sends " + (after.options.egress.map { "at most \($0)" } ?? "without limit"))
        }
        if before.options.ingress != after.options.ingress {
            words.append("receives " + (after.options.ingress.map { "at most \($0)" } ?? "without limit"))
        }
        return "\(after.interface) of \(after.network) " + words.joined(separator: ", ")
    }
}
