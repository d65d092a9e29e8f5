import CLinux
public import Netlink

extension Change {
    /// Adds an entry to a forwarding table; one that is there is EEXIST.
    /// Equivalent to `bridge fdb add $address dev $link self permanent dst $destination`.
    public static func addForwarding(_ entry: ForwardingEntry) -> Change {
        Change(entry.message(RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_EXCL), "add forwarding entry", "\(entry)")
    }

    /// Adds a further destination for the address: a frame is sent to each. For the peers of a VXLAN, under the address
    /// of all zeros. Equivalent to `bridge fdb append $address dev $link self permanent dst $destination`.
    public static func appendForwarding(_ entry: ForwardingEntry) -> Change {
        Change(entry.message(RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_APPEND), "append forwarding entry", "\(entry)")
    }

    /// Adds an entry, or changes the one of its address.
    /// Equivalent to `bridge fdb replace $address dev $link self permanent dst $destination`.
    public static func replaceForwarding(_ entry: ForwardingEntry) -> Change {
        Change(entry.message(RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_REPLACE), "replace forwarding entry", "\(entry)")
    }

    /// Deletes an entry, or the one destination of it that is named: no error when that is not there.
    /// Equivalent to `bridge fdb delete $address dev $link self dst $destination`.
    public static func deleteForwarding(_ entry: ForwardingEntry) -> Change {
        Change(entry.message(RTM_DELNEIGH), "delete forwarding entry", "\(entry)")
    }
}

extension Rtnetlink {
    /// The forwarding entries of a link (its own, and the bridge's about it), of a bridge's ports, or of everything.
    /// Equivalent to `bridge fdb show dev $link`, `bridge fdb show br $bridge`.
    public mutating func forwardingEntries(
        link: UInt32? = nil, bridge: UInt32? = nil
    ) throws(NetlinkError) -> [ForwardingEntry] {
        var header = ndmsg()
        header.ndm_family = UInt8(AF_BRIDGE)
        header.ndm_ifindex = Int32(bitPattern: link ?? 0)
        var message = MessageBuilder(type: RTM_GETNEIGH)
        message.put(header: header)
        message.put(NDA_MASTER, optional: bridge)
        let entries = try socket.dump(NetlinkRequest(message, "list", "forwarding entries"))
            .compactMap(ForwardingEntry.init)
        // A driver that fills its table itself may not look at the filter.
        return link.map { link in entries.filter { $0.link == link } } ?? entries
    }
}
