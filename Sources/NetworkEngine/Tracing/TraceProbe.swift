import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import SystemPackage

/// One packet that is sent to see what becomes of it, and what comes back.
struct TraceProbe: ~Copyable {
    private let socket: Descriptor
    private let target: TraceTarget
    /// What tells its packets from others.
    let flow: TraceFlow
    private var sent = timespec()

    /// Opens a socket in a namespace. Nothing is sent yet, but the port is known.
    init(_ target: TraceTarget, in namespace: borrowing Namespace) throws {
        self.target = target
        let isV4 = target.address.family == .v4
        let transport: Int32
        let type: __socket_type
        switch target.transport {
        case .tcp: (type, transport) = (SOCK_STREAM, 0)
        case .udp: (type, transport) = (SOCK_DGRAM, 0)
        case .icmp: (type, transport) = (SOCK_RAW, Int32(isV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
        }
        let flags = Int32(type.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let number = try namespace.enter(.net) { CLinux.socket(isV4 ? AF_INET : AF_INET6, flags, transport) }
        guard number >= 0 else { throw SystemError("open socket for", "\(target)", errno: .last) }
        let opened = Descriptor(owning: number)
        // Errors that routers and hosts report wait in a queue of their own.
        Self.set(opened, Int32(isV4 ? IPPROTO_IP : IPPROTO_IPV6), isV4 ? IP_RECVERR : IPV6_RECVERR, 1)
        var own = UInt16.random(in: 1...UInt16.max)
        if target.transport != .icmp {
            // A connection that is taken ends at once, without a word to the server.
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(opened.rawValue, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
            own = try Self.bindAny(opened, isV4: isV4)
        }
        flow = TraceFlow(target.transport, number: own)
        socket = opened
    }

    private static func set(_ socket: borrowing Descriptor, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(socket.rawValue, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Takes a free port of every address, so that the rules can name it before the first packet.
    private static func bindAny(_ socket: borrowing Descriptor, isV4: Bool) throws -> UInt16 {
        var name = sockaddr_storage()
        name.ss_family = sa_family_t(isV4 ? AF_INET : AF_INET6)
        let length = socklen_t(isV4 ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size)
        let result = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                CLinux.bind(socket.rawValue, __CONST_SOCKADDR_ARG(__sockaddr__: $0), length)
            }
        }
        var address = [UInt8](repeating: 0, count: 16)
        var port: UInt16 = 0
        guard result == 0, swn_socket_address(socket.rawValue, &address, &port) >= 0 else {
            throw SystemError("take a port for", "a packet", errno: .last)
        }
        return port
    }

    var pollDescriptor: Int32 { socket.rawValue }

    /// Sends the packet.
    ///
    /// - Throws: `SystemError` when it does not even leave the socket: there is no route, or a rule of the output hook
    ///   drops it, which is EPERM.
    mutating func send() throws(SystemError) {
        clock_gettime(CLOCK_MONOTONIC, &sent)
        let bytes = target.address.bytes
        guard swn_connect_address(socket.rawValue, bytes, bytes.count, target.port) == 0 || swn_errno() == EINPROGRESS
        else { throw SystemError("send to", "\(target)", errno: .last) }
        let payload: [UInt8]
        switch target.transport {
        case .tcp: return
        case .udp: payload = [UInt8(ascii: "\n")]
        case .icmp: payload = echoRequest
        }
        guard CLinux.send(socket.rawValue, payload, payload.count, Int32(MSG_NOSIGNAL)) >= 0 else {
            throw SystemError("send to", "\(target)", errno: .last)
        }
    }

    /// An echo request (RFC 792); of ICMPv6 the kernel fills in the sum.
    private var echoRequest: [UInt8] {
        let isV4 = target.address.family == .v4
        var bytes: [UInt8] = [isV4 ? 8 : 128, 0, 0, 0, UInt8(flow.number >> 8), UInt8(flow.number & 0xff), 0, 1]
        var sum = stride(from: 0, to: bytes.count, by: 2).reduce(UInt32(0)) { sum, index in
            sum + UInt32(bytes[index]) << 8 + UInt32(bytes[index + 1])
        }
        sum = (sum & 0xffff) + sum >> 16
        if isV4 { (bytes[2], bytes[3]) = (UInt8(~sum >> 8 & 0xff), UInt8(~sum & 0xff)) }
        return bytes
    }

    /// What has come back; nil when nothing has.
    ///
    /// - Throws: `SystemError` for an error of this host's own: nobody answers for the next hop's address.
    func hear() throws(SystemError) -> TraceAnswer? {
        if let answer = hearError() { return answer }
        switch target.transport {
        case .tcp: return try hearConnection()
        case .udp, .icmp: return try hearData()
        }
    }

    private func hearError() -> TraceAnswer? {
        var report = [UInt8](repeating: 0, count: 3)
        var address = [UInt8](repeating: 0, count: 16)
        let length = swn_receive_error(socket.rawValue, &report, &address)
        // SO_EE_ORIGIN_ICMP and SO_EE_ORIGIN_ICMP6 of linux/errqueue.h.
        guard length >= 0, report[0] == 2 || report[0] == 3 else { return nil }
        return TraceAnswer(
            .icmp, from: IPAddress(bytes: address.prefix(Int(length))),
            message: ICMPError.words(type: report[1], code: report[2], isV6: report[0] == 3), microseconds: elapsed)
    }

    private func hearConnection() throws(SystemError) -> TraceAnswer? {
        var waiting = pollfd(fd: socket.rawValue, events: Int16(POLLOUT), revents: 0)
        guard poll(&waiting, 1, 0) > 0 else { return nil }
        var error: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(socket.rawValue, SOL_SOCKET, SO_ERROR, &error, &length)
        switch error {
        case 0 where Int32(waiting.revents) & (POLLHUP | POLLERR) == 0:
            return TraceAnswer(.synAck, from: target.address, microseconds: elapsed)
        case 0: return nil
        case ECONNREFUSED: return TraceAnswer(.reset, from: target.address, microseconds: elapsed)
        default: throw SystemError("connect to", "\(target)", errno: Errno(rawValue: error))
        }
    }

    private func hearData() throws(SystemError) -> TraceAnswer? {
        var bytes = [UInt8](repeating: 0, count: 2048)
        while true {
            let count = recv(socket.rawValue, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            if count < 0 {
                let errno = Errno.last
                if errno == .wouldBlock || errno == .resourceTemporarilyUnavailable { return nil }
                if errno == .connectionRefused || errno == .noRouteToHost || errno == .networkUnreachable {
                    return hearError() ?? TraceAnswer(.icmp, message: "unreachable", microseconds: elapsed)
                }
                throw SystemError("receive from", "\(target)", errno: errno)
            }
            if target.transport == .udp { return TraceAnswer(.data, from: target.address, microseconds: elapsed) }
            // A raw socket of IPv4 gives the IP header too.
            let header = target.address.family == .v4 ? Int(bytes[0] & 0xf) * 4 : 0
            let message = bytes[..<count].dropFirst(header)
            guard message.count >= 8, let type = message.first, type == 0 || type == 129 else { continue }
            let identifier = UInt16(message[header + 4]) << 8 | UInt16(message[header + 5])
            if identifier == flow.number {
                return TraceAnswer(.echoReply, from: target.address, microseconds: elapsed)
            }
        }
    }

    private var elapsed: Int {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return (now.tv_sec - sent.tv_sec) * 1_000_000 + (now.tv_nsec - sent.tv_nsec) / 1000
    }
}

/// The messages of RFC 792, RFC 1812 and RFC 4443.
enum ICMPError {
    static func words(type: UInt8, code: UInt8, isV6: Bool) -> String {
        let names: [UInt8: String]
        switch (isV6, type) {
        case (false, 3):
            names = [
                0: "network unreachable", 1: "host unreachable", 2: "protocol unreachable", 3: "port unreachable",
                4: "fragmentation needed", 9: "network administratively prohibited",
                10: "host administratively prohibited", 13: "communication administratively prohibited",
            ]
        case (true, 1):
            names = [
                0: "no route", 1: "administratively prohibited", 3: "address unreachable", 4: "port unreachable",
                5: "source address failed the policy", 6: "rejected by a route",
            ]
        case (false, 11), (true, 3): return "time exceeded"
        case (true, 2): return "packet too big"
        default: names = [:]
        }
        return names[code] ?? "error of type \(type), code \(code)"
    }
}
