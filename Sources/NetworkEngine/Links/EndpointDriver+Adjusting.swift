import Addressing
import LinuxSystem
import NetworkModel
import Rtnetlink
import SystemPackage

/// Endpoints that change while they are in use.
extension EndpointDriver {
    /// Gives endpoints of one sandbox the limits, addresses and default routes that they are to have.
    static func adjust(
        from before: [Endpoint], to after: [Endpoint], of sandbox: String, identity: SandboxIdentity,
        mark: LinkMark, _ host: inout Rtnetlink
    ) throws {
        guard identity.isAlive else { return }
        for (old, new) in zip(before, after)
        where (old.options.egress, old.options.ingress) != (new.options.egress, new.options.ingress) {
            try EndpointDriver(endpoint: new, sandbox: sandbox, mark: mark).limiter.apply(&host)
        }
        let moved = zip(before, after).filter {
            ($0.metric, $0.addresses, $0.gateways) != ($1.metric, $1.addresses, $1.gateways)
        }
        if moved.isEmpty { return }
        var inside = try Rtnetlink(in: Namespace(path: identity.path, kind: .net))
        var deletions: [Change] = []
        var additions: [Change] = []
        for (old, new) in moved {
            // Without its interface it has no route to change.
            guard let link = try inside.link(named: new.interface)?.index else { continue }
            let interface = { SandboxInterface(endpoint: $0, sandbox: sandbox) }
            // The new ones too: this may be done again after it was cut short.
            for route in interface(old).defaultRoutes(link) + interface(new).defaultRoutes(link) {
                deletions.append(.deleteRoute(route))
            }
            deletions += old.addresses.filter { !new.addresses.contains($0) }.map {
                .deleteAddress(InterfaceAddress($0, link: link))
            }
            additions += new.addresses.filter { !old.addresses.contains($0) }.map {
                .replaceAddress(InterfaceAddress($0, link: link))
            }
            additions += interface(new).defaultRoutes(link).map { .addRoute($0) }
        }
        // One message after the other in one call: metrics that are exchanged are never there twice, and the moment
        // without a default route is as short as it can be.
        let refusals = try inside.attempt(deletions + additions)
        if let refusal = refusals.dropFirst(deletions.count).lazy.compactMap(\.self).first { throw refusal }
    }

    var limiter: TrafficLimiter { TrafficLimiter(endpoint: endpoint, alias: alias) }
}
