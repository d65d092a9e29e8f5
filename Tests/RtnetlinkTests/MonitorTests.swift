import Addressing
import CLinux
import Foundation
import Netlink
import Rtnetlink
import SystemPackage
import Testing
import TestSupport

@Suite("events, with ip monitor and the kernel's lists as oracles")
struct MonitorTests {
    /// Everything that is there; the kernel tells before its answer to who made the change.
    private func drain(_ monitor: borrowing RtnetlinkMonitor) throws -> [RtnetlinkEvent] {
        var events: [RtnetlinkEvent] = []
        while true {
            let more = try monitor.next()
            if more.isEmpty { return events }
            events += more
        }
    }

    /// Waits for the descriptor, as a program that watches does.
    private func isReadable(_ descriptor: Int32, milliseconds: Int32) -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, milliseconds) == 1
    }

    @Test func `what ip changes is told with what it is then`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let monitor = try RtnetlinkMonitor(in: host.namespace)
        #expect(!isReadable(monitor.pollDescriptor, milliseconds: 0))
        #expect(try drain(monitor).isEmpty)

        try host.must("ip", "link", "add", "br0", "type", "bridge")
        #expect(isReadable(monitor.pollDescriptor, milliseconds: 60_000))
        let bridge = try #require(try route.link(named: "br0"))
        #expect(try drain(monitor).contains(.changed(.link(bridge))))

        try host.must("ip", "link", "set", "br0", "up")
        try host.must("ip", "address", "add", "10.0.0.1/24", "dev", "br0")
        let up = try #require(try route.link(named: "br0"))
        let address = try #require(try route.addresses(link: up.index).first { $0.family == .v4 })
        var events = try drain(monitor)
        #expect(
            events.contains {
                if case .changed(.link(let link)) = $0 { link.isUp && link.name == "br0" } else { false }
            })
        #expect(events.contains(.changed(.address(address))))
        #expect(
            events.contains {
                if case .changed(.route(let route)) = $0 { route.destination == IPPrefix("10.0.0.0/24") } else { false }
            })

        try host.must("ip", "route", "add", "192.0.2.0/24", "via", "10.0.0.9")
        try host.must("ip", "neighbour", "add", "10.0.0.9", "lladdr", "02:00:00:00:00:09", "dev", "br0")
        try host.must("ip", "rule", "add", "from", "10.0.0.0/8", "table", "99", "priority", "77")
        try host.must("tc", "qdisc", "add", "dev", "br0", "root", "handle", "1:", "pfifo", "limit", "77")
        let way = try #require(try route.routes(family: .v4).first { $0.gateway == IPAddress("10.0.0.9") })
        let neighbour = try #require(try route.neighbours(family: .v4).first { $0.address == way.gateway })
        let rule = try #require(try route.rules().first { $0.priority == 77 })
        let queue = Qdisc(.pfifo(limit: 77), link: up.index, handle: TrafficHandle(1))
        events = try drain(monitor)
        for object: RtnetlinkEvent.Object in [.route(way), .neighbour(neighbour), .rule(rule)] {
            #expect(events.contains(.changed(object)), "\(object)")
        }
        #expect(events.contains { if case .changed(.qdisc(let seen)) = $0 { seen.kind == queue.kind } else { false } })
        try host.must("tc", "qdisc", "add", "dev", "br0", "clsact")
        try host.must("sh", "-c", "tc filter add dev br0 egress pref 7 u32 match u32 0 0 flowid 1:1")
        #expect(try drain(monitor).contains(.changed(.filters(up.index))))
        try host.must("sh", "-c", "tc filter delete dev br0 egress pref 7")
        #expect(try drain(monitor).contains(.deleted(.filters(up.index))))

        try host.must("ip", "rule", "delete", "priority", "77")
        try host.must("ip", "neighbour", "delete", "10.0.0.9", "dev", "br0")
        try host.must("ip", "route", "delete", "192.0.2.0/24")
        try host.must("tc", "qdisc", "delete", "dev", "br0", "root")
        try host.must("ip", "address", "delete", "10.0.0.1/24", "dev", "br0")
        try host.must("ip", "link", "delete", "br0")
        events = try drain(monitor)
        for object: RtnetlinkEvent.Object in [.rule(rule), .route(way), .address(address)] {
            #expect(events.contains(.deleted(object)), "\(object)")
        }
        #expect(events.contains { if case .deleted(.qdisc(let seen)) = $0 { seen.kind == queue.kind } else { false } })
        #expect(
            events.contains {
                if case .deleted(.link(let link)) = $0 {
                    link.index == up.index && link.kind == "bridge"
                } else {
                    false
                }
            })
    }

    @Test func `a port that leaves its bridge is no deleted link, and its entries are told`() throws {
        let host = try NetworkNamespaceFixture()
        let monitor = try RtnetlinkMonitor([.links, .neighbours], in: host.namespace)
        try host.must("ip", "link", "add", "br0", "type", "bridge")
        try host.must("ip", "link", "add", "aa", "master", "br0", "type", "veth", "peer", "name", "bb")
        try host.must("bridge", "fdb", "add", "02:00:00:00:00:09", "dev", "aa", "master", "static")
        var events = try drain(monitor)
        let mac = try #require(MACAddress("02:00:00:00:00:09"))
        #expect(
            events.contains {
                if case .changed(.forwarding(let entry)) = $0 {
                    entry.address == mac && entry.owner == .bridge
                } else {
                    false
                }
            })
        try host.must("ip", "link", "set", "aa", "nomaster")
        events = try drain(monitor)
        #expect(!events.contains { if case .deleted(.link) = $0 { true } else { false } })
        #expect(
            events.contains { if case .deleted(.forwarding(let entry)) = $0 { entry.address == mac } else { false } })
        #expect(
            events.contains {
                if case .changed(.link(let link)) = $0 { link.name == "aa" && link.master == nil } else { false }
            })
    }

    @Test func `every event is one that ip monitor prints`() async throws {
        let host = try NetworkNamespaceFixture()
        let monitor = try RtnetlinkMonitor([.links, .addresses, .routes, .rules], in: host.namespace)
        let oracle = try Command(
            ["nsenter", "--net=\(host.path)", "ip", "-o", "monitor", "label", "link", "address", "route", "rule"])
        // It has begun to listen when it tells of a change.
        let listening = try await eventually {
            _ = try host.run(["ip", "rule", "add", "table", "5", "priority", "5"])
            _ = try host.run(["ip", "rule", "delete", "priority", "5"])
            return oracle.outputSoFar.contains("[RULE]")
        }
        #expect(listening)
        try host.must("ip", "link", "add", "aa", "type", "veth", "peer", "name", "bb")
        try host.must("ip", "address", "add", "10.0.0.1/24", "dev", "aa")
        try host.must("ip", "link", "set", "aa", "up")
        try host.must("ip", "route", "add", "blackhole", "192.0.2.0/24")
        try host.must("ip", "route", "delete", "192.0.2.0/24")
        try host.must("ip", "address", "delete", "10.0.0.1/24", "dev", "aa")
        try host.must("ip", "link", "delete", "aa")
        try host.must("ip", "rule", "add", "table", "4711", "priority", "4711")
        try await oracle.waitForOutput("4711")
        await oracle.stop()
        let lines = oracle.outputSoFar.split(separator: "\n")
        var events = try drain(monitor)
        // Before it listened, only rules changed.
        for label in ["LINK", "ADDR", "ROUTE"] {
            let theirs = lines.filter { $0.contains("[\(label)]") }.map { $0.contains("Deleted") }
            let mine = events.filter { Self.label($0) == label }
                .map { if case .deleted = $0 { true } else { false } }
            #expect(theirs == mine && !mine.isEmpty, "\(label): \(theirs) \(mine)")
        }
        events = events.filter { Self.label($0) == nil }
        #expect(events.isEmpty, "\(events)")
    }

    private static func label(_ event: RtnetlinkEvent) -> String? {
        switch event {
        case .changed(let object), .deleted(let object):
            switch object {
            case .link: "LINK"
            case .address: "ADDR"
            case .route: "ROUTE"
            case .rule: "RULE"
            default: nil
            }
        case .resyncNeeded: nil
        }
    }

    @Test func `lost events are told, and what comes later is heard`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let monitor = try RtnetlinkMonitor(.addresses, in: host.namespace, receiveBuffer: 4096)
        let addresses = try (0..<500).map { number in
            InterfaceAddress(try #require(IPPrefix("10.\(number / 250).\(number % 250).1/24")), link: 1)
        }
        try route.apply(addresses.map { .addAddress($0) })
        let events = try drain(monitor)
        #expect(events.filter { $0 == .resyncNeeded }.count == 1 && events.count < 500)
        try route.deleteAddress(addresses[0])
        #expect(
            try drain(monitor).contains {
                if case .deleted(.address(let address)) = $0 { address.prefix == addresses[0].prefix } else { false }
            })
    }

    @Test func `a topic that was not asked for is not told`() throws {
        let host = try NetworkNamespaceFixture()
        let monitor = try RtnetlinkMonitor(.rules, in: host.namespace)
        try host.must("ip", "link", "add", "br0", "type", "bridge")
        try host.must("ip", "address", "add", "10.0.0.1/24", "dev", "br0")
        #expect(try drain(monitor).isEmpty)
        let other = try NetworkNamespaceFixture()
        try other.must("ip", "rule", "add", "table", "5")
        #expect(try drain(monitor).isEmpty)
    }
}
