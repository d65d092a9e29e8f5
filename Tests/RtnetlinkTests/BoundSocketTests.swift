import Addressing
import CLinux
import Foundation
import Netlink
import Rtnetlink
import Testing
import TestSupport

@Suite("sockets that have a port")
struct BoundSocketTests {
    /// Opens a socket in the calling thread's namespace; -1 when it cannot be bound.
    private func open(_ address: IPAddress, _ port: UInt16, _ transport: BoundSocket.Transport, v6Only: Bool = false)
        -> Int32
    {
        let family = address.family == .v4 ? AF_INET : AF_INET6
        let kind = transport == .tcp ? SOCK_STREAM : SOCK_DGRAM
        let number = socket(family, Int32(kind.rawValue), 0)
        var bytes: [UInt8] =
            withUnsafeBytes(of: sa_family_t(family), Array.init) + [UInt8(port >> 8), UInt8(port & 0xff)]
        if family == AF_INET6 {
            var only: Int32 = v6Only ? 1 : 0
            setsockopt(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &only, 4)
            bytes += [0, 0, 0, 0] + address.bytes + [0, 0, 0, 0]
        } else {
            bytes += address.bytes + [UInt8](repeating: 0, count: 8)
        }
        let bound = bytes.withUnsafeBytes { raw in
            raw.withMemoryRebound(to: sockaddr.self) {
                bind(number, __CONST_SOCKADDR_ARG(__sockaddr__: $0.baseAddress), socklen_t(raw.count))
            }
        }
        if bound == 0 && (transport == .udp || listen(number, 5) == 0) { return number }
        close(number)
        return -1
    }

    @Test func `every listener is found, and it takes the ports that the kernel then refuses`() throws {
        let host = try NetworkNamespaceFixture()
        try host.must("ip", "link", "set", "lo", "up")
        try host.must("ip", "address", "add", "10.1.0.5/24", "dev", "lo")
        let any = try #require(IPAddress("0.0.0.0")), any6 = try #require(IPAddress("::"))
        let loopback = try #require(IPAddress("127.0.0.1")), loopback6 = try #require(IPAddress("::1"))
        let own = try #require(IPAddress("10.1.0.5"))
        let held: [Int32] = try host.enter {
            [
                open(any, 1000, .tcp), open(loopback, 1001, .tcp), open(any6, 1002, .tcp),
                open(any6, 1003, .tcp, v6Only: true), open(loopback6, 1004, .tcp), open(own, 1005, .tcp),
                open(any, 1000, .udp), open(loopback, 1006, .udp), open(any6, 1007, .udp),
            ]
        }
        defer { held.forEach { close($0) } }
        #expect(!held.contains(-1))
        var diagnostics = try SocketDiagnostics(in: host.namespace)
        let sockets = try diagnostics.boundSockets()
        #expect(sockets.count == held.count)
        #expect(sockets.first { $0.port == 1003 }?.isIPv6Only == true)
        #expect(sockets.first { $0.port == 1001 }?.address == loopback)
        for transport in BoundSocket.Transport.allCases {
            for wanted in [any, any6, loopback, loopback6, own] {
                for port in UInt16(1000)...1008 {
                    let number = try host.enter { open(wanted, port, transport) }
                    if number >= 0 { close(number) }
                    let taken = sockets.contains { $0.takes(wanted, port: port, transport) }
                    #expect(taken == (number < 0), "\(transport) \(wanted) \(port)")
                }
            }
        }
        let listed = try host.run(["ss", "-H", "-n", "-l", "-t", "-u"]).output
        #expect(listed.split(separator: "\n").count == sockets.count)
    }
}
