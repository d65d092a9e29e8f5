public import Addressing
import CLinux
public import Netlink

extension Change {
    /// Adds a neighbour. Equivalent to `ip neighbour add $address lladdr $mac dev $link`.
    public static func addNeighbour(_ neighbour: Neighbour) -> Change {
        let flags = NLM_F_CREATE | NLM_F_EXCL
        return Change(neighbour.message(RTM_NEWNEIGH, flags: flags), "add neighbour", "\(neighbour.address)")
    }

    /// Adds a neighbour, or changes the one that is there. Equivalent to `ip neighbour replace $address lladdr $mac …`.
    public static func replaceNeighbour(_ neighbour: Neighbour) -> Change {
        let flags = NLM_F_CREATE | NLM_F_REPLACE
        return Change(neighbour.message(RTM_NEWNEIGH, flags: flags), "replace neighbour", "\(neighbour.address)")
    }

    /// Deletes a neighbour. Equivalent to `ip neighbour delete $address dev $link`.
    public static func deleteNeighbour(_ neighbour: Neighbour) -> Change {
        Change(neighbour.message(RTM_DELNEIGH), "delete neighbour", "\(neighbour.address)")
    }
}

extension Rtnetlink {
    /// The neighbours of a family (or both), and of a link, of the ports of a bridge or VRF, or of all.
    /// Equivalent to `ip neighbour show dev $link`, `ip neighbour show master $bridge`.
    public mutating func neighbours(
        family: IPFamily? = nil, link: UInt32? = nil, master: UInt32? = nil, proxies: Bool = false
    ) throws(NetlinkError) -> [Neighbour] {
        var header = ndmsg()
        header.ndm_family = family?.number ?? 0
        if proxies { header.ndm_flags = UInt8(NTF_PROXY) }
        var message = MessageBuilder(type: RTM_GETNEIGH)
        message.put(header: header)
        message.put(NDA_IFINDEX, optional: link)
        message.put(NDA_MASTER, optional: master)
        return try socket.dump(NetlinkRequest(message, "list", "neighbours")).compactMap(Neighbour.init)
    }

    /// Adds a neighbour. Equivalent to `ip neighbour add $address lladdr $mac dev $link`.
    public mutating func addNeighbour(_ neighbour: Neighbour) throws(NetlinkError) {
        try apply(.addNeighbour(neighbour))
    }

    /// Adds or changes a neighbour. Equivalent to `ip neighbour replace $address lladdr $mac dev $link`.
    public mutating func replaceNeighbour(_ neighbour: Neighbour) throws(NetlinkError) {
        try apply(.replaceNeighbour(neighbour))
    }

    /// Deletes a neighbour. Equivalent to `ip neighbour delete $address dev $link`.
    public mutating func deleteNeighbour(_ neighbour: Neighbour) throws(NetlinkError) {
        try apply(.deleteNeighbour(neighbour))
    }
}
