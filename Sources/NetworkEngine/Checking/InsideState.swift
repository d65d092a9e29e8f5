import Addressing
import LinuxSystem
import NetworkModel
import Rtnetlink

/// What an endpoint's interface is like, seen from inside of its sandbox.
struct InsideState {
    let link: Link
    let addresses: Set<IPPrefix>
    let defaults: [Route]

    /// nil when there is no interface of the name.
    init?(_ endpoint: Endpoint, in namespace: borrowing Namespace) throws {
        var inside = try Rtnetlink(in: namespace)
        guard let link = try inside.link(named: endpoint.interface) else { return nil }
        self.link = link
        addresses = Set(try inside.addresses(link: link.index).map(\.prefix))
        let hasRoutes = !endpoint.gateways.isEmpty || !endpoint.deviceRoutes.isEmpty
        defaults =
            hasRoutes
            ? try inside.routes(table: Route.mainTable).filter { $0.isDefault && $0.link == link.index } : []
    }

    /// How it differs from what was made; what programs inside may have chosen for themselves is in `parameterProblems`.
    func problems(_ endpoint: Endpoint) -> [String] {
        var problems: [String] = []
        let name = endpoint.interface
        if !link.isUp { problems.append("\(name) is down") }
        if let mac = endpoint.macAddress, let own = link.address, own != mac {
            problems.append("\(name) has the Ethernet address \(own) instead of \(mac)")
        }
        if let mtu = endpoint.mtu, link.mtu != UInt32(clamping: mtu) {
            problems.append("\(name) has mtu \(link.mtu) instead of \(mtu)")
        }
        for prefix in endpoint.addresses where !addresses.contains(prefix) {
            problems.append("\(name) lacks the address \(prefix)")
        }
        for gateway in endpoint.gateways where !defaults.contains(where: { $0.gateway == gateway }) {
            problems.append("the default route via \(gateway) is missing")
        }
        for family in endpoint.deviceRoutes where !defaults.contains(where: { $0.family == family }) {
            problems.append("the default route by \(name) is missing")
        }
        return problems
    }

    func parameterProblems(_ endpoint: Endpoint) -> [String] {
        HostInterface.problems(link, SandboxInterface.parameters(of: endpoint))
    }
}
