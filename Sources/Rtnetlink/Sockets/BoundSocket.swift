public import Addressing
import CLinux
import Netlink

/// A socket that has a port of its network namespace: TCP that listens, or UDP that is bound.
public struct BoundSocket: Hashable, Sendable {
    public enum Transport: String, CaseIterable, Hashable, Sendable {
        case tcp, udp
    }

    public var transport: Transport
    /// `::` takes the port of every IPv4 address too, unless `isIPv6Only`.
    public var address: IPAddress
    public var port: UInt16
    /// The index of the link that it is bound to.
    public var link: UInt32?
    public var isIPv6Only: Bool
    public var user: UInt32
    /// The socket's inode: `/proc/PID/fd/N` of its owner reads `socket:[INODE]`.
    public var inode: UInt32
}

extension BoundSocket {
    /// Reads an answer of `SOCK_DIAG_BY_FAMILY`.
    init?(_ message: NetlinkMessage, _ transport: Transport) {
        guard message.type == Int(SOCK_DIAG_BY_FAMILY), let header = message.header(inet_diag_msg.self),
            let family = IPFamily(number: header.idiag_family)
        else { return nil }
        // struct inet_diag_sockid begins behind four bytes: two ports, then the source address in four words.
        let source = message.payload.dropFirst(8).prefix(family == .v4 ? 4 : 16)
        guard let address = IPAddress(bytes: source) else { return nil }
        self.transport = transport
        self.address = address
        port = UInt16(bigEndian: header.id.idiag_sport)
        link = header.id.idiag_if == 0 ? nil : header.id.idiag_if
        isIPv6Only = message.attributes(after: inet_diag_msg.self).u8(Int(INET_DIAG_SKV6ONLY)) == 1
        user = header.idiag_uid
        inode = header.idiag_inode
    }

    /// Whether another socket could not have this port on `wanted` (nil: on every address).
    public func takes(_ wanted: IPAddress?, port: UInt16, _ transport: Transport) -> Bool {
        guard self.port == port, self.transport == transport else { return false }
        guard let wanted else { return true }
        if wanted.family == address.family { return wanted == address || wanted.isAny || address.isAny }
        // Of two families one has to be `::` and not for IPv6 alone; a wanted `::` is taken to be for both.
        return address.family == .v6 ? address.isAny && !isIPv6Only : wanted.isAny
    }
}
