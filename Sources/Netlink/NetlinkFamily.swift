import CLinux

/// The netlink protocols that this project speaks: one for each part of the kernel.
public enum NetlinkFamily: String, Hashable, Sendable {
    /// Links, addresses, routes, neighbours (rtnetlink(7)).
    case route
    /// nftables and connection tracking.
    case netfilter
    /// Sockets of the network namespace (sock_diag(7)).
    case sockDiag = "sock_diag"

    var number: Int32 {
        switch self {
        case .route: NETLINK_ROUTE
        case .netfilter: NETLINK_NETFILTER
        case .sockDiag: NETLINK_SOCK_DIAG
        }
    }
}
