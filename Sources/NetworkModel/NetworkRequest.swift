public import Addressing

/// What a person asks for with `swnet create`: everything that is left out is chosen.
public struct NetworkRequest: Hashable, Sendable {
    public var name: String
    public var driver: NetworkDriver
    /// None: one of each family is chosen.
    public var subnets: [IPPrefix]
    /// Those of them that are for when the one before is full.
    public var alternatives: Set<IPPrefix>
    /// At most one in each subnet; the default is a subnet's first address.
    public var gateways: [IPAddress]
    /// The parts of subnets that addresses are chosen from.
    public var ranges: [AddressRange]
    /// Addresses that are never chosen.
    public var excluded: [IPAddress]
    /// Whether endpoints get addresses at all.
    public var hasAddresses: Bool
    /// 68 (RFC 791) to 65535, at least 1280 (RFC 8200) with IPv6.
    public var mtu: Int?
    public var isInternal: Bool
    public var policy: NetworkPolicy
    /// Routes that every sandbox on it gets.
    public var routes: [StaticRoute]
    /// Who gives the addresses, when it is not us.
    public var providers: Set<AddressProvider>

    public init(
        name: String, driver: NetworkDriver = .bridge(), subnets: [IPPrefix] = [], alternatives: Set<IPPrefix> = [],
        gateways: [IPAddress] = [], ranges: [AddressRange] = [], excluded: [IPAddress] = [], hasAddresses: Bool = true,
        mtu: Int? = nil, isInternal: Bool = false, policy: NetworkPolicy = NetworkPolicy(), routes: [StaticRoute] = [],
        providers: Set<AddressProvider> = []
    ) {
        self.name = name
        self.driver = driver
        self.subnets = subnets
        self.alternatives = alternatives
        self.gateways = gateways
        self.ranges = ranges
        self.excluded = excluded
        self.hasAddresses = hasAddresses
        self.mtu = mtu
        self.isInternal = isInternal
        self.policy = policy
        self.routes = routes
        self.providers = providers
    }
}

// MARK: - Checking

extension NetworkRequest {
    /// Checks everything that can be checked without looking at the host.
    ///
    /// - Throws: `NetworkError` that names the wrong value.
    public func validate() throws(NetworkError) {
        try NetworkName.check(name)
        for (index, prefix) in subnets.enumerated() {
            try validate(subnet: prefix)
            if let other = subnets[..<index].first(where: { $0.overlaps(prefix) }) {
                throw invalid("subnets \(other) and \(prefix) overlap")
            }
            if alternatives.contains(prefix), index == 0 || subnets[index - 1].family != prefix.family {
                throw invalid("subnet \(prefix) stands in for none of its family")
            }
            if alternatives.contains(prefix), isInternal {
                throw invalid(
                    "who has an address of \(prefix) would not reach who has one of \(subnets[index - 1]) (--internal)")
            }
        }
        if !hasAddresses, let prefix = subnets.first {
            throw invalid(
                providers.isEmpty
                    ? "subnet \(prefix) contradicts a network without addresses (--ipam none)"
                    : "subnet \(prefix) contradicts a network whose addresses others give (--ipam)")
        }
        try validateGateways()
        try validateRanges()
        try validateProviders()
        for address in excluded where !subnets.contains(where: { $0.contains(address) }) {
            throw invalid("excluded address \(address) is in none of the subnets")
        }
        try validateDriver()
        try policy.validate(self)
        if let mtu {
            let isV6 = hasAddresses && subnets.isEmpty || subnets.contains { $0.family == .v6 }
            let least = isV6 ? 1280 : 68
            guard (least...65535).contains(mtu) else { throw invalid("mtu \(mtu) is out of range (\(least) to 65535)") }
        }
    }

    private func validate(subnet prefix: IPPrefix) throws(NetworkError) {
        guard prefix.isNetwork else {
            throw invalid("subnet \(prefix) has host bits set (did you mean \(prefix.network))")
        }
        // The gateway and one endpoint need an address each, and IPv4 keeps the first and the last for itself.
        let longest = prefix.family == .v4 ? 30 : 126
        guard prefix.length <= longest else { throw invalid("subnet \(prefix) is too small (at most /\(longest))") }
        let shortest = prefix.family == .v4 ? 8 : 16
        guard prefix.length >= shortest else { throw invalid("subnet \(prefix) is too large (at least /\(shortest))") }
        let address = prefix.address
        if address.isLoopback || address.isMulticast || address.isLinkLocal || address.isReserved {
            throw invalid("subnet \(prefix) is not for networks (loopback, link-local, multicast or reserved)")
        }
    }

