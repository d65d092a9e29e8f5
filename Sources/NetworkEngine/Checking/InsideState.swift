import Addressing
import LinuxSystem
import NetworkModel
import Rtnetlink

/// What an endpoint's interface is like, seen from inside of its sandbox.
struct InsideState {
    let link: Link
    let addresses: [InterfaceAddress]
    /// Every route of the main table, of the families that the endpoint has any of.
    let routes: [Route]
    /// Parameters that were asked for, with what they are.
    let sysctls: [(wanted: InterfaceSysctl, value: String?)]
    private let isLoopbackUp: Bool

    /// - Parameter home: The host's namespace.
    /// - Returns: nil when there is no interface of the name.
    init?(_ endpoint: Endpoint, in namespace: borrowing Namespace, from home: borrowing Namespace) throws {
        var inside = try Rtnetlink(in: namespace, from: home.descriptor)
        guard let link = try inside.link(named: endpoint.interface) else { return nil }
        self.link = link
        addresses = try inside.addresses(link: link.index)
        isLoopbackUp = inside.isUp("lo") != false
        let routed =
            endpoint.gateways.map(\.family) + endpoint.deviceRoutes + endpoint.routes.map(\.destination.family)
            + endpoint.addresses.map(\.family)
        routes = try IPFamily.allCases.filter(routed.contains).flatMap { family in
            try inside.routes(family: family, table: Route.mainTable)
        }
        let wanted = endpoint.options.sysctls
        sysctls =
            wanted.isEmpty
            ? []
            : try namespace.enter(.net, from: home.descriptor) {
                try wanted.map { ($0, try Sysctl.read($0.path(interface: endpoint.interface))) }
            }
    }

    /// How it differs from what was made; what programs inside may have chosen for themselves is in `parameterProblems`.
    func problems(_ endpoint: Endpoint) -> [String] {
        var problems: [String] = []
        let name = endpoint.interface
        if !link.isUp { problems.append("\(name) is down") }
        if !endpoint.isHandedOn, let mac = endpoint.macAddress, let own = link.address, own != mac {
            problems.append("\(name) has the Ethernet address \(own) instead of \(mac)")
        }
        if !endpoint.isHandedOn, let mtu = endpoint.mtu, link.mtu != UInt32(clamping: mtu) {
            problems.append("\(name) has mtu \(link.mtu) instead of \(mtu)")
        }
        if let problem = modeProblem(endpoint) { problems.append(problem) }
        for prefix in endpoint.addresses where !addresses.contains(where: { $0.prefix == prefix }) {
            problems.append("\(name) lacks the address \(prefix)")
        }
        let interface = SandboxInterface(endpoint: endpoint, sandbox: "")
        for wanted in interface.defaultRoutes(link.index) where !routes.contains(where: { isSame($0, wanted) }) {
            problems.append("the default route \(wanted.gateway.map { "via \($0)" } ?? "by \(name)") is missing")
        }
        for route in routes where interface.isLeftOver(route, link.index) {
            problems.append("the default route '\(route)' of metric \(route.metric ?? 0) is left over")
        }
        for route in endpoint.routes where !routes.contains(where: { route.matches($0, link: link.index) }) {
            problems.append("the route '\(route)' is missing")
        }
        return problems
    }

    private func isSame(_ route: Route, _ wanted: Route) -> Bool {
        route.isDefault && route.family == wanted.family && route.link == link.index && route.gateway == wanted.gateway
            && (route.metric ?? 0) == wanted.metric ?? (wanted.family == .v6 ? 1024 : 0)
    }

    private func modeProblem(_ endpoint: Endpoint) -> String? {
        let (own, wanted): (String, String)
        switch (link.details, endpoint.link) {
        case (.macvlan(let details), .macvlan(_, let mode)): (own, wanted) = (details.mode.rawValue, mode.rawValue)
        case (.ipvlan(let details), .ipvlan(_, let mode)): (own, wanted) = (details.mode.rawValue, mode.rawValue)
        default: return nil
        }
        return own == wanted ? nil : "\(link.name) has the mode \(own) instead of \(wanted)"
    }

    /// Addresses that go by themselves, and subnets that are not reached any more although their addresses are there.
    func subnetProblems(_ endpoint: Endpoint) -> [String] {
        // What others give they may give without.
        if endpoint.isLeased || endpoint.configuresItself { return [] }
        return addresses.filter { $0.expires && endpoint.addresses.contains($0.prefix) }.map {
            "\(link.name) has the address \($0.prefix) for a limited time"
        } + lostSubnets(endpoint)
    }

    private func lostSubnets(_ endpoint: Endpoint) -> [String] {
        SandboxInterface(endpoint: endpoint, sandbox: "").subnetRoutes(link.index).filter { wanted in
            link.isUp && addresses.contains { $0.prefix.network == wanted.destination }
                && !routes.contains {
                    $0.destination == wanted.destination && $0.link == link.index && $0.gateway == nil
                }
        }.map { "the route to \($0.destination) is missing" }
    }

    func parameterProblems(_ endpoint: Endpoint) -> [String] {
        var problems =
            endpoint.isHandedOn ? [] : HostInterface.problems(link, SandboxInterface.parameters(of: endpoint))
        if !isLoopbackUp { problems.append("lo is down") }
        for (wanted, value) in sysctls where value.map({ InterfaceSysctl.isSame($0, wanted.value) }) != true {
            problems.append(
                "\(wanted.path(interface: link.name)) is \(value ?? "missing") instead of \(wanted.value)")
        }
        return problems
    }
}
