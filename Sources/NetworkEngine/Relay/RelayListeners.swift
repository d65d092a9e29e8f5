import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import SystemPackage

/// The sockets of a relay that clients find: one for each port.
struct RelayListeners: ~Copyable {
    struct Socket {
        let descriptor: Int32
        /// The sandbox's port that it leads to.
        let port: UInt16
    }

    private(set) var sockets: [Socket] = []

    /// - Throws: `SystemError` that names the port that cannot be had.
    init(_ relay: PortRelay) throws {
        let mapping = relay.mapping
        let transport = mapping.transport
        for (host, inside) in zip(mapping.hostPorts.ports, mapping.sandboxPorts.ports) {
            let address = mapping.hostAddress ?? .v6(.loopback)
            let type = (transport == .udp ? SOCK_DGRAM : SOCK_STREAM).rawValue
            let flags = SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
            let number = socket(address.family == .v4 ? AF_INET : AF_INET6, Int32(type | flags), 0)
            let object = "\(address.endpoint(port: host))/\(transport.rawValue)"
            guard number >= 0 else { throw SystemError("open socket", object, errno: .last) }
            sockets.append(Socket(descriptor: number, port: inside))
            var yes: Int32 = 1
            let size = socklen_t(MemoryLayout<Int32>.size)
            if address.family == .v6 { setsockopt(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &yes, size) }
            // Connections that linger in TIME_WAIT are nobody's.
            if transport == .tcp { setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &yes, size) }
            guard SocketName(address, port: host).bind(number) == 0 else {
                throw SystemError("listen on", object, errno: .last)
            }
            if transport == .tcp, listen(number, 4096) != 0 { throw SystemError("listen on", object, errno: .last) }
        }
    }

    deinit { for socket in sockets { close(socket.descriptor) } }
}
