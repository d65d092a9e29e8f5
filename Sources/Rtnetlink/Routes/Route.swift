public import Addressing
import CLinux
import Netlink

/// A route.
public struct Route: Hashable, Sendable {
    /// The subnet it leads to; 0.0.0.0/0 or ::/0 is the default route. Its host bits have to be zero.
    public var destination: IPPrefix
    public var kind: RouteKind
    /// The next router. An IPv6 router may serve IPv4 destinations (RFC 5549).
    public var gateway: IPAddress?
    /// The index of the link that the packet leaves by.
    public var link: UInt32?
    /// The address that packets made here take when they chose none.
    public var source: IPAddress?
    /// nil in a request: what `ip` takes, which is `link` for IPv4 without a gateway and `universe` else.
    public var scope: Scope?
    /// The routing table; 254 is the main one.
    public var table: UInt32
    /// The lower goes first; nil is 0 for IPv4 and 1024 for IPv6.
    public var metric: UInt32?
    /// Who made it (`RTPROT_*`): 2 kernel, 3 `ip route`, 4 an administrator.
    public var originator: UInt8
    /// The gateway is reached through `link` although no subnet of the link contains it.
    public var isOnLink: Bool
    /// Bytes.
    public var mtu: UInt32?
    /// Further ways to the destination, when it has more than one; then `gateway` and `link` are nil.
    public var nextHops: [NextHop] = []

    /// The main table, where everything is unless it is put elsewhere.
    public static let mainTable = UInt32(RT_TABLE_MAIN.rawValue)

    /// `RTPROT_BOOT`, what `ip route` puts on a route.
    public static let madeByHand = UInt8(RTPROT_BOOT)

    /// `RTPROT_KERNEL`, what follows from addresses.
    public static let madeByKernel = UInt8(RTPROT_KERNEL)

    public init(
        to destination: IPPrefix, kind: RouteKind = .unicast, via gateway: IPAddress? = nil, link: UInt32? = nil,
        source: IPAddress? = nil, scope: Scope? = nil, table: UInt32 = Route.mainTable, metric: UInt32? = nil,
        originator: UInt8 = Route.madeByHand, isOnLink: Bool = false, mtu: UInt32? = nil
    ) {
        self.destination = destination
        self.kind = kind
        self.gateway = gateway
        self.link = link
        self.source = source
        self.scope = scope
        self.table = table
        self.metric = metric
        self.originator = originator
        self.isOnLink = isOnLink
        self.mtu = mtu
    }

    /// The default route through a router, of the router's family.
    public init(defaultVia gateway: IPAddress, link: UInt32? = nil, metric: UInt32? = nil, isOnLink: Bool = false) {
        self.init(
            to: .everything(gateway.family), via: gateway, link: link, metric: metric, isOnLink: isOnLink)
    }

    /// One of several ways to a destination.
    public struct NextHop: Hashable, Sendable {
        public var gateway: IPAddress?
        public var link: UInt32
        /// 1 to 256: how many of the flows it gets in proportion to the others.
        public var weight: Int
    }

    public var family: IPFamily { destination.family }
    public var isDefault: Bool { destination.length == 0 }
}

extension Route: CustomStringConvertible {
    /// As `ip route` would be told: `default via 10.0.0.1`.
    public var description: String {
        var words = kind == .unicast ? [] : [kind.description]
        words.append(isDefault ? (family == .v6 ? "default (IPv6)" : "default") : "\(destination)")
        if let gateway { words.append("via \(gateway)") }
        return words.joined(separator: " ")
    }
}
