import CLinux
import CNftnl

/// The packets that a table sees.
public struct Family: RawRepresentable, Hashable, Sendable {
    /// `NFPROTO_*` of linux/netfilter.h.
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// IPv4 and IPv6 together.
    public static let inet = Family(rawValue: UInt8(NFPROTO_INET))
    public static let ip = Family(rawValue: UInt8(NFPROTO_IPV4))
    public static let ip6 = Family(rawValue: UInt8(NFPROTO_IPV6))
    public static let arp = Family(rawValue: UInt8(NFPROTO_ARP))
    public static let bridge = Family(rawValue: UInt8(NFPROTO_BRIDGE))
    public static let netdev = Family(rawValue: UInt8(NFPROTO_NETDEV))

    static let unspecified = Family(rawValue: UInt8(NFPROTO_UNSPEC))
}

extension Family: CustomStringConvertible {
    /// The word that `nft` uses.
    public var description: String {
        switch self {
        case .inet: "inet"
        case .ip: "ip"
        case .ip6: "ip6"
        case .arp: "arp"
        case .bridge: "bridge"
        case .netdev: "netdev"
        default: "family \(rawValue)"
        }
    }
}
