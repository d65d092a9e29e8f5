/// Who gives the endpoints of a network their addresses, when it is not us.
public enum AddressProvider: String, CaseIterable, Hashable, Sendable {
    /// A DHCP server for IPv4 (RFC 2131).
    case dhcp
    /// A DHCP server for IPv6 that gives addresses (RFC 8415). The default route is that of a router's advertisement.
    case dhcp6
    /// Routers, whose advertisements tell prefixes (RFC 4862): the kernel makes addresses of them.
    case slaac
}
