import Addressing
import NetworkModel
import Rtnetlink

/// The subnets that a host uses already, and what for.
struct HostRoutes {
    private(set) var occupied: [(prefix: IPPrefix, use: String)] = []

    /// Looks at every address and every route, of all tables, that are not ours.
    init(_ links: inout Rtnetlink) throws {
        let all = try links.links()
        let names = Dictionary(all.map { ($0.index, $0.name) }, uniquingKeysWith: { first, _ in first })
        let ours = Set(all.filter(\.isOurs).map(\.index))
        for route in try links.routes() {
            let target = route.destination
            if Self.isWide(target) || target.address.isMulticast || target.address.isLoopback { continue }
            if target.address.isLinkLocal || route.link.map(ours.contains) == true { continue }
            // Those of the host's own addresses, which are looked at below.
            if [.local, .broadcast, .anycast].contains(route.kind) { continue }
            var use = "the host's route \(route.destination)"
            if let gateway = route.gateway { use += " via \(gateway)" }
            if let name = route.link.flatMap({ names[$0] }) { use += " dev \(name)" }
            if route.table != Route.mainTable { use += " in table \(route.table)" }
            occupied.append((route.destination, use))
        }
        for address in try links.addresses() where !ours.contains(address.link) {
            if address.prefix.address.isLoopback || address.prefix.address.isLinkLocal { continue }
            let use = "the host's address \(address.prefix) on \(names[address.link] ?? "\(address.link)")"
            occupied.append((address.prefix.network, use))
        }
    }

    /// Whether a route is so wide that it stands for everywhere else, and says of no subnet that it is in use: default
    /// routes, and the halves, quarters and eighths that VPNs make of one to go before it.
    private static func isWide(_ prefix: IPPrefix) -> Bool { prefix.length < (prefix.family == .v4 ? 8 : 7) }

    var prefixes: [IPPrefix] { occupied.map(\.prefix) }

    /// What a subnet would collide with; nil when with nothing.
    func collision(with subnet: IPPrefix) -> String? { occupied.first { $0.prefix.overlaps(subnet) }?.use }
}
