public import Addressing

extension Endpoint {
    /// Whether it can give its sandbox a default route.
    public var hasDefaultRoute: Bool { !gateways.isEmpty || !deviceRoutes.isEmpty }

    /// The metric of its default route of a family; nil for the kernel's own, which is 0 for IPv4 and 1024 for IPv6.
    public func defaultMetric(_ family: IPFamily) -> UInt32? {
        if let fixed = options.metric { return fixed }
        return metric == 0 ? nil : (family == .v6 ? 1024 : 0) + UInt32(clamping: metric)
    }

    /// Where it stands among the sandbox's default routes of a family: the least goes first, what gives none last.
    fileprivate func rank(_ family: IPFamily) -> Int {
        guard deviceRoutes.contains(family) || gateways.contains(where: { $0.family == family }) else { return .max }
        return options.metric.map(Int.init) ?? metric
    }
}

extension Sandbox {
    /// Orders the default routes: the highest priority goes first, among equals those of networks that the host routes for,
    /// and among these the first name of a network, as with docker; internal networks, whose routes lead nowhere, go last.
    /// A metric that was asked for stays as it is.
    ///
    /// Without the second rule a sandbox that is connected to a wire of the host's, too, would answer clients of its
    /// published ports past the host, where nobody waits for these answers.
    ///
    /// The others' metrics follow from their order, so that the next one takes over when an endpoint leaves.
    public mutating func orderDefaultRoutes() {
        let fixed = Set(endpoints.compactMap(\.options.metric).map(Int.init))
        let order = endpoints.indices.filter { endpoints[$0].hasDefaultRoute && endpoints[$0].options.metric == nil }
            .sorted { first, second in
                let (a, b) = (endpoints[first], endpoints[second])
                if a.isInternal != b.isInternal { return b.isInternal }
                if a.options.gatewayPriority != b.options.gatewayPriority {
                    return a.options.gatewayPriority > b.options.gatewayPriority
                }
                if a.takesPorts != b.takesPorts { return a.takesPorts }
                return (a.network, first) < (b.network, second)
            }
        var metric = 0
        for index in order {
            while fixed.contains(metric) || fixed.contains(metric + 1024) { metric += 100 }
            endpoints[index].metric = metric
            metric += 100
        }
    }

    /// Of the endpoints that the host routes for, the one whose default route of a family is used: what comes in by
    /// another would be answered by this one (rp_filter, and firewalls, drop that).
    func published(_ family: IPFamily) -> Endpoint? {
        endpoints.filter { $0.takesPorts && $0.address(family) != nil }.min { $0.rank(family) < $1.rank(family) }
    }

    /// Why clients elsewhere get no answer from published ports of a family: they lead to one endpoint, and the default
    /// route that the answers take is another's, for which the host does not route. nil when they get one.
    public func detour(_ family: IPFamily) -> (ports: Endpoint, answers: Endpoint)? {
        let isAsked = ports.contains { port in
            // What the host itself sends, its relays too, it sends under an address of the network's own.
            port.families.contains(family) && port.singleAddress?.isLoopback != true
        }
        guard isAsked, let target = published(family),
            let way = endpoints.min(by: { $0.rank(family) < $1.rank(family) }), !way.takesPorts,
            way.rank(family) < target.rank(family)
        else { return nil }
        return (target, way)
    }
}
