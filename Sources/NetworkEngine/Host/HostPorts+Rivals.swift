import Addressing
import NetworkModel
import Rtnetlink

/// A process of the host that has a port which a sandbox publishes.
struct PortRival {
    var mapping: PortMapping
    var port: UInt16
    /// `process 123 (redis-server)`.
    var owner: String
}

extension HostPorts {
    /// Processes that came to a port after it was published: the kernel lets them have it, and nobody reaches them there.
    static func rivals(of mappings: [PortMapping], _ index: PortIndex) throws -> [PortRival] {
        var rivals: [PortRival] = []
        // SCTP sockets are not in these lists.
        for (transport, kind) in [(TransportProtocol.tcp, BoundSocket.Transport.tcp), (.udp, .udp)] {
            let published = mappings.filter { $0.transport == transport }
            if published.isEmpty { continue }
            let ports = Set(published.flatMap(\.hostPorts.ports))
            var diagnostics = try SocketDiagnostics()
            for socket in try diagnostics.boundSockets([kind]) where ports.contains(socket.port) {
                let taken = published.first {
                    $0.hostPorts.ports.contains(socket.port)
                        && socket.takes($0.hostAddress, port: socket.port, kind)
                }
                guard let mapping = taken else { continue }
                if socket.address == .v6(.loopback), index.hasRelay(at: socket.port, besides: mapping) { continue }
                // A relay of its own listens where the kernel translates nothing.
                if mapping.hostAddress == .v6(.loopback) { continue }
                let owner = SocketOwner.description(inode: socket.inode)
                rivals.append(PortRival(mapping: mapping, port: socket.port, owner: owner))
            }
        }
        return rivals
    }
}
