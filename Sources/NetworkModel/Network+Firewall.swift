import Addressing

extension Network {
    /// What the firewall has to know of the network as such; nothing where the host does not route for it.
    public var elements: [FirewallElement] {
        guard driver.isRoutedByHost else { return [] }
        var elements: [FirewallElement] = []
        if driver.ownsBridge, let bridgeName { elements += links(bridgeName) }
        if !isInternal {
            elements += subnets.compactMap { subnet in
                policy.source(subnet.prefix.family).map { .source(subnet.prefix, $0, network: name) }
            }
        }
        if case .vxlan(let options) = driver { elements.append(.tunnel(UInt16(clamping: options.port))) }
        if hasNames { elements += subnets.compactMap(\.gateway).map { .nameServer($0, network: name) } }
        return elements
    }

    /// Where names are asked for, at a network's gateway (RFC 1035, section 4.2).
    public static let namePort: UInt16 = 53

    /// Where the name server listens: above the ports that Linux gives to whoever asks for any (`ip_local_port_range`).
    public static let nameServerPort: UInt16 = 61053

    /// What the firewall has to know of an endpoint: a pair of its own is a network's link like a bridge, and a port that
    /// is guarded has addresses of its own.
    public func elements(of endpoint: Endpoint, _ sandbox: String) -> [FirewallElement] {
        switch endpoint.link {
        case .pointToPoint(let host): return links(host) + subnets.map { .routed(host, $0.prefix) }
        case .port(let host, _):
            // From outside nothing is translated to an internal network, nor on a bridge of somebody else's.
            guard let mac = endpoint.macAddress else { return [] }
            let apart: [FirewallElement] =
                policy.isolatesPorts && driver.ownsBridge && !isInternal
                ? endpoint.addresses.map { .itself($0.address, mac) } : []
            guard policy.guardsSources else { return apart }
            // Neighbours are asked under the link-local address too (RFC 4291, appendix A).
            let local = endpoint.address(.v6) == nil ? [] : [IPAddress.v6(.linkLocal(mac))]
            return apart + [.guardedPort(host, sandbox: sandbox)]
                + (endpoint.addresses.map(\.address) + local).map { .ownAddress(host, mac, $0) }
        default: return []
        }
    }

    private func links(_ link: String) -> [FirewallElement] {
        // Through the host, endpoints that must not reach each other could reach each other all the same.
        var elements: [FirewallElement] = [.bridge(link, network: name)]
        if policy.isolatesPorts { elements.append(.apart(link)) }
        if isInternal { elements.append(.internalBridge(link)) }
        if policy.keepsSources { elements.append(.plainBridge(link)) }
        switch policy.isolation {
        case .on: break
        case .off: elements.append(.openBridge(link))
        case .strict: elements.append(.strictBridge(link))
        }
        return elements
    }
}

extension IPv6Address {
    /// The address that an interface has by itself: fe80::/64 and the modified EUI-64 of its Ethernet address.
    static func linkLocal(_ mac: MACAddress) -> IPv6Address {
        let bytes = mac.bytes.map(UInt64.init)
        let identifier = [bytes[0] ^ 2, bytes[1], bytes[2], 0xff, 0xfe, bytes[3], bytes[4], bytes[5]]
        return IPv6Address(high: 0xfe80 << 48, low: identifier.reduce(0) { $0 << 8 | $1 })
    }
}
