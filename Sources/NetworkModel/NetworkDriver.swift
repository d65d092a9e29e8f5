public import Addressing

/// How a network joins its endpoints, with what that takes.
public enum NetworkDriver: Hashable, Sendable {
    /// A veth pair for each endpoint, its other end on an Ethernet bridge of the host: one of ours, or one that somebody
    /// else made and keeps, whose addresses and firewall are not touched.
    case bridge(existing: InterfaceName? = nil)
    /// A bridge of ours with a VXLAN as a further port, which leads to the same network on other hosts.
    case vxlan(VXLANOptions)
    /// A veth pair for each endpoint, its other end alone: everything goes through the host's routing.
    case pointToPoint
    /// Links with hardware addresses of their own on the wire of a host's interface.
    case macvlan(parent: InterfaceName, mode: MacvlanMode)
    /// Links that share the hardware address of a host's interface.
    case ipvlan(parent: InterfaceName, mode: IPVlanMode)
    /// The frames of a host's interface that carry one tag (IEEE 802.1Q).
    case vlan(parent: InterfaceName, identifier: Int)
    /// An interface of the host, which one sandbox at a time has.
    case hostDevice(InterfaceName)
    /// Interfaces that lead nowhere.
    case dummy

    /// What passes between the macvlans of one parent (drivers/net/macvlan.c).
    public enum MacvlanMode: String, CaseIterable, Hashable, Sendable {
        case bridge, `private`, vepa, passthru
    }

    /// Where an ipvlan's packets are handled (drivers/net/ipvlan).
    public enum IPVlanMode: String, CaseIterable, Hashable, Sendable {
        case l2, l3, l3s
    }

    /// Where a VXLAN leads (RFC 7348).
    public struct VXLANOptions: Hashable, Sendable {
        /// 1 to 16777215.
        public var vni: Int
        /// UDP, 1 to 65535.
        public var port: Int
        /// The other hosts; empty with a group.
        public var peers: [IPAddress]
        /// A multicast group that all hosts are in, which needs a parent.
        public var group: IPAddress?
        /// The host's own address as the others know it.
        public var local: IPAddress?
        /// The host's interface that carries it.
        public var parent: InterfaceName?

        /// IANA's port.
        public static let standardPort = 4789

        /// Whether it goes from host to host by IPv6: all its addresses are of one family, IPv4 when there are none.
        public var usesIPv6: Bool { (peers.first ?? group ?? local)?.family == .v6 }
    }
}

extension NetworkDriver {
    /// The word for it on a command line.
    public var name: String {
        switch self {
        case .bridge: "bridge"
        case .vxlan: "vxlan"
        case .pointToPoint: "ptp"
        case .macvlan: "macvlan"
        case .ipvlan: "ipvlan"
        case .vlan: "vlan"
        case .hostDevice: "host-device"
        case .dummy: "dummy"
        }
    }

    /// Every driver's name.
    public static let names = ["bridge", "macvlan", "ipvlan", "vlan", "vxlan", "ptp", "host-device", "dummy"]

    /// Whether it has a bridge that we make and remove.
    public var ownsBridge: Bool {
        switch self {
        case .bridge(existing: nil), .vxlan: true
        default: false
        }
    }

    /// Whether its packets pass the host's routing, and so its firewall: the gateway is the host, outgoing traffic is
    /// masqueraded, and ports can be published.
    public var isRoutedByHost: Bool { ownsBridge || self == .pointToPoint }

    /// The host's interface that it stands on.
    public var parent: InterfaceName? {
        switch self {
        case .bridge(let existing): existing
        case .vxlan(let options): options.parent
        case .macvlan(let parent, _), .ipvlan(let parent, _), .vlan(let parent, _): parent
        case .hostDevice(let device): device
        case .pointToPoint, .dummy: nil
        }
    }

    /// The same on another interface of the host, where it stands on one.
    public func standing(on name: InterfaceName) -> NetworkDriver {
        switch self {
        case .bridge(.some): return .bridge(existing: name)
        case .vxlan(var options):
            if options.parent != nil { options.parent = name }
            return .vxlan(options)
        case .macvlan(_, let mode): return .macvlan(parent: name, mode: mode)
        case .ipvlan(_, let mode): return .ipvlan(parent: name, mode: mode)
        case .vlan(_, let identifier): return .vlan(parent: name, identifier: identifier)
        case .hostDevice: return .hostDevice(name)
        case .bridge(nil), .pointToPoint, .dummy: return self
        }
    }

    /// Whether its interface is one of the host's, which is not there while a sandbox has it.
    public var isHostDevice: Bool { if case .hostDevice = self { true } else { false } }

    /// Whether an endpoint can have a default route: through a gateway, or the interface itself.
    var hasWayOut: Bool { self != .dummy }

    /// Whether endpoints reach the world through a router with an address in their subnet.
    public var usesGateways: Bool { hasWayOut && !routesByDevice }

    /// Whether the default route needs no gateway: the parent's namespace decides about every packet.
    public var routesByDevice: Bool {
        if case .ipvlan(_, let mode) = self { mode != .l2 } else { false }
    }
}
