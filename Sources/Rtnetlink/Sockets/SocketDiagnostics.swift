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
            // A bound UDP socket is in state CLOSE.
            let state = transport == .tcp ? Self.listen : Self.close
            for family in families { sockets += try list(transport, family, states: 1 << state) }
        }
        // A UDP socket that was only opened has no port yet.
        return sockets.filter { $0.port != 0 }
    }

    /// Every TCP socket that is or was connected, with its own address and port.
    /// Equivalent to `ss -H -n -t state connected state time-wait`.
    ///
    /// - Throws: `NetlinkError`; ENOENT when the kernel has no diagnosis of TCP.
    public mutating func connectedSockets() throws(NetlinkError) -> [BoundSocket] {
        var sockets: [BoundSocket] = []
        for family in IPFamily.allCases {
            sockets += try list(.tcp, family, states: .max & ~(1 << Self.listen | 1 << Self.close))
        }
        return sockets
    }

    /// - Parameter states: Bits of the kernel's TCP states (include/net/tcp_states.h).
    private mutating func list(
        _ transport: BoundSocket.Transport, _ family: IPFamily, states: UInt32
    ) throws(NetlinkError) -> [BoundSocket] {
        var header = inet_diag_req_v2()
        header.sdiag_family = family.number
        header.sdiag_protocol = UInt8(transport == .tcp ? IPPROTO_TCP : IPPROTO_UDP)
        header.idiag_states = states
        var message = MessageBuilder(type: Int(SOCK_DIAG_BY_FAMILY))
        message.put(header: header)
        let request = NetlinkRequest(message, "list \(transport.rawValue)", "sockets") { error in
            error.errno == .noSuchFileOrDirectory
                ? "this kernel has no \(transport.rawValue)_diag (CONFIG_INET_DIAG)" : nil
        }
        return try socket.dump(request).compactMap { BoundSocket($0, transport) }
    }

    // <netinet/tcp.h> has these as TCP_LISTEN and TCP_CLOSE, but cannot be included next to <linux/tcp.h>.
    private static let listen: UInt32 = 10
    private static let close: UInt32 = 7
}
