import Addressing
import Foundation
import Netlink
import Rtnetlink
import Testing
import TestSupport

/// Packets through a limit, counted by the discipline itself and by the receiver, never by a clock alone.
@Suite("rate limits with traffic")
struct RateLimitTests {
    /// 1000 bytes of UDP payload, with the headers of UDP, IPv4 and Ethernet.
    private static let frame: UInt64 = 1042

    /// Two namespaces with a veth between them, 10.0.0.1 `near` and 10.0.0.2 `far`, that know each other's hardware
    /// addresses and speak nothing but IPv4, so that only what a test sends is counted.
    private func connect(
        _ host: borrowing NetworkNamespaceFixture, _ guest: borrowing NetworkNamespaceFixture
    ) throws -> Link {
        for place in 0..<2 {
            let words = ["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"]
            _ = try place == 0 ? host.run(words) : guest.run(words)
        }
        let near = try #require(MACAddress("02:00:00:00:00:01")), far = try #require(MACAddress("02:00:00:00:00:02"))
        let nearAddress = try #require(IPPrefix("10.0.0.1/24")), farAddress = try #require(IPPrefix("10.0.0.2/24"))
        var route = try Rtnetlink(in: host.namespace)
        let peer = NewLink.Peer("far", address: far, namespaceDescriptor: guest.descriptor)
        let link = try route.add(NewLink("near", .veth(peer: peer), address: near, up: true))
        try route.addAddress(InterfaceAddress(nearAddress, link: link.index))
        try route.addNeighbour(Neighbour(farAddress.address, link: link.index, linkAddress: far))
        var inner = try Rtnetlink(in: guest.namespace)
        let other = try #require(link.peer)
        try inner.set(.index(other), LinkSettings(up: true))
        try inner.addAddress(InterfaceAddress(farAddress, link: other))
        try inner.addNeighbour(Neighbour(nearAddress.address, link: other, linkAddress: near))
        try expectOperational("near", &route)
        try expectOperational("far", &inner)
        return link
    }

    private func send(_ count: Int, from place: borrowing NetworkNamespaceFixture, to address: String) throws {
        try place.must("bash", "-c", "for i in {1..\(count)}; do printf '%01000d' 0 > /dev/udp/\(address)/9; done")
    }

