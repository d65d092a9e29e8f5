public import Addressing
import CLinux
import Netlink

/// A kernel parameter of one link, of those that the kernel tells with the link: no file below `/proc/sys` has to be
/// found, which takes the longer the more network namespaces there are.
///
/// Source: `inet_fill_link_af`, net/ipv4/devinet.c, and `inet6_fill_ifla6_attrs`, net/ipv6/addrconf.c.
public enum LinkParameter: Int, Hashable, Sendable, CaseIterable {
    case routeLocalnet, arpNotify
    case acceptRouterAdvertisements, acceptDuplicateDetection, disableIPv6, neighbourNotify, autoconfiguration
    /// Milliseconds.
    case listenerReportInterval
    /// Whether what comes in by it is forwarded.
    case forwarding, forwardingIPv6

    /// The parameter's file below `/proc/sys`.
    public func path(_ link: String) -> String { "\(Self.folder(family, link))/\(name)" }

    /// The folder of a link's parameters of a family, below `/proc/sys`.
    public static func folder(_ family: IPFamily, _ link: String) -> String {
        "net/\(family == .v4 ? "ipv4" : "ipv6")/conf/\(link)"
    }

    public var family: IPFamily { place.family == Int(AF_INET) ? .v4 : .v6 }

    /// The name of its file.
    public var name: String {
        switch self {
        case .routeLocalnet: "route_localnet"
        case .arpNotify: "arp_notify"
        case .acceptRouterAdvertisements: "accept_ra"
        case .acceptDuplicateDetection: "accept_dad"
        case .disableIPv6: "disable_ipv6"
        case .neighbourNotify: "ndisc_notify"
        case .autoconfiguration: "autoconf"
        case .listenerReportInterval: "mldv2_unsolicited_report_interval"
        case .forwarding, .forwardingIPv6: "forwarding"
        }
    }

    /// Where it stands in the list of its family. IPv4's begins with its first parameter, whose number is 1.
    private var place: (family: Int, index: Int) {
        switch self {
        case .routeLocalnet: (Int(AF_INET), Int(IPV4_DEVCONF_ROUTE_LOCALNET) - 1)
        case .arpNotify: (Int(AF_INET), Int(IPV4_DEVCONF_ARP_NOTIFY) - 1)
        case .acceptRouterAdvertisements: (Int(AF_INET6), Int(DEVCONF_ACCEPT_RA))
        case .acceptDuplicateDetection: (Int(AF_INET6), Int(DEVCONF_ACCEPT_DAD))
        case .disableIPv6: (Int(AF_INET6), Int(DEVCONF_DISABLE_IPV6))
        case .neighbourNotify: (Int(AF_INET6), Int(DEVCONF_NDISC_NOTIFY))
        case .autoconfiguration: (Int(AF_INET6), Int(DEVCONF_AUTOCONF))
        case .listenerReportInterval: (Int(AF_INET6), Int(DEVCONF_MLDV2_UNSOLICITED_REPORT_INTERVAL))
        case .forwarding: (Int(AF_INET), Int(IPV4_DEVCONF_FORWARDING) - 1)
        case .forwardingIPv6: (Int(AF_INET6), Int(DEVCONF_FORWARDING))
        }
    }

    /// `IPV4_DEVCONF_*`; nil for a parameter of IPv6.
    var numberIPv4: Int? { place.family == Int(AF_INET) ? place.index + 1 : nil }

    /// Their values in an `IFLA_AF_SPEC`, in order; nil for those of a family that the link does not have.
    static func values(_ families: Attributes) -> [Int32?] {
        var values = [Int32?](repeating: nil, count: allCases.count)
        for family in families {
            let isV4 = family.type == Int(AF_INET)
            guard isV4 || family.type == Int(AF_INET6),
                let list = family.nested[isV4 ? Int(IFLA_INET_CONF) : Int(IFLA_INET6_CONF)]?.payload
            else { continue }
            for parameter in allCases where parameter.place.family == family.type {
                let bytes = list.dropFirst(parameter.place.index * 4).prefix(4)
                values[parameter.rawValue] = Attribute(type: 0, payload: bytes).i32
            }
        }
        return values
    }
}
