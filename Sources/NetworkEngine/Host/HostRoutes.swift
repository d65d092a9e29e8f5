import Addressing
import NetworkModel
import Rtnetlink

/// The subnets that a host uses already, and what for.
struct HostRoutes {
    private(set) var occupied: [(prefix: IPPrefix, use: String)] = []

    /// Looks at every route and address that is not ours.
    init(_ links: inout Rtnetlink) throws {
        let all = try links.links()
        let names = Dictionary(all.map { ($0.index, $0.name) }, uniquingKeysWith: { first, _ in first })
        let ours = Set(all.filter(\.isOurs).map(\.index))
        for route in try links.routes(table: Route.mainTable) {
            if route.isDefault || route.link.map(ours.contains) == true || route.destination.address.isMulticast {
                continue
            }
            if route.destination.address.isLinkLocal { continue }
            var use = "the host's route \(route.destination)"
            if let gateway = route.gateway { use += " via \(gateway)" }
            if let name = route.link.flatMap({ names[$0] }) { use += " dev \(name)" }
            occupied.append((route.destination, use))
        }
        for address in try links.addresses() where !ours.contains(address.link) {
            if address.prefix.address.isLoopback || address.prefix.address.isLinkLocal { continue }
            let use = "the host's address \(address.prefix) on \(names[address.link] ?? "\(address.link)")"
            occupied.append((address.prefix.network, use))
        }
    }

    var prefixes: [IPPrefix] { occupied.map(\.prefix) }

    /// What a subnet would collide with; nil when with nothing.
    func collision(with subnet: IPPrefix) -> String? { occupied.first { $0.prefix.overlaps(subnet) }?.use }
}