    private func validateGateways() throws(NetworkError) {
        for (index, gateway) in gateways.enumerated() {
            guard let prefix = subnets.first(where: { $0.contains(gateway) }) else {
                guard subnets.contains(where: { $0.family == gateway.family }) else {
                    throw invalid("gateway \(gateway) needs a subnet of its family (--subnet)")
                }
                let own = subnets.filter { $0.family == gateway.family }.map(\.description).joined(separator: ", ")
                throw invalid("gateway \(gateway) is no host address of \(own)")
            }
            guard prefix.allowsHost(gateway) else {
                throw invalid("gateway \(gateway) is no host address of \(prefix)")
            }
            if let other = gateways[..<index].first(where: { prefix.contains($0) }) {
                throw invalid("two gateways in \(prefix), \(other) and \(gateway)")
            }
        }
        if let gateway = gateways.first, !driver.hasWayOut || driver.routesByDevice {
            throw invalid("gateway \(gateway): the driver \(driver.name) needs none")
        }
    }

    private func validateRanges() throws(NetworkError) {
        for (index, range) in ranges.enumerated() {
            guard let prefix = subnets.first(where: { $0.contains(range.first) && $0.contains(range.last) }) else {
                throw invalid("range \(range) is in none of the subnets (--subnet)")
            }
            if let other = ranges[..<index].first(where: range.overlaps) {
                throw invalid("ranges \(other) and \(range) of \(prefix) overlap")
            }
        }
    }

    private func validateProviders() throws(NetworkError) {
        guard let provider = AddressProvider.allCases.first(where: providers.contains) else { return }
        let flag = "(--ipam \(provider.rawValue))"
        if hasAddresses { throw invalid("addresses of ours and those of others contradict each other \(flag)") }
        switch driver {
        case .bridge(existing: .some), .macvlan, .vlan, .hostDevice: break
        case .ipvlan:
            throw invalid(
                "the driver ipvlan gives all its endpoints the Ethernet address by which others tell them apart \(flag)"
            )
        default: throw invalid("no DHCP server and no router is on a network of the driver \(driver.name) \(flag)")
        }
        if isInternal, providers.contains(.slaac) || providers.contains(.dhcp6) {
            throw invalid("a network with no way out contradicts routers that show one (--ipam, --internal)")
        }
    }

    private func validateDriver() throws(NetworkError) {
        if hasAddresses && subnets.isEmpty && !driver.isRoutedByHost && driver != .dummy {
            throw invalid("the driver \(driver.name) needs the subnet of what it stands on (--subnet, or --ipam none)")
        }
        if !hasAddresses && driver == .pointToPoint {
            throw invalid("the driver ptp routes by addresses, so it needs them")
        }
        if case .vxlan(let options) = driver {
            for peer in options.peers {
                if peer.isLoopback {
                    throw invalid("peer \(peer) is loopback, and leads to no other host (--opt peers)")
                }
                if case .v6 = peer, peer.isLinkLocal {
                    throw invalid("peer \(peer) is link-local, and on any link there may be one (--opt peers)")
                }
            }
        }
        if let bridge = driver.parent, case .bridge = driver, bridge.text.hasPrefix("sw-") {
            throw invalid("bridge \(bridge) is one of ours (swnet connect to its network)")
        }
    }

    private func invalid(_ what: String) -> NetworkError { NetworkError(.invalid, "create \(name): \(what)") }
}

extension IPFamily {
    /// The family as people call it.
    public var word: String { self == .v4 ? "IPv4" : "IPv6" }
}

extension IPAddress {
    /// 0.0.0.0/8 and 240.0.0.0/4 (RFC 6890), ::/96 and IPv4-mapped addresses (RFC 4291).
    var isReserved: Bool {
        switch self {
        case .v4(let address): address.rawValue >> 24 == 0 || address.rawValue >> 28 == 0xf
        case .v6(let address): address.high == 0 && (address.low >> 32 == 0 || address.isIPv4Mapped)
        }
    }
}
