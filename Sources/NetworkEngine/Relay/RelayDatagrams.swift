import Addressing
import CLinux
import LinuxSystem

/// UDP through a relay: for each client a socket of its own to the sandbox, whose answers go back to that client.
struct RelayDatagrams {
    private let target: IPAddress
    private var flows: [UInt64: Flow] = [:]
    private var tokens: [Client: UInt64] = [:]
    private var buffer = [UInt8](repeating: 0, count: 65536)

    private struct Client: Hashable {
        var listener: Int32
        var name: SocketName
    }

    private struct Flow {
        var socket: Int32
        var client: Client
        var lastUse: Int
    }

    /// Seconds without a datagram after which a client is forgotten: as long as the kernel remembers a UDP flow with
    /// answers (nf_conntrack_udp_timeout_stream).
    private static let idle = 120
    /// The most clients at once; then the one that was silent longest makes room.
    private static let mostFlows = 1024

    init(target: IPAddress) { self.target = target }

    var isIdle: Bool { flows.isEmpty }

    private static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec
    }

    /// Passes on what clients have sent.
    ///
    /// - Parameter watch: Has a new socket watched, and returns what its events say.
    mutating func forward(_ listener: RelayListeners.Socket, _ watch: (Int32) -> UInt64?) {
        for _ in 0..<64 {
            var name = [UInt8](repeating: 0, count: SocketName.capacity)
            var length = socklen_t(name.count)
            let count = name.withUnsafeMutableBytes { bytes in
                buffer.withUnsafeMutableBytes { buffer in
                    recvfrom(
                        listener.descriptor, buffer.baseAddress, buffer.count, 0,
                        __SOCKADDR_ARG(__sockaddr__: bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self)), &length
                    )
                }
            }
            guard count >= 0 else { return }
            let client = Client(listener: listener.descriptor, name: SocketName(bytes: Array(name.prefix(Int(length)))))
            guard let token = tokens[client] ?? open(client, listener.port, watch), let socket = flows[token]?.socket
            else { continue }
            flows[token]?.lastUse = Self.now
            // A refusal of the one before is told in place of sending this one. What else cannot be delivered is lost, as
            // datagrams are.
            if send(socket, buffer, count, 0) < 0 && swn_errno() == ECONNREFUSED { _ = send(socket, buffer, count, 0) }
        }
    }

    /// Passes back what the sandbox has answered.
    mutating func answer(_ token: UInt64) {
        guard let flow = flows[token] else { return }
        flows[token]?.lastUse = Self.now
        for _ in 0..<64 {
            // A refusal of the sandbox's kernel is read here too; there is no way to pass it on.
            let count = recv(flow.socket, &buffer, buffer.count, 0)
            guard count >= 0 else { return }
            _ = flow.client.name.withPointer { name, length in
                sendto(flow.client.listener, buffer, count, 0, __CONST_SOCKADDR_ARG(__sockaddr__: name), length)
            }
        }
    }

    private mutating func open(_ client: Client, _ port: UInt16, _ watch: (Int32) -> UInt64?) -> UInt64? {
        if flows.count >= Self.mostFlows, let oldest = flows.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            forget(oldest.key)
        }
        let type = SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        let socket = socket(target.family == .v4 ? AF_INET : AF_INET6, Int32(type), 0)
        guard socket >= 0 else { return nil }
        guard SocketName(target, port: port).connect(socket) == 0, let token = watch(socket) else {
            close(socket)
            return nil
        }
        flows[token] = Flow(socket: socket, client: client, lastUse: Self.now)
        tokens[client] = token
        return token
    }

    /// Forgets clients that have been silent for long.
    mutating func forgetIdle() {
        guard !flows.isEmpty else { return }
        let now = Self.now
        for (token, flow) in flows where now - flow.lastUse >= Self.idle { forget(token) }
    }

    private mutating func forget(_ token: UInt64) {
        guard let flow = flows.removeValue(forKey: token) else { return }
        tokens[flow.client] = nil
        close(flow.socket)
    }
}
