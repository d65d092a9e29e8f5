import Addressing
import Foundation
@testable import Netlink
@testable import Nftables
import TestSupport
import Testing

@Suite("tracked connections, with conntrack -L as the oracle")
struct ConntrackTests {
    /// A namespace that tracks what passes its loopback interface, and translates 127.0.0.5 to 127.0.0.1.
    private func prepare(_ host: borrowing NetworkNamespaceFixture) throws {
        try host.must("ip", "link", "set", "lo", "up")
        try host.nftLoad(
            """
            table inet t {
                chain out {
                    type nat hook output priority -100
                    ip daddr 127.0.0.5 udp dport 53 dnat ip to 127.0.0.1:5353
                }
                chain marks {
                    type filter hook output priority 0
                    udp dport 4000 ct mark set 77
                }
            }
            """)
    }

    private func list(_ host: borrowing NetworkNamespaceFixture, _ words: String...) throws -> [String] {
        try host.run(["conntrack", "-L"] + words).output.split(separator: "\n").map(String.init)
    }

    private func send(_ host: borrowing NetworkNamespaceFixture, _ address: String, _ port: Int) throws {
        try host.must("bash", "-c", "echo hello > /dev/udp/\(address)/\(port)")
    }

    @Test func `connections are listed as conntrack lists them, filtered and forgotten`() throws {
        let host = try NetworkNamespaceFixture()
        try prepare(host)
        for (address, port) in [
            ("127.0.0.1", 4000), ("127.0.0.2", 4000), ("127.0.0.5", 53), ("::1", 4000), ("::1", 53),
        ] {
            try send(host, address, port)
        }
        try host.must("sh", "-c", "ping -c 1 -W 5 127.0.0.1 > /dev/null")
        var socket = try ConntrackSocket(in: host.namespace)
        let all = try socket.connections()
        let lines = try list(host)
        #expect(all.count == 6 && lines.count == 6, "\(all) \(lines)")
        let count = try host.run(["conntrack", "-C"]).output.split(separator: "\n").first
        #expect(count.flatMap { Int($0) } == (try socket.count()))
        for connection in all where connection.original.transport == .udp {
            let tuple = connection.original
            let words =
                "src=\(tuple.source) dst=\(tuple.destination) sport=\(try #require(tuple.sourcePort)) "
                + "dport=\(try #require(tuple.destinationPort))"
            let line = try #require(lines.first { $0.contains(words) }, "\(words)")
            #expect(line.contains("mark=\(connection.mark)"))
            #expect(line.contains("[UNREPLIED]") == !connection.status.contains(.seenReply))
            #expect(connection.timeout > 0 && connection.zone == 0)
        }
        let translated = try #require(all.first { $0.original.destination == IPAddress("127.0.0.5") })
        #expect(translated.reply.source == IPAddress("127.0.0.1") && translated.reply.sourcePort == 5353)
        #expect(translated.status.contains(.dnat) && translated.original.destinationPort == 53)
        let marked = try socket.connections(.init(transport: .udp, destinationPort: 4000))
        #expect(marked.count == 3 && marked.allSatisfy { $0.mark == 77 && $0.original.destinationPort == 4000 })
        let six = try #require(IPAddress("::1")), two = try #require(IPAddress("127.0.0.2"))
        #expect(try socket.connections(.init(destination: six)).count == 2)
        #expect(try socket.connections(.init(transport: .udp, destination: two)).map(\.original.destination) == [two])
        #expect(try socket.connections(.init(source: six, destination: two)).isEmpty)
        #expect(try socket.connections(.init(transport: .tcp)).isEmpty)
        #expect(try socket.connections(.init(destinationPort: 53)).count == 2)
        let echo = try #require(try socket.connections(.init(transport: .icmp)).first)
        #expect(echo.original.sourcePort == nil)

        let own = try #require(IPAddress("127.0.0.1"))
        #expect(try socket.connections(from: [own]).count == 4)
        #expect(try socket.connections(from: [own, six]).count == 6)
        #expect(try socket.connections(from: [six, two]).allSatisfy { $0.original.source == six })
        #expect(try socket.connections(from: []).isEmpty)

        #expect(try socket.delete(marked + [echo]) == 4)
        let left = try list(host)
        #expect(left.count == 2 && left.allSatisfy { $0.contains("dport=53 ") }, "\(left)")
        // They are gone already.
        #expect(try socket.delete(marked) == 0)
    }

    @Test func `the kernel's text tells whether a list is worth it, in both families and directions`() throws {
        let host = try NetworkNamespaceFixture()
        try prepare(host)
        try send(host, "127.0.0.5", 53)
        try send(host, "::1", 4000)
        let text = Array(try host.must("cat", "/proc/net/nf_conntrack").utf8)
        func mentions(_ addresses: [String] = [], _ ports: Set<UInt16> = []) -> Bool {
            ConntrackSocket.mentions(text, Set(addresses.compactMap(IPAddress.init)), ports)
        }
        // Who answers is a source too: of the translated one that is 127.0.0.1 with port 5353.
        #expect(
            mentions(["127.0.0.1"]) && mentions(["10.0.0.1", "::1"]) && mentions([], [53]) && mentions([], [1, 4000]))
        #expect(!mentions() && !mentions(["127.0.0.5", "127.0.0.11", "27.0.0.1", "::"], [5353, 3, 400]))
        #expect(
            ConntrackSocket.mentions(Array("src=nonsense\n".utf8), [], []), "What is not understood may be anything.")
    }

    @Test func `a connection with another number is not forgotten in its stead`() throws {
        let host = try NetworkNamespaceFixture()
        try prepare(host)
        var socket = try ConntrackSocket(in: host.namespace)
        try send(host, "127.0.0.1", 4000)
        var found = try socket.connections(.init(transport: .udp))
        #expect(found.count == 1)
        found[0].identifier &+= 1
        #expect(try socket.delete(found) == 0)
        #expect(try list(host, "-p", "udp").count == 1)
        found[0].identifier &-= 1
        #expect(try socket.delete(found) == 1)
        #expect(try list(host, "-p", "udp").isEmpty)
    }

    @Test func `real messages with bytes changed or cut off are read and never trap`() throws {
        let host = try NetworkNamespaceFixture()
        try prepare(host)
        for port in 1...5 { try send(host, "127.0.0.1", port) }
        try host.must("sh", "-c", "ping -c 1 -W 5 ::1 > /dev/null")
        var socket = try NetlinkSocket(.netfilter, in: host.namespace)
        var request = MessageBuilder(type: 1 << 8 | 1)
        request.put(header: UInt32(0))
        let originals = try socket.dump(NetlinkRequest(request, "list", "connections")).map { Array($0.bytes) }
        #expect(originals.count == 6)
        var generator = SystemRandomNumberGenerator()
        var seen = 0
        for original in originals {
            for _ in 0..<500 {
                var bytes = original
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    bytes[Int.random(in: 8..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
                }
                let kept = Int.random(in: 16...bytes.count, using: &generator)
                (bytes[0], bytes[1]) = (UInt8(kept & 0xff), UInt8(kept >> 8))
                for message in NetlinkMessage.split(bytes[..<kept]) {
                    seen += TrackedConnection(message) == nil ? 0 : 1
                    _ = PacketTrace(message)?.packet
                    _ = try NftablesEvent.read(message)
                }
            }
        }
        #expect(seen > 0)
    }
}
