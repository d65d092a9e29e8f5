import Addressing
import CLinux
import Glibc
import Nftables
import TestSupport
import Testing

/// Three hosts in a row, client, router and server, with the ruleset on the router.
@Suite("traffic")
struct TrafficTests {
    @Test func `packets take the way that the ruleset says`() throws {
        let router = try NetworkNamespaceFixture()
        let server = try NetworkNamespaceFixture()
        let client = try NetworkNamespaceFixture()
        try connect(router, "sw-bridge", ["10.88.0.1/24", "fd00:88::1/64"], server, ["10.88.0.2/24", "fd00:88::2/64"])
        try connect(router, "eth0", ["192.0.2.1/24", "2001:db8::1/64"], client, ["192.0.2.2/24", "2001:db8::2/64"])
        for parameter in ["ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv4/conf/sw-bridge/route_localnet"] {
            try router.must("sh", "-c", "echo 1 > /proc/sys/net/\(parameter)")
        }
        try server.must("ip", "route", "add", "default", "via", "10.88.0.1")
        try server.must("ip", "route", "add", "default", "via", "fd00:88::1")
        try client.must("ip", "route", "add", "default", "via", "192.0.2.1")
        var socket = try NftablesSocket(in: router.namespace)
        try socket.commit(Sketch().batch(populated: true))

        let web = try server.enter { try Listener(port: 80) }
        let redis = try server.enter { try Listener(port: 6379) }
        // Published on all addresses, in both families: the server sees the client itself.
        for (address, peer) in [("192.0.2.1", "::ffff:192.0.2.2"), ("2001:db8::1", "2001:db8::2")] {
            let outcome = try client.enter { connection(to: address, port: 8080) }
            #expect(outcome == 0)
            #expect(web.acceptPeer() == peer)
        }
        // Published on 127.0.0.1: only the router's own connections, by its address on the way.
        let own = try router.enter { connection(to: "127.0.0.1", port: 6379) }
        #expect(own == 0)
        #expect(redis.acceptPeer() == "::ffff:10.88.0.1")
        let foreign = try client.enter { connection(to: "192.0.2.1", port: 6379) }
        #expect(foreign == ECONNREFUSED)
        // What is not published is not reached by its own address either.
        let direct = try client.enter { connection(to: "10.88.0.2", port: 80, patience: 1) }
        #expect(direct == EINPROGRESS)
        // Out of the network by the router's address, into it not from the neighbour of another network.
        let outside = try client.enter { try Listener(port: 80) }
        let outgoing = try server.enter { connection(to: "192.0.2.2", port: 80) }
        #expect(outgoing == 0)
        #expect(outside.acceptPeer() == "::ffff:192.0.2.1")

        // The port goes, and with it the way.
        var batch = Batch()
        batch.flush(Sketch().published4)
        try socket.commit(batch)
        let refused = try client.enter { connection(to: "192.0.2.1", port: 8080) }
        #expect(refused == ECONNREFUSED)
    }

    private func connect(
        _ router: borrowing NetworkNamespaceFixture, _ name: String, _ addresses: [String],
        _ other: borrowing NetworkNamespaceFixture, _ others: [String]
    ) throws {
        try router.must(
            "ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", other.path)
        for address in addresses { try router.must("ip", "address", "add", address, "dev", name, "nodad") }
        for address in others { try other.must("ip", "address", "add", address, "dev", "eth0", "nodad") }
        try router.must("ip", "link", "set", "lo", "up")
        try router.must("ip", "link", "set", name, "up")
        try other.must("ip", "link", "set", "eth0", "up")
        // Until the kernel's worker has seen the carrier, a link drops what is sent, and on a busy machine that is for
        // longer than a neighbour is asked for.
        for _ in 0..<6000 {
            let states = try router.ip("link", "show", "dev", name) + other.ip("link", "show", "dev", "eth0")
            if states.allSatisfy({ $0["operstate"] as? String == "UP" }) { return }
            usleep(10_000)
        }
        Issue.record("\(name) does not come up")
    }
}

/// A listening TCP socket of both families in the calling thread's namespace.
private struct Listener: ~Copyable {
    let descriptor: Int32

    init(port: UInt16) throws {
        descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, __CONST_SOCKADDR_ARG(__sockaddr__: $0), socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
        try #require(bound == 0 && listen(descriptor, 16) == 0)
    }

    deinit { close(descriptor) }

    /// The address of the next client; nil when none has come.
    func acceptPeer() -> String? {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, 1000) == 1 else { return nil }
        var address = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let connection = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                accept(descriptor, __SOCKADDR_ARG(__sockaddr__: $0), &length)
            }
        }
        guard connection >= 0 else { return nil }
        close(connection)
        return withUnsafeBytes(of: address.sin6_addr) { IPv6Address(bytes: Array($0)) }.map { "\($0)" }
    }
}

/// Tries to connect. Returns 0, or the errno; EINPROGRESS when there was no answer.
///
/// The first packet after a link went up may be lost to neighbour discovery, so patience covers a retransmission. On a
/// busy machine the other side may not even listen to the question yet, whatever the state of its link.
private func connection(to address: String, port: UInt16, patience seconds: Int = 5) -> Int32 {
    for _ in 0..<20 {
        let outcome = attempt(to: address, port: port, patience: seconds)
        if outcome != EHOSTUNREACH { return outcome }
    }
    return EHOSTUNREACH
}

private func attempt(to address: String, port: UInt16, patience seconds: Int) -> Int32 {
    guard let address = IPAddress(address) else { return EINVAL }
    let family = address.family == .v4 ? AF_INET : AF_INET6
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var patience = timeval(tv_sec: seconds, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var storage = [UInt8](repeating: 0, count: 28)
    withUnsafeBytes(of: sa_family_t(family)) { storage.replaceSubrange(0..<2, with: $0) }
    storage[2] = UInt8(port >> 8)
    storage[3] = UInt8(port & 255)
    let offset = address.family == .v4 ? 4 : 8
    storage.replaceSubrange(offset..<offset + address.bytes.count, with: address.bytes)
    let result = storage.withUnsafeBytes { buffer in
        buffer.withMemoryRebound(to: sockaddr.self) { pointer in
            connect(
                descriptor, __CONST_SOCKADDR_ARG(__sockaddr__: pointer.baseAddress), address.family == .v4 ? 16 : 28)
        }
    }
    return result == 0 ? 0 : errno
}
