public import Addressing

/// A route that a network gives to every sandbox on it: `10.8.0.0/16,10.1.0.1`, `10.8.0.0/16,10.1.0.1,50` with a metric,
/// or `blackhole:10.9.0.0/16` for what must not leave.
public struct StaticRoute: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// By a router in one of the network's subnets.
        case via(IPAddress)
        /// Dropped without a word.
        case blackhole
        /// Dropped, and the sender is told that nobody is there.
        case unreachable
        /// Dropped, and the sender is told that it is forbidden.
        case prohibit
    }

    public var destination: IPPrefix
    public var kind: Kind
    /// nil for the kernel's own: 0 for IPv4, 1024 for IPv6.
    public var metric: UInt32?

    public init(to destination: IPPrefix, _ kind: Kind, metric: UInt32? = nil) {
        self.destination = destination
        self.kind = kind
        self.metric = metric
    }

    public var family: IPFamily { destination.family }
    public var gateway: IPAddress? { if case .via(let gateway) = kind { gateway } else { nil } }

    /// What the kernel makes of the metric: two routes of one destination must not have the same.
    public var effectiveMetric: UInt32 { metric ?? (family == .v6 ? 1024 : 0) }

    /// Whether both are the same to the kernel, which takes only one of them.
    public func isRival(of other: StaticRoute) -> Bool {
        destination == other.destination && effectiveMetric == other.effectiveMetric
    }
}

extension StaticRoute: LosslessStringConvertible {
    private static let words: [(String, Kind)] = [
        ("blackhole", .blackhole), ("unreachable", .unreachable), ("prohibit", .prohibit),
    ]

    public init?(_ text: String) {
        var rest = text[...]
        var kind: Kind?
        for (word, candidate) in Self.words where text.hasPrefix(word + ":") {
            kind = candidate
            rest = text.dropFirst(word.count + 1)
        }
        var parts = rest.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard let destination = IPPrefix(parts.removeFirst()) else { return nil }
        if kind == nil {
            guard !parts.isEmpty, let gateway = IPAddress(parts.removeFirst()) else { return nil }
            kind = .via(gateway)
        }
        var metric: UInt32?
        if let text = parts.popLast() {
            guard parts.isEmpty, let number = UInt32(text), number > 0, !text.hasPrefix("+") else { return nil }
            metric = number
        }
        guard let kind else { return nil }
        self.init(to: destination, kind, metric: metric)
    }

    public var description: String {
        var text = "\(destination)"
        if case .via(let gateway) = kind { text += ",\(gateway)" }
        if let metric { text += ",\(metric)" }
        return (Self.words.first { $0.1 == kind }.map { $0.0 + ":" } ?? "") + text
    }
}

extension StaticRoute {
    /// Refuses a route that a network cannot give its sandboxes.
    ///
    /// - Throws: `NetworkError` that names the route.
    func validate(in network: Network) throws(NetworkError) {
        guard destination.isNetwork else {
            throw invalid("its destination has host bits set (did you mean \(destination.network))")
        }
        guard !destination.address.isMulticast, !destination.address.isLoopback else {
            throw invalid("its destination is multicast or loopback")
        }
        guard network.hasSubnet(family) else { throw invalid("network \(network.name) has no \(family.word) subnet") }
        if let subnet = network.subnets.first(where: { $0.prefix == destination }) {
            throw invalid("its destination is the network's own subnet \(subnet.prefix)")
        }
        for subnet in network.subnets where subnet.prefix.contains(destination.address) {
            guard let own = subnet.gateway, destination.contains(own) else { continue }
            throw invalid("its destination contains the network's own gateway \(own)")
        }
        guard let gateway else {
            if destination.length == 0 && metric == nil {
                throw invalid("beside the default route it needs a metric of its own (blackhole:PREFIX,METRIC)")
            }
            return
        }
        guard gateway.family == family else { throw invalid("its gateway is of the other family") }
        guard destination.length > 0 else { throw invalid("the default route is the network's own (--gateway)") }
        guard !network.isInternal else { throw invalid("nothing leads out of an internal network") }
        guard network.driver.usesGateways else { throw invalid("the driver \(network.driver.name) has no gateways") }
        guard let subnet = network.subnet(of: gateway), subnet.prefix.allowsHost(gateway) else {
            let own = network.subnets.map(\.prefix).filter { $0.family == family }
            throw invalid("its gateway is no host address of \(own.map(\.description).joined(separator: ", "))")
        }
        if let choice = network.choices.first(where: { $0.contains(subnet) }), choice.count > 1 {
            throw invalid("its gateway is in \(subnet.prefix), of which not every sandbox has an address")
        }
        if network.driver == .pointToPoint, gateway != network.gateway(family) {
            throw invalid("on a network of the driver ptp only the host is a gateway")
        }
    }

    private func invalid(_ what: String) -> NetworkError { NetworkError(.invalid, "route '\(self)': \(what)") }
}

extension Network {
    /// Refuses static routes that it cannot give its sandboxes, and two that the kernel does not take together.
    ///
    /// - Throws: `NetworkError` that names the route.
    public func validateRoutes() throws(NetworkError) {
        for (index, route) in routes.enumerated() {
            try route.validate(in: self)
            if let other = routes[..<index].first(where: route.isRival) {
                throw NetworkError(.invalid, "routes '\(other)' and '\(route)' have the same destination and metric")
            }
        }
    }
}
