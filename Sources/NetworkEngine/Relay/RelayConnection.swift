import Addressing
import CLinux
import LinuxSystem

/// A client's TCP connection, and the one to the sandbox that continues it.
final class RelayConnection {
    let client: Int32
    let server: Int32
    /// What the events of the two say.
    var tokens: [UInt64] = []
    private(set) var isClosed = false
    private var isConnecting = true
    private var toServer = Direction()
    private var toClient = Direction()

    /// What becomes of a connection after its turn.
    enum Outcome { case waits, hasMore, ended, failed }

    /// One way through, with the bytes that are on it.
    private struct Direction {
        var pipe: RelayPipes.Pipe?
        var waiting = 0
        /// The source has said that it sends nothing more.
        var hasEnded = false
        /// The destination has been told.
        var isShut = false
    }

    /// Takes over a client's socket and begins to connect.
    ///
    /// - Returns: nil when there is no socket for that; the client's is closed then.
    init?(client: Int32, to address: IPAddress, port: UInt16) {
        let type = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        let server = socket(address.family == .v4 ? AF_INET : AF_INET6, Int32(type), 0)
        guard server >= 0 else {
            let errno = swn_errno()
            Self.reset(client)
            swn_set_errno(errno)
            return nil
        }
        self.client = client
        self.server = server
        for socket in [client, server] { swn_tcp_watch(socket, 4) }
        // What is refused at once is refused later too, as an event.
        _ = SocketName(address, port: port).connect(server)
    }

    /// Carries what there is, as far as a turn allows.
    func proceed(hasFailed: Bool, _ pipes: inout RelayPipes) -> Outcome {
        if hasFailed && (Self.error(of: client) != 0 || Self.error(of: server) != 0) { return .failed }
        if isConnecting {
            var event = pollfd(fd: server, events: Int16(POLLOUT), revents: 0)
            guard poll(&event, 1, 0) > 0 else { return .waits }
            guard Self.error(of: server) == 0 else { return .failed }
            isConnecting = false
        }
        let there = carry(&toServer, from: client, to: server, &pipes)
        if there == .failed { return .failed }
        let back = carry(&toClient, from: server, to: client, &pipes)
        if back == .failed { return .failed }
        if toServer.isShut && toClient.isShut { return .ended }
        return there == .hasMore || back == .hasMore ? .hasMore : .waits
    }

    private func carry(
        _ direction: inout Direction, from source: Int32, to destination: Int32, _ pipes: inout RelayPipes
    ) -> Outcome {
        defer {
            if direction.waiting == 0, let pipe = direction.pipe {
                pipes.give(pipe, isEmpty: true)
                direction.pipe = nil
            }
        }
        // So many that one that never stops does not keep the others waiting.
        for _ in 0..<16 {
            if direction.waiting == 0 {
                if direction.hasEnded { return shut(&direction, destination) }
                guard let pipe = direction.pipe ?? pipes.take() else { return .failed }
                direction.pipe = pipe
                let count = Self.splice(source, pipe.writing)
                if count < 0 { return Self.isPatient ? .waits : .failed }
                if count == 0 { direction.hasEnded = true }
                direction.waiting = count
            }
            guard direction.waiting > 0, let pipe = direction.pipe else { continue }
            let count = Self.splice(pipe.reading, destination)
            // The destination is slow: nothing more is read until it has taken this.
            if count < 0 { return Self.isPatient ? .waits : .failed }
            direction.waiting -= count
        }
        return .hasMore
    }

    /// Tells the destination that nothing more comes. The other direction may go on.
    private func shut(_ direction: inout Direction, _ destination: Int32) -> Outcome {
        if !direction.isShut {
            shutdown(destination, Int32(SHUT_WR))
            direction.isShut = true
        }
        return .waits
    }

    /// - Parameter aborted: Both ends hear that it did not end as it should.
    func close(aborted: Bool, _ pipes: inout RelayPipes) {
        guard !isClosed else { return }
        isClosed = true
        for direction in [toServer, toClient] {
            if let pipe = direction.pipe { pipes.give(pipe, isEmpty: direction.waiting == 0) }
        }
        for socket in [client, server] {
            if aborted { Self.reset(socket) } else { CLinux.close(socket) }
        }
    }

    // MARK: Calls

    private static func splice(_ from: Int32, _ to: Int32) -> Int {
        retryingOnInterrupt {
            CLinux.splice(from, nil, to, nil, 65536, UInt32(SPLICE_F_MOVE) | UInt32(SPLICE_F_NONBLOCK))
        }
    }

    private static var isPatient: Bool { swn_errno() == EAGAIN }

    private static func error(of socket: Int32) -> Int32 {
        var error: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : swn_errno()
    }

    /// Closes a socket in such a way that its other end is told of a failure (RST).
    private static func reset(_ socket: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        CLinux.close(socket)
    }
}
