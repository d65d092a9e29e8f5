public import Addressing
import CLinux
import Netlink

/// Something that happened in a network namespace, whoever did it. Equivalent to a line of `ip monitor`.
public enum RtnetlinkEvent: Hashable, Sendable {
    /// It is there now, or is now as told. The kernel tells of a link more often than it changes.
    case changed(Object)
    /// It is gone, or has gone to another namespace.
    case deleted(Object)
    /// Events were lost because they were not read in time: what is known has to be asked for anew.
    case resyncNeeded

    public enum Object: Hashable, Sendable {
        case link(Link)
        case address(InterfaceAddress)
        case route(Route)
        case neighbour(Neighbour)
        case forwarding(ForwardingEntry)
        case rule(RoutingRule)
        case qdisc(Qdisc)
        /// Filters of a link, by its index: one, or all of a priority.
        case filters(UInt32)
        /// The settings of a link as a port of a bridge, by the link's index.
        case port(UInt32)
        /// What may be forwarded by a link, or by all.
        case forwardingSwitch(ForwardingSwitch)
    }
}

/// Whether what comes in by a link is forwarded (`net.ipv4.conf.$link.forwarding`, `net.ipv6.conf.$link.forwarding`).
///
/// Source: `inet_netconf_fill_devconf`, net/ipv4/devinet.c. Equivalent to a line of `ip monitor netconf`.
public struct ForwardingSwitch: Hashable, Sendable {
    public var family: IPFamily
    /// The link's index; nil for the parameter `all`, which is `net.ipv4.ip_forward` too.
    public var link: UInt32?
    public var isOn: Bool
}

extension ForwardingSwitch {
    /// nil for another parameter's news, and for that of the links to come (`default`).
    init?(_ message: NetlinkMessage) {
        // A `struct netconfmsg` has the family and nothing else, as has this.
        guard let header = message.header(rtgenmsg.self), let family = IPFamily(number: header.rtgen_family) else {
            return nil
        }
        let attributes = message.attributes(after: rtgenmsg.self)
        guard let index = attributes[Field.index]?.i32, index != Field.default,
            let value = attributes[Field.forwarding]?.i32
        else { return nil }
        self.family = family
        link = index == Field.all ? nil : UInt32(bitPattern: index)
        isOn = value != 0
    }

    /// `NETCONFA_*` of linux/netconf.h.
    private enum Field {
        static let index = 1
        static let forwarding = 2
        static let all: Int32 = -1
        static let `default`: Int32 = -2
    }
}

extension RtnetlinkEvent {
    /// nil for a message about something else.
    init?(_ message: NetlinkMessage) {
        guard let object = Object(message) else { return nil }
        let deletions = [
            RTM_DELLINK, RTM_DELADDR, RTM_DELROUTE, RTM_DELNEIGH, RTM_DELRULE, RTM_DELQDISC, RTM_DELTFILTER,
        ]
        self = deletions.contains(message.type) ? .deleted(object) : .changed(object)
    }
}

extension RtnetlinkEvent.Object {
    init?(_ message: NetlinkMessage) {
        let object: Self? =
            switch message.type {
            case RTM_NEWLINK, RTM_DELLINK: Link(message).map(Self.link) ?? Self.port(of: message)
            case RTM_NEWADDR, RTM_DELADDR: InterfaceAddress(message).map(Self.address)
            case RTM_NEWROUTE, RTM_DELROUTE: Route(message).map(Self.route)
            case RTM_NEWNEIGH, RTM_DELNEIGH:
                ForwardingEntry(message).map(Self.forwarding) ?? Neighbour(message).map(Self.neighbour)
            case RTM_NEWRULE, RTM_DELRULE: RoutingRule(message).map(Self.rule)
            case RTM_NEWQDISC, RTM_DELQDISC: Qdisc(message).map(Self.qdisc)
            case RTM_NEWTFILTER, RTM_DELTFILTER:
                message.header(tcmsg.self).map { .filters(UInt32(bitPattern: $0.tcm_ifindex)) }
            case RTM_NEWNETCONF: ForwardingSwitch(message).map(Self.forwardingSwitch)
            default: nil
            }
        guard let object else { return nil }
        self = object
    }

    /// What a bridge says of a port of its own. That it has none any more is said with the link.
    private static func port(of message: NetlinkMessage) -> Self? {
        guard message.type == RTM_NEWLINK, let header = message.header(ifinfomsg.self),
            Int32(header.ifi_family) == AF_BRIDGE
        else { return nil }
        return .port(UInt32(bitPattern: header.ifi_index))
    }
}
