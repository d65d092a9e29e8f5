import Addressing
import CLinux
import Netlink
import SystemPackage

/// The attributes of a route; the C enumeration has a name, so its members are not plain numbers in Swift.
private enum Field {
    static let destination = Int(RTA_DST.rawValue)
    static let outputLink = Int(RTA_OIF.rawValue)
    static let gateway = Int(RTA_GATEWAY.rawValue)
    static let priority = Int(RTA_PRIORITY.rawValue)
    static let preferredSource = Int(RTA_PREFSRC.rawValue)
    static let metrics = Int(RTA_METRICS.rawValue)
    static let multipath = Int(RTA_MULTIPATH.rawValue)
    static let table = Int(RTA_TABLE.rawValue)
    static let via = Int(RTA_VIA.rawValue)
}

extension Route {
    /// Reads an `RTM_NEWROUTE` or `RTM_DELROUTE`; nil when its lengths do not fit its family, or when it is no route but a cached answer.
    init?(_ message: NetlinkMessage) {
        guard [RTM_NEWROUTE, RTM_DELROUTE].contains(message.type), let header = message.header(rtmsg.self),
            let family = IPFamily(number: header.rtm_family), header.rtm_flags & UInt32(RTM_F_CLONED) == 0
        else { return nil }
        self.init(header, family, message.attributes(after: rtmsg.self))
    }

    init?(_ header: rtmsg, _ family: IPFamily, _ attributes: Attributes) {
        let target =
            attributes[Field.destination].flatMap { IPAddress(bytes: $0.payload) }
            ?? IPPrefix.everything(family).address
        guard target.family == family, let destination = IPPrefix(address: target, length: Int(header.rtm_dst_len))
        else { return nil }
        self.init(
            to: destination, kind: RouteKind(rawValue: header.rtm_type), scope: Scope(rawValue: header.rtm_scope),
            table: UInt32(header.rtm_table), originator: header.rtm_protocol,
            isOnLink: header.rtm_flags & UInt32(RTNH_F_ONLINK) != 0)
        for attribute in attributes {
            switch attribute.type {
            case Field.outputLink: link = attribute.u32
            case Field.gateway, Field.via: gateway = Self.gateway(attribute)
            case Field.priority: metric = attribute.u32
            case Field.preferredSource: source = IPAddress(bytes: attribute.payload)
            case Field.table: table = attribute.u32 ?? table
            case Field.metrics: mtu = attribute.nested.u32(Int(RTAX_MTU))
            case Field.multipath: nextHops = Self.nextHops(attribute.payload)
            default: break
            }
        }
    }

    /// `RTA_GATEWAY` is an address of the route's family, `RTA_VIA` a family number and an address of that one.
    private static func gateway(_ attribute: Attribute) -> IPAddress? {
        IPAddress(bytes: attribute.type == Field.via ? attribute.payload.dropFirst(2) : attribute.payload)
    }

    /// `RTA_MULTIPATH` is a row of `struct rtnexthop`, each with attributes behind it.
    private static func nextHops(_ bytes: ArraySlice<UInt8>) -> [NextHop] {
        var hops: [NextHop] = []
        var rest = bytes
        while let hop = rest.header(rtnexthop.self), Int(hop.rtnh_len) >= MemoryLayout<rtnexthop>.size,
            Int(hop.rtnh_len) <= rest.count
        {
            let attributes = Attributes(rest.prefix(Int(hop.rtnh_len)).dropFirst(MemoryLayout<rtnexthop>.size))
            let gateway = (attributes[Field.gateway] ?? attributes[Field.via]).flatMap(Self.gateway)
            hops.append(
                NextHop(gateway: gateway, link: UInt32(bitPattern: hop.rtnh_ifindex), weight: Int(hop.rtnh_hops) + 1))
            rest = rest.dropFirst((Int(hop.rtnh_len) + 3) & ~3)
        }
        return hops
    }

    /// The message that adds this route.
    func addition(flags: Int32) -> MessageBuilder {
        var header = header
        header.rtm_protocol = originator
        header.rtm_type = kind.rawValue
        header.rtm_scope = (scope ?? defaultScope).rawValue
        if isOnLink { header.rtm_flags |= UInt32(RTNH_F_ONLINK) }
        var message = MessageBuilder(type: RTM_NEWROUTE, flags: flags)
        message.put(header: header)
        put(in: &message)
        if let source { message.put(Field.preferredSource, source.bytes) }
        if let mtu { message.nest(Field.metrics) { $0.put(Int(RTAX_MTU), mtu) } }
        return message
    }

    /// The message that deletes the first route that agrees in everything that is set here.
    var deletion: MessageBuilder {
        var header = header
        header.rtm_scope = (scope ?? .nowhere).rawValue
        // 0 stands for any type; a plain route need not be told from the others of its destination.
        header.rtm_type = kind == .unicast ? 0 : kind.rawValue
        var message = MessageBuilder(type: RTM_DELROUTE)
        message.put(header: header)
        put(in: &message)
        return message
    }

    private var header: rtmsg {
        var header = rtmsg()
        header.rtm_family = family.number
        header.rtm_dst_len = UInt8(destination.length)
        // A table's number has a byte in the header, and an attribute for those that do not fit.
        header.rtm_table = UInt8(exactly: table) ?? UInt8(RT_TABLE_UNSPEC.rawValue)
        return header
    }

    private func put(in message: inout MessageBuilder) {
        if !nextHops.isEmpty { message.refuse(.notSupported, "a route with several next hops cannot be sent") }
        if !isDefault { message.put(Field.destination, destination.address.bytes) }
        if table > UInt8.max { message.put(Field.table, table) }
        if let gateway {
            if gateway.family == family {
                message.put(Field.gateway, gateway.bytes)
            } else {
                message.put(Field.via, [gateway.family.number, 0] + gateway.bytes)
            }
        }
        if let link { message.put(Field.outputLink, link) }
        if let metric { message.put(Field.priority, metric) }
    }

    private var defaultScope: Scope {
        switch kind {
        case .local: .host
        case .broadcast, .multicast, .anycast: .link
        case .unicast where family == .v4 && gateway == nil: .link
        default: .universe
        }
    }
}
