import CLinux
public import Netlink
import SystemPackage

extension Change {
    /// Adds a filter.
    /// Equivalent to `tc filter add dev $link parent $parent pref $priority protocol $protocol u32 match u32 0 0 action …`.
    public static func add(_ filter: TrafficFilter) -> Change {
        let message = filter.message(RTM_NEWTFILTER, flags: NLM_F_CREATE | NLM_F_EXCL)
        return Change(message, "add filter", "\(filter)", hint: filter.lacking)
    }

    /// Puts a filter in the place of the one with its handle. Without a handle `u32` would add a second.
    /// Equivalent to `tc filter replace dev $link parent $parent pref $priority handle $handle u32 …`.
    public static func replace(_ filter: TrafficFilter) -> Change {
        var message = filter.message(RTM_NEWTFILTER, flags: NLM_F_CREATE)
        if filter.handle == nil { message.refuse(.invalidArgument, "a filter is replaced by its handle") }
        return Change(message, "replace filter", "\(filter)", hint: filter.lacking)
    }

    /// Deletes a filter; without a handle, all of its priority and protocol.
    /// Equivalent to `tc filter delete dev $link parent $parent pref $priority`.
    public static func delete(_ filter: TrafficFilter) -> Change {
        var message = filter.message(RTM_DELTFILTER)
        // The kernel would delete every filter there is on the parent.
        if filter.priority == 0 { message.refuse(.invalidArgument, "a filter is deleted by its priority") }
        return Change(message, "delete filter", "\(filter)")
    }
}

extension Rtnetlink {
    /// The filters of a discipline (by its handle), or of `.incoming` or `.outgoing` of `clsact`.
    /// Equivalent to `tc filter show dev $link parent $parent`.
    public mutating func filters(link: UInt32, on parent: TrafficHandle) throws(NetlinkError) -> [TrafficFilter] {
        var header = tcmsg()
        header.tcm_ifindex = Int32(bitPattern: link)
        header.tcm_parent = parent.rawValue
        var message = MessageBuilder(type: RTM_GETTFILTER)
        message.put(header: header)
        return try socket.dump(NetlinkRequest(message, "list", "filters")).compactMap(TrafficFilter.init)
    }
}