    private func received(_ link: String, _ place: borrowing NetworkNamespaceFixture) throws -> UInt64 {
        let seen = try #require(try place.ip("-s", "link", "show", "dev", link).first)
        let counters = (seen["stats64"] as? [String: Any])?["rx"] as? [String: Any]
        return UInt64(try #require(counters?["packets"] as? Int))
    }

    /// Sends 100 packets through a slow bucket, then makes it fast while they wait and sends 100 more.
    private func check(
        _ route: inout Rtnetlink, bucketOn link: UInt32, from sender: borrowing NetworkNamespaceFixture,
        to address: String, into interface: String, _ receiver: borrowing NetworkNamespaceFixture
    ) throws {
        // 1000 bytes a second.
        let slow = TokenBucket(rate: 1000, burst: 10_000, limit: 20_000)
        try route.apply(.add(Qdisc(.tbf(slow), link: link)))
        let before = try received(interface, receiver)
        let start = ContinuousClock.now
        try send(100, from: sender, to: address)
        let first = try #require(try route.qdiscs(link: link).first { if case .tbf = $0.kind { true } else { false } })
        let elapsed = start.duration(to: .now)
        let seconds = UInt64(elapsed.components.seconds) + 1
        print("\(first.statistics.bytes) bytes in \(elapsed) of 1000 B/s, \(first.statistics.drops) of 100 dropped")
        // No more than the burst and what the rate gives for the time that was there; what waits is no more than the
        // limit; the rest is dropped.
        #expect(first.statistics.bytes <= UInt64(slow.burst) + 1000 * seconds)
        #expect(first.statistics.bytes >= UInt64(slow.burst) - 2 * Self.frame)
        #expect(first.statistics.backlog <= slow.limit && first.statistics.backlog > 0)
        #expect(first.statistics.packets + UInt64(first.statistics.queueLength) + UInt64(first.statistics.drops) == 100)
        #expect(first.statistics.overlimits > 0)

        // 100 MB a second: what waits goes, and nothing more is dropped.
        let fast = TokenBucket(rate: 100_000_000, burst: 1_000_000, limit: 2_000_000)
        try route.apply(.change(Qdisc(.tbf(fast), link: link)))
        try send(100, from: sender, to: address)
        let expected = 200 - UInt64(first.statistics.drops)
        var last = first
        let end = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < end {
            last = try #require(try route.qdiscs(link: link).first { $0.handle == first.handle })
            if last.statistics.packets >= expected { break }
            usleep(10_000)
        }
        #expect(last.statistics.drops == first.statistics.drops && last.statistics.backlog == 0)
        #expect(last.statistics.packets == expected && last.statistics.bytes == expected * Self.frame)
        #expect(try received(interface, receiver) - before >= expected)
    }

    @Test func `what leaves a link is limited, and the limit changes while packets wait`() throws {
        let host = try NetworkNamespaceFixture()
        let guest = try NetworkNamespaceFixture()
        let link = try connect(host, guest)
        var route = try Rtnetlink(in: host.namespace)
        try check(&route, bucketOn: link.index, from: host, to: "10.0.0.2", into: "far", guest)
    }

    @Test func `what comes in by a link is limited by way of an ifb`() throws {
        let host = try NetworkNamespaceFixture()
        let guest = try NetworkNamespaceFixture()
        let link = try connect(host, guest)
        var route = try Rtnetlink(in: host.namespace)
        let ifb = try route.add(NewLink("in-near", .ifb, up: true)).index
        try route.apply([
            .add(Qdisc(.clsact, link: link.index)),
            .add(TrafficFilter(.u32([]), on: .incoming, link: link.index, priority: 1, [.redirect(to: ifb)])),
        ])
        try check(&route, bucketOn: ifb, from: guest, to: "10.0.0.1", into: "in-near", host)
        // What passed the limit arrived as if it had come in by the link: UDP refused it by its port.
        let refused = try host.must("sh", "-c", "grep '^Udp: [0-9]' /proc/net/snmp").split(separator: " ")
        #expect(try #require(Int(refused[2])) > 100)
    }

    @Test(.enabled(if: KernelSupport.police, "this kernel has no action police"))
    func `a police action lets the burst in and what the rate gives`() throws {
        let host = try NetworkNamespaceFixture()
        let guest = try NetworkNamespaceFixture()
        let link = try connect(host, guest)
        var route = try Rtnetlink(in: host.namespace)
        let police = TrafficAction.Police(rate: 1000, burst: 10_000)
        let start = ContinuousClock.now
        try route.apply([
            .add(Qdisc(.clsact, link: link.index)),
            .add(TrafficFilter(.u32([]), on: .incoming, link: link.index, priority: 1, [.police(police)])),
        ])
        try send(100, from: guest, to: "10.0.0.1")
        let refused = try host.must("sh", "-c", "grep '^Udp: [0-9]' /proc/net/snmp").split(separator: " ")
        let arrived = UInt64(try #require(Int(refused[2])))
        let seconds = UInt64(start.duration(to: .now).components.seconds) + 1
        #expect(arrived * Self.frame <= 10_000 + 1000 * seconds && arrived >= 7, "\(arrived) of 100")
    }

    @Test(.enabled(if: KernelSupport.netem, "this kernel has no queueing discipline netem"))
    func `packets are lost, doubled and held as netem was told, and told anew`() throws {
        let host = try NetworkNamespaceFixture()
        let guest = try NetworkNamespaceFixture()
        let link = try connect(host, guest)
        var route = try Rtnetlink(in: host.namespace)
        func impair(_ settings: NetworkEmulator) throws {
            try route.apply(.replace(Qdisc(.netem(settings), link: link.index, handle: TrafficHandle(1))))
        }
        try impair(.init(loss: 1))
        #expect(try host.run(["ping", "-c", "2", "-i", "0.2", "-w", "2", "10.0.0.2"]).status != 0)
        let lost = try #require(try route.qdiscs(link: link.index).first { $0.handle == TrafficHandle(1) })
        #expect(lost.statistics.drops >= 2)
        try impair(.init(duplicate: 1))
        #expect(try host.must("ping", "-c", "2", "-w", "15", "10.0.0.2").contains("DUP!"))
        try impair(.init(delay: .milliseconds(300)))
        let words = try host.must("ping", "-c", "1", "-w", "15", "10.0.0.2")
        let time = words.split(separator: "time=").dropFirst().first.flatMap { Double($0.prefix { $0 != " " }) }
        // No sooner: how much later is the machine's matter.
        #expect(try #require(time) >= 300)
    }
}
