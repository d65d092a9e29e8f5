import Addressing
import NetworkModel
import Rtnetlink

extension HostEnd {
    /// How the host's end of a pair that is no port of a bridge differs from what it should be.
    func problems(_ link: Link, _ host: HostState) throws -> [String] {
        var problems = HostInterface.problems(link, hasIPv6: endpoint.address(.v6) != nil)
        problems += HostInterface.problems(
            link, try HostInterface.forwarding(of: endpoint.addresses.map(\.family)))
        let present = host.addresses(of: link)
        for gateway in endpoint.gateways {
            guard let own = present.first(where: { $0.prefix.address == gateway }) else {
                problems.append("the host's end \(name) lacks the address \(gateway)")
                continue
            }
            if own.expires { problems.append("the host's end \(name) has the address \(gateway) for a limited time") }
        }
        let routes = Set(host.routes(by: link).map(\.destination))
        for prefix in endpoint.addresses where !routes.contains(prefix.network) {
            problems.append("the host's route to \(prefix.address) by \(name) is missing")
        }
        return problems
    }
}
