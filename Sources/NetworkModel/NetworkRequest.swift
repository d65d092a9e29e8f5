public import Addressing

/// What a person asks for with `swnet create`: everything that is left out is chosen.
public struct NetworkRequest: Hashable, Sendable {
    public var name: String
    /// At most one of each family. None: one of each is chosen.
    public var subnets: [IPPrefix]
    /// At most one of each family; the default is a subnet's first address.
    public var gateways: [IPAddress]
    /// 68 (RFC 791) to 65535, at least 1280 (RFC 8200) with IPv6.
    public var mtu: Int?
    public var isInternal: Bool

    public init(
        name: String, subnets: [IPPrefix] = [], gateways: [IPAddress] = [], mtu: Int? = nil, isInternal: Bool = false
    ) {
        self.name = name
        self.subnets = subnets
        self.gateways = gateways
        self.mtu = mtu
        self.isInternal = isInternal
    }

    /// Checks everything that can be checked without looking at the host.
    ///
    /// - Throws: `NetworkError` that names the wrong value.
    public func validate() throws(NetworkError) {
        try NetworkName.check(name)
        for family in IPFamily.allCases {
            let own = subnets.filter { $0.family == family }
            if own.count > 1 {
                throw invalid("two \(family.word) subnets, \(own[0]) and \(own[1]) (at most one of each family)")
            }
            let gates = gateways.filter { $0.family == family }
            if gates.count > 1 { throw invalid("two \(family.word) gateways, \(gates[0]) and \(gates[1])") }
        }
        for prefix in subnets { try validate(subnet: prefix) }
        for gateway in gateways {
            guard let prefix = subnets.first(where: { $0.family == gateway.family }) else {
                throw invalid("gateway \(gateway) needs a subnet of its family (--subnet)")
            }
            guard prefix.allowsHost(gateway) else {
                throw invalid("gateway \(gateway) is no host address of \(prefix)")
            }
        }
        if let mtu {
            let least = subnets.isEmpty || subnets.contains { $0.family == .v6 } ? 1280 : 68
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
