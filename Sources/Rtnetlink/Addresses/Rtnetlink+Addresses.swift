public import Addressing
import CLinux
public import Netlink

extension Change {
    /// Gives a link an address. Equivalent to `ip address add $prefix dev $link`.
    public static func addAddress(_ address: InterfaceAddress) -> Change {
        Change(address.message(RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_EXCL), "add address", "\(address.prefix)")
    }

    /// Gives a link an address, or changes the one it has. Equivalent to `ip address replace $prefix dev $link`.
    public static func replaceAddress(_ address: InterfaceAddress) -> Change {
        Change(
            address.message(RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_REPLACE), "replace address", "\(address.prefix)")
    }

    /// Takes an address from a link. Equivalent to `ip address delete $prefix dev $link`.
    public static func deleteAddress(_ address: InterfaceAddress) -> Change {
        Change(address.message(RTM_DELADDR), "delete address", "\(address.prefix)")
    }
}

extension Rtnetlink {
    /// The addresses of a family (or both) and of a link (or all). Equivalent to `ip address show dev $link`.
    public mutating func addresses(
        family: IPFamily? = nil, link: UInt32? = nil
    ) throws(NetlinkError) -> [InterfaceAddress] {
        var header = ifaddrmsg()
        header.ifa_family = family?.number ?? 0
        header.ifa_index = link ?? 0
        var message = MessageBuilder(type: RTM_GETADDR)
        message.put(header: header)
        return try socket.dump(NetlinkRequest(message, "list", "addresses")).compactMap(InterfaceAddress.init)
    }

    /// Gives a link an address. Equivalent to `ip address add $prefix dev $link`.
    public mutating func addAddress(_ address: InterfaceAddress) throws(NetlinkError) {
        try apply(.addAddress(address))
    }

    /// Takes an address from a link. Equivalent to `ip address delete $prefix dev $link`.
    public mutating func deleteAddress(_ address: InterfaceAddress) throws(NetlinkError) {
        try apply(.deleteAddress(address))
    }
}
