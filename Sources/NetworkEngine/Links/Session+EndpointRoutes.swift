import Addressing
import NetworkModel

/// The routes of an endpoint: what its network gives, and what was asked for with it.
struct EndpointRoutes {
    /// The routers of its default routes.
    var gateways: [IPAddress] = []
    /// Families whose default route is the interface itself.
    var deviceRoutes: [IPFamily] = []
    /// Of its default routes, when somebody asks for one.
    var metric: UInt32?
    var others: [StaticRoute] = []
}

extension Session {
    /// Refuses routes that the network cannot give, or that contradict what the sandbox has already.
    func routes(
        _ attachment: ConnectRequest.Attachment, _ network: Network, of sandbox: Sandbox
    ) throws -> EndpointRoutes {
        for route in attachment.routes { try route.validate(in: network) }
        var routes = EndpointRoutes()
        let isAlone = network.driver == .pointToPoint
        for family in IPFamily.allCases {
            let asked = attachment.routes.filter { $0.isDefault && $0.family == family }
            guard asked.count < 2 else {
                throw NetworkError(.invalid, "routes '\(asked[0])' and '\(asked[1])': one default route of a family")
            }
            guard attachment.hasDefaultRoutes || !asked.isEmpty else {
                // The host's end of a pair has the gateway's address, so that there is one.
                guard isAlone, network.hasSubnet(family) else { continue }
                throw NetworkError(
                    .invalid, "on a network of the driver ptp everything is reached by the default route")
            }
            if network.driver.routesByDevice {
                if !network.isInternal, network.hasSubnet(family) { routes.deviceRoutes.append(family) }
            } else if !network.isInternal || isAlone, let gateway = asked.first?.gateway ?? network.gateway(family) {
                routes.gateways.append(gateway)
            }
        }
        routes.metric = try metric(attachment.routes.filter(\.isDefault), routes)
        routes.others = try others(attachment, network)
        try refuseRivals(of: routes.others, sandbox)
        return routes
    }

    private func metric(_ asked: [RouteRequest], _ routes: EndpointRoutes) throws -> UInt32? {
        guard let route = asked.first(where: { $0.metric != nil }) else { return nil }
        let families = routes.gateways.map(\.family) + routes.deviceRoutes
        guard families.allSatisfy({ family in asked.contains { $0.family == family && $0.metric == route.metric } })
        else {
            throw NetworkError(.invalid, "route '\(route)': the default routes of both families have one metric")
        }
        return route.metric
    }

    /// The static routes: one that was asked for takes the place of the network's own to the same destination.
    private func others(_ attachment: ConnectRequest.Attachment, _ network: Network) throws -> [StaticRoute] {
        var asked = network
        asked.routes = attachment.routes.filter { !$0.isDefault }.compactMap { route in
            (route.gateway ?? network.gateway(route.family)).map {
                StaticRoute(to: route.destination, .via($0), metric: route.metric)
            }
        }
        try asked.validateRoutes()
        return network.routes.filter { !asked.routes.contains(where: $0.isRival) } + asked.routes
    }

    private func refuseRivals(of routes: [StaticRoute], _ sandbox: Sandbox) throws {
        for endpoint in sandbox.endpoints {
            for route in routes {
                guard let other = endpoint.routes.first(where: route.isRival) else { continue }
                throw NetworkError(
                    .taken,
                    "\(sandbox.name) has the route '\(other)' by \(endpoint.network), which '\(route)' contradicts "
                        + "(a metric of its own would tell them apart)")
            }
        }
    }
}

extension RouteRequest {
    /// Refuses what leads nowhere on a network.
    ///
    /// - Throws: `NetworkError` that names the route.
    fileprivate func validate(in network: Network) throws(NetworkError) {
        guard !network.isInternal else { throw invalid("nothing leads out of an internal network") }
        guard network.hasSubnet(family) else { throw invalid("network \(network.name) has no \(family.word) subnet") }
        if isDefault, gateway == nil, network.driver.routesByDevice { return }
        guard network.driver.usesGateways, let own = network.gateway(family) else {
            throw invalid("the driver \(network.driver.name) has no gateways")
        }
        guard let gateway else { return }
        guard gateway.family == family else { throw invalid("its gateway is of the other family") }
        guard network.subnet(of: gateway)?.prefix.allowsHost(gateway) == true else {
            let subnets = network.subnets.map(\.prefix).filter { $0.family == family }
            throw invalid("its gateway is no host address of \(subnets.map(\.description).joined(separator: ", "))")
        }
        if network.driver == .pointToPoint, gateway != own {
            throw invalid("on a network of the driver ptp only the host is a gateway")
        }
    }

    private func invalid(_ what: String) -> NetworkError { NetworkError(.invalid, "route '\(self)': \(what)") }
}
