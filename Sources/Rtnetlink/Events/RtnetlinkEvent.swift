import Addressing
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
    }
}

extension RtnetlinkEvent {
    /// nil for a message about something else.
    init?(_ message: NetlinkMessage) {
        guard let object = Object(message) else { return nil }
        let deletions = [
            RTM_DELLINK, RTM_DELADDR, RTM_DELROUTE, RTM_DELNEIGH, RTM_DELRULE, RTM_DELQDISC,
        ]
        self = deletions.contains(message.type) ? .deleted(object) : .changed(object)
    }
}

extension RtnetlinkEvent.Object {
    init?(_ message: NetlinkMessage) {
        let object: Self? =
            switch message.type {
            case RTM_NEWLINK, RTM_DELLINK: Link(message).map(Self.link)
            case RTM_NEWADDR, RTM_DELADDR: InterfaceAddress(message).map(Self.address)
            case RTM_NEWROUTE, RTM_DELROUTE: Route(message).map(Self.route)
            case RTM_NEWNEIGH, RTM_DELNEIGH:
                ForwardingEntry(message).map(Self.forwarding) ?? Neighbour(message).map(Self.neighbour)
            case RTM_NEWRULE, RTM_DELRULE: RoutingRule(message).map(Self.rule)
            case RTM_NEWQDISC, RTM_DELQDISC: Qdisc(message).map(Self.qdisc)
            default: nil
            }
        guard let object else { return nil }
        self = object
    }
}
