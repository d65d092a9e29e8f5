import Addressing
import CLinux
import LinuxSystem
import NetworkModel

/// What a relay does all its life: waits for its sockets, and carries what comes.
final class RelayLoop {
    private let poll: EventPoll
    private let target: IPAddress
    private var connections: [UInt64: RelayConnection] = [:]
    /// Connections that have more to do than their turn allows.
    private var unfinished: [RelayConnection] = []
    private var pipes = RelayPipes()
    private var datagrams: RelayDatagrams?
    private var streams: [UInt64: RelayListeners.Socket] = [:]
    /// Whether new connections wait because there is no descriptor for them.
    private var isFull = false
    /// The most connections at once: each may need two sockets and, when both ends are slow, two pipes.
    private let mostConnections: Int
    private var nextToken: UInt64 = 1

    /// Serves until it is killed.
    static func run(_ relay: PortRelay, _ sockets: [RelayListeners.Socket]) -> Never {
        do {
            let loop = try RelayLoop(relay, sockets)
            while true { try loop.turn() }
        } catch {
            // Nobody listens to it any more; `swnet check` sees that it is gone.
            _exit(1)
        }
    }

    private init(_ relay: PortRelay, _ sockets: [RelayListeners.Socket]) throws {
        poll = try EventPoll()
        target = relay.target
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        mostConnections = max(1, (Int(clamping: limit.rlim_cur) - sockets.count - 64) / 6)
        for socket in sockets {
            try poll.add(socket.descriptor, token: nextToken, EPOLLIN.rawValue)
            streams[nextToken] = socket
            nextToken += 1
        }
        if relay.mapping.transport == .udp { datagrams = RelayDatagrams(target: relay.target) }
    }

    private func turn() throws {
        let hasMore = !unfinished.isEmpty
        let wait: Int32 = hasMore ? 0 : datagrams?.isIdle == false ? 10_000 : -1
        let events = try poll.wait(milliseconds: wait)
        for event in events {
            if let socket = streams[event.token] {
                if datagrams != nil {
                    datagrams?.forward(socket) { try? watch($0, edge: false) }
                } else {
                    accept(socket)
                }
            } else if let connection = connections[event.token] {
                serve(connection, hasFailed: event.hasFailed)
            } else {
                datagrams?.answer(event.token)
            }
        }
        let waiting = unfinished
        unfinished = []
        for connection in waiting where !connection.isClosed { serve(connection, hasFailed: false) }
        datagrams?.forgetIdle()
    }

    /// Watches a socket and returns what its events say.
    private func watch(_ descriptor: Int32, edge: Bool) throws -> UInt64 {
        let token = nextToken
        nextToken += 1
        // Edges: a socket that has nothing to say while the other side is slow does not wake anybody up again and again.
        let bits =
            edge ? EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue : EPOLLIN.rawValue
        try poll.add(descriptor, token: token, bits)
        return token
    }

    // MARK: Connections

    private func accept(_ listener: RelayListeners.Socket) {
        for _ in 0..<64 {
            // Each is there under two tokens.
            if connections.count / 2 >= mostConnections { return pause() }
            let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
            let client = accept4(listener.descriptor, __SOCKADDR_ARG(__sockaddr__: nil), nil, flags)
            guard client >= 0 else {
                if [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(swn_errno()) { pause() }
                return
            }
            guard let connection = RelayConnection(client: client, to: target, port: listener.port) else {
                if [EMFILE, ENFILE].contains(swn_errno()) { pause() }
                continue
            }
            do {
                for descriptor in [connection.client, connection.server] {
                    let token = try watch(descriptor, edge: true)
                    connection.tokens.append(token)
                    connections[token] = connection
                }
            } catch {
                close(connection, aborted: true)
            }
        }
    }

    /// Leaves new connections in the kernel's queue until an old one ends.
    private func pause() {
        guard !isFull, !connections.isEmpty else { return }
        isFull = true
        for socket in streams.values { poll.remove(socket.descriptor) }
    }

    private func serve(_ connection: RelayConnection, hasFailed: Bool) {
        switch connection.proceed(hasFailed: hasFailed, &pipes) {
        case .waits: break
        case .hasMore: unfinished.append(connection)
        case .ended: close(connection, aborted: false)
        case .failed: close(connection, aborted: true)
        }
    }

    private func close(_ connection: RelayConnection, aborted: Bool) {
        connection.close(aborted: aborted, &pipes)
        for token in connection.tokens { connections[token] = nil }
        guard isFull else { return }
        isFull = false
        for (token, socket) in streams { try? poll.add(socket.descriptor, token: token, EPOLLIN.rawValue) }
    }
}
