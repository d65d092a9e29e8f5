import CLinux
public import Netlink

extension Change {
    /// Puts a queueing discipline where none is; a link's default one does not count.
    /// Equivalent to `tc qdisc add dev $link $parent handle $handle $kind …`.
    public static func add(_ qdisc: Qdisc) -> Change {
        let message = qdisc.message(RTM_NEWQDISC, flags: NLM_F_CREATE | NLM_F_EXCL)
        return Change(message, "add queueing discipline", "\(qdisc)", hint: qdisc.lacking)
    }

    /// Puts a queueing discipline in the place of whatever is there; one of the same kind is changed, and loses no packet.
    /// Equivalent to `tc qdisc replace dev $link $parent handle $handle $kind …`.
    public static func replace(_ qdisc: Qdisc) -> Change {
        let message = qdisc.message(RTM_NEWQDISC, flags: NLM_F_CREATE | NLM_F_REPLACE)
        return Change(message, "replace queueing discipline", "\(qdisc)", hint: qdisc.lacking)
    }

    /// Changes the settings of a queueing discipline of this kind while packets wait in it.
    /// Equivalent to `tc qdisc change dev $link $parent handle $handle $kind …`.
    public static func change(_ qdisc: Qdisc) -> Change {
        Change(qdisc.message(RTM_NEWQDISC), "change queueing discipline", "\(qdisc)", hint: qdisc.lacking)
    }

    /// Takes a queueing discipline away with its classes and filters, and drops what waits in it.
    /// Equivalent to `tc qdisc delete dev $link $parent $kind`.
    public static func delete(_ qdisc: Qdisc) -> Change {
        Change(qdisc.message(RTM_DELQDISC), "delete queueing discipline", "\(qdisc)")
    }

    /// Adds a class. Equivalent to `tc class add dev $link parent $parent classid $handle htb rate $rate …`.
    public static func add(_ class: TrafficClass) -> Change {
        Change(`class`.message(RTM_NEWTCLASS, flags: NLM_F_CREATE | NLM_F_EXCL), "add class", "\(`class`)")
    }

    /// Changes a class. Equivalent to `tc class change dev $link parent $parent classid $handle htb rate $rate …`.
    public static func change(_ class: TrafficClass) -> Change {
        Change(`class`.message(RTM_NEWTCLASS), "change class", "\(`class`)")
    }

    /// Deletes a class that has none below. Equivalent to `tc class delete dev $link classid $handle`.
    public static func delete(_ class: TrafficClass) -> Change {
        Change(`class`.message(RTM_DELTCLASS), "delete class", "\(`class`)")
    }
}

extension Rtnetlink {
    /// The queueing disciplines of a link, or of all. Equivalent to `tc -s qdisc show dev $link`.
    public mutating func qdiscs(link: UInt32? = nil) throws(NetlinkError) -> [Qdisc] {
        var header = tcmsg()
        header.tcm_ifindex = Int32(bitPattern: link ?? 0)
        var message = MessageBuilder(type: RTM_GETQDISC)
        message.put(header: header)
        let found = try socket.dump(NetlinkRequest(message, "list", "queueing disciplines")).compactMap(Qdisc.init)
        // The kernel lists those of every link, whatever it is asked for.
        return link.map { link in found.filter { $0.link == link } } ?? found
    }

    /// The classes of the `htb` disciplines of a link. Equivalent to `tc -s class show dev $link`.
    public mutating func classes(link: UInt32) throws(NetlinkError) -> [TrafficClass] {
        var header = tcmsg()
        header.tcm_ifindex = Int32(bitPattern: link)
        var message = MessageBuilder(type: RTM_GETTCLASS)
        message.put(header: header)
        return try socket.dump(NetlinkRequest(message, "list", "classes")).compactMap(TrafficClass.init)
    }
}
