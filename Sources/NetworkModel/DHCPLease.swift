public import Addressing
public import JSONCoding

/// What a DHCP server gave an endpoint (RFC 2131, RFC 8415). Its address and router are the endpoint's own.
public struct DHCPLease: Hashable, Sendable {
    /// nil before the first lease, and for IPv6, where a server is known by an identifier that is no address.
    public var server: IPAddress?
    /// How long the lease is good for, unless it is renewed.
    public var seconds: Int?

    public init(server: IPAddress? = nil, seconds: Int? = nil) {
        self.server = server
        self.seconds = seconds
    }
}

extension DHCPLease: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        self.init(
            server: try json.optionalText("server"), seconds: json["seconds"] == nil ? nil : try json.integer("seconds")
        )
    }

    public var json: JSONValue {
        JSONValue(["server": server.map { .init(text: $0) }, "seconds": seconds.map { .integer($0) }])
    }
}

/// What a DHCP client was told.
public struct DHCPAnswer: Hashable, Sendable {
    public var address: IPPrefix
    public var router: IPAddress?
    public var lease: DHCPLease

    public init(address: IPPrefix, router: IPAddress? = nil, lease: DHCPLease = DHCPLease()) {
        self.address = address
        self.router = router
        self.lease = lease
    }

    /// Reads what busybox's udhcpc gives its script: `ip`, `mask` (a prefix length), `router`, `serverid`, `lease`.
    ///
    /// - Returns: nil for an answer without an address that a host can have. A server is a stranger: what else it says
    ///   wrongly is left out.
    public init?(_ variable: (String) -> String?) {
        guard let address = variable("ip").flatMap({ IPv4Address($0) }), let mask = variable("mask"),
            let length = Int(mask), (1...32).contains(length),
            let prefix = IPPrefix(address: .v4(address), length: length), prefix.allowsHost(.v4(address))
        else { return nil }
        let host = IPAddress.v4(address)
        guard !host.isLoopback, !host.isMulticast, !host.isAny, !host.isReserved else { return nil }
        self.address = prefix
        let first = variable("router")?.split(separator: " ").first.map(String.init)
        router = first.flatMap { IPv4Address($0) }.map { .v4($0) }
        if let router, router.isAny || router.isMulticast || router.isLoopback || router == host { self.router = nil }
        lease = DHCPLease(
            server: variable("serverid").flatMap { IPv4Address($0) }.map { .v4($0) },
            seconds: variable("lease").flatMap { Int($0) }.map { min(max($0, 0), Int(UInt32.max)) })
    }

    /// Reads what dhcpcd gives its script for the first address of IPv6: `new_dhcp6_ia_na1_ia_addr1` and its
    /// `_vltime`, the seconds that it is valid for.
    ///
    /// - Returns: nil for an answer without an address that a host can have.
    public init?(version6 variable: (String) -> String?) {
        let name = "new_dhcp6_ia_na1_ia_addr1"
        guard let address = variable(name).flatMap({ IPv6Address($0) }),
            let prefix = IPPrefix(address: .v6(address), length: IPFamily.v6.bitWidth)
        else { return nil }
        let host = IPAddress.v6(address)
        guard !host.isLoopback, !host.isMulticast, !host.isAny, !host.isReserved, !host.isLinkLocal else { return nil }
        self.init(
            address: prefix,
            lease: DHCPLease(
                seconds: variable("\(name)_vltime").flatMap { Int($0) }.map { min(max($0, 0), Int(UInt32.max)) }))
    }
}
