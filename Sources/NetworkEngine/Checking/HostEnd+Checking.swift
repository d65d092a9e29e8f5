import Addressing
import NetworkModel
import Rtnetlink

extension HostEnd {
    /// How the host's end of a pair that is no port of a bridge differs from what it should be.
    func problems(_ link: Link, _ host: HostState) -> [String] {
        var problems = HostInterface.problems(link, hasIPv6: endpoint.address(.v6) != nil)
        let present = Set(host.addresses(of: link).map(\.prefix.address))
        for gateway in endpoint.gateways where !present.contains(gateway) {
            problems.append("the host's end \(name) lacks the address \(gateway)")
        }
        let routes = Set(host.routes(by: link).map(\.destination))
        for prefix in endpoint.addresses where !routes.contains(prefix.network) {
            problems.append("the host's route to \(prefix.address) by \(name) is missing")
        }
        return problems
    }
}
