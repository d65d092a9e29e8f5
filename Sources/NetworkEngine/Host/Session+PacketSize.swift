import Addressing
import NetworkModel
import Rtnetlink

/// The largest packet of networks whose makers name none.
extension Session {
    /// What fits into the link that packets leave the host by; nil for drivers whose links take over their parent's.
    mutating func defaultMTU(_ network: Network) throws -> Int? {
        switch network.driver {
        case .bridge(existing: nil), .pointToPoint:
            return fitting(try outgoingMTU() ?? Network.kernelMTU, network)
        case .vxlan(let options):
            // Ethernet, IP, UDP and VXLAN headers have to fit beside it (RFC 7348, section 5).
            let overhead = options.usesIPv6 ? 70 : 50
            let parent = try options.parent.flatMap { try links.link(named: $0.text) }.map { Int($0.mtu) }
            let way = try parent ?? wayMTU(to: options.peers) ?? outgoingMTU()
            return fitting((way ?? Network.kernelMTU) - overhead, network)
        default: return nil
        }
    }

    /// That of the way to the first that is another host; nil when there is none.
    private mutating func wayMTU(to peers: [IPAddress]) throws -> Int? {
        for peer in peers {
            if let mtu = try mtu(of: links.route(to: peer)) { return mtu }
        }
        return nil
    }

    /// IPv6 works with nothing smaller than 1280 (RFC 8200, section 5).
    private func fitting(_ mtu: Int, _ network: Network) -> Int {
        min(max(mtu, network.hasSubnet(.v6) ? 1280 : 68), 65535)
    }

    /// That of the default route that is used: IPv4's, or IPv6's where there is no other.
    private mutating func outgoingMTU() throws -> Int? {
        for family in IPFamily.allCases {
            let routes = try links.routes(family: family, table: Route.mainTable)
                .filter { $0.isDefault && $0.kind == .unicast }.sorted { $0.metric ?? 0 < $1.metric ?? 0 }
            for route in routes {
                if let mtu = try mtu(of: route) { return mtu }
            }
        }
        return nil
    }

    private mutating func mtu(of route: Route) throws -> Int? {
        guard let index = route.link ?? route.nextHops.first?.link, let link = try links.link(index: index),
            !link.flags.contains(.loopback)
        else { return nil }
        return Int(min(route.mtu ?? .max, link.mtu))
    }
}
