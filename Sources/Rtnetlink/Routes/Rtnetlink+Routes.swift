public import Addressing
import CLinux
public import Netlink
import SystemPackage

extension Change {
    /// Adds a route. Equivalent to `ip route add $destination via $gateway dev $link …`.
    public static func addRoute(_ route: Route) -> Change {
        Change(route.addition(flags: NLM_F_CREATE | NLM_F_EXCL), "add route", "\(route)")
    }

    /// Adds a route, or changes the one of the same destination, table and metric.
    /// Equivalent to `ip route replace $destination via $gateway dev $link …`.
    public static func replaceRoute(_ route: Route) -> Change {
        Change(route.addition(flags: NLM_F_CREATE | NLM_F_REPLACE), "replace route", "\(route)")
    }

    /// Adds a route behind those of the same destination and metric, which stay.
    /// Equivalent to `ip route append $destination via $gateway dev $link …`.
    public static func appendRoute(_ route: Route) -> Change {
        Change(route.addition(flags: NLM_F_CREATE | NLM_F_APPEND), "append route", "\(route)")
    }

    /// Deletes the first route that agrees with what is set in `route`. Equivalent to `ip route delete $destination …`.
    public static func deleteRoute(_ route: Route) -> Change {
        Change(route.deletion, "delete route", "\(route)")
    }
}

extension Rtnetlink {
    /// The routes of a family (or both) and of a table (or all). Equivalent to `ip route show table $table`.
    public mutating func routes(family: IPFamily? = nil, table: UInt32? = nil) throws(NetlinkError) -> [Route] {
        var routes: [Route] = []
        // One list for each: a list of every family would come with those of other protocols.
        for family in family.map({ [$0] }) ?? IPFamily.allCases {
            var header = rtmsg()
            header.rtm_family = family.number
            var message = MessageBuilder(type: RTM_GETROUTE)
            message.put(header: header)
            if let table { message.put(Int(RTA_TABLE.rawValue), table) }
            do throws(NetlinkError) {
                routes += try socket.dump(NetlinkRequest(message, "list", "routes")).compactMap(Route.init)
            } catch {
                // A table comes into being with its first route.
                guard table != nil && error.errno == .noSuchFileOrDirectory else { throw error }
            }
        }
        return routes
    }

    /// The route that a packet to an address would take. Equivalent to `ip route get $destination`.
    ///
    /// - Throws: `NetlinkError`; ENETUNREACH when there is none, EHOSTUNREACH, EACCES or EINVAL when one, or a rule, is
    ///   against it.
    public mutating func route(to destination: IPAddress) throws(NetlinkError) -> Route {
        try route(NetlinkRequest(Self.question(destination), "find route to", "\(destination)"))
    }

    /// The route that a packet of somebody else's would take that comes in by a link.
    /// Equivalent to `ip route get $destination from $source iif $link`.
    ///
    /// - Throws: `NetlinkError`, as for a packet of this host's own; EHOSTUNREACH also where the link does not forward
    ///   IPv4, and EINVAL for a source that cannot come in by it.
    public mutating func route(
        to destination: IPAddress, from source: IPAddress, input link: UInt32
    ) throws(NetlinkError) -> Route {
        var message = Self.question(destination, source)
        message.put(Int(RTA_SRC.rawValue), source.bytes)
        message.put(Int(RTA_IIF.rawValue), link)
        return try route(NetlinkRequest(message, "find route from \(source) to", "\(destination)"))
    }

    private static func question(_ destination: IPAddress, _ source: IPAddress? = nil) -> MessageBuilder {
        var header = rtmsg()
        header.rtm_family = destination.family.number
        header.rtm_dst_len = UInt8(destination.family.bitWidth)
        header.rtm_src_len = UInt8(source?.family.bitWidth ?? 0)
        var message = MessageBuilder(type: RTM_GETROUTE)
        message.put(header: header)
        message.put(Int(RTA_DST.rawValue), destination.bytes)
        return message
    }

    private mutating func route(_ request: NetlinkRequest) throws(NetlinkError) -> Route {
        for answer in try socket.get(request) where answer.type == RTM_NEWROUTE {
            // The answer carries the flag of a cached route, so it is read without looking at that.
            if let header = answer.header(rtmsg.self), let family = IPFamily(number: header.rtm_family),
                let route = Route(header, family, answer.attributes(after: rtmsg.self))
            {
                return route
            }
        }
        throw NetlinkError(request.operation, request.object, errno: Errno(rawValue: EPROTO))
    }

    /// Adds a route. Equivalent to `ip route add $destination via $gateway dev $link …`.
    public mutating func addRoute(_ route: Route) throws(NetlinkError) { try apply(.addRoute(route)) }

    /// Deletes a route; see `Change.deleteRoute`. Equivalent to `ip route delete $destination …`.
    public mutating func deleteRoute(_ route: Route) throws(NetlinkError) { try apply(.deleteRoute(route)) }
}
