public import Addressing
import CLinux
public import LinuxSystem
public import Netlink
import SystemPackage

/// The sockets of one network namespace, as the kernel lists them (sock_diag(7)).
public struct SocketDiagnostics: ~Copyable, Sendable {
    private var socket: NetlinkSocket

    /// The calling thread's network namespace.
    public init() throws(NetlinkError) {
        socket = try NetlinkSocket(.sockDiag)
    }

    /// Another network namespace.
    public init(in namespace: borrowing Namespace) throws {
        socket = try NetlinkSocket(.sockDiag, in: namespace)
    }

    /// Every TCP socket that listens and every UDP socket that is bound.
    /// Equivalent to `ss -H -n -l -t -u`.
    ///
    /// - Throws: `NetlinkError`; ENOENT when the kernel has no diagnosis of this transport.
    public mutating func boundSockets(
        _ transports: [BoundSocket.Transport] = BoundSocket.Transport.allCases,
        families: [IPFamily] = IPFamily.allCases
    ) throws(NetlinkError) -> [BoundSocket] {
        var sockets: [BoundSocket] = []
        for transport in transports {
            for family in families {
                var header = inet_diag_req_v2()
                header.sdiag_family = family.number
                header.sdiag_protocol = UInt8(transport == .tcp ? IPPROTO_TCP : IPPROTO_UDP)
                // Bits of the kernel's TCP states (include/net/tcp_states.h). A bound UDP socket is in state CLOSE.
                header.idiag_states = 1 << (transport == .tcp ? Self.listen : Self.close)
                var message = MessageBuilder(type: Int(SOCK_DIAG_BY_FAMILY))
                message.put(header: header)
                let request = NetlinkRequest(message, "list \(transport.rawValue)", "sockets") { error in
                    error.errno == .noSuchFileOrDirectory
                        ? "this kernel has no \(transport.rawValue)_diag (CONFIG_INET_DIAG)" : nil
                }
                sockets += try socket.dump(request).compactMap { BoundSocket($0, transport) }
            }
        }
        // A UDP socket that was only opened has no port yet.
        return sockets.filter { $0.port != 0 }
    }

    // <netinet/tcp.h> has these as TCP_LISTEN and TCP_CLOSE, but cannot be included next to <linux/tcp.h>.
    private static let listen: UInt32 = 10
    private static let close: UInt32 = 7
}
