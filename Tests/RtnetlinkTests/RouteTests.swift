import Addressing
import Foundation
import Netlink
import Rtnetlink
import SystemPackage
import Testing
import TestSupport

@Suite("routes, with ip -j -d as the oracle")
struct RouteTests {
    /// A namespace with `eth0` up, 10.1.0.5/24 and fd00:1::5/64; returns its index.
    private func prepare(_ host: borrowing NetworkNamespaceFixture, _ route: inout Rtnetlink) throws -> UInt32 {
        let link = try route.add(NewLink("eth0", .veth(peer: .init("b")), up: true)).index
        try route.apply([
            .set(.name("lo"), LinkSettings(up: true)), .set(.name("b"), LinkSettings(up: true)),
            .addAddress(InterfaceAddress(try #require(IPPrefix("10.1.0.5/24")), link: link)),
            .addAddress(
                InterfaceAddress(
                    try #require(IPPrefix("fd00:1::5/64")), link: link, flags: .noDuplicateDetection)),
        ])
        return link
    }

    @Test func `default routes, on-link gateways, sources, metrics, tables and refusing routes`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let link = try prepare(host, &route)
        let gateway = try #require(IPAddress("10.1.0.1")), gateway6 = try #require(IPAddress("fd00:1::1"))
        let source = try #require(IPAddress("10.1.0.5")), far = try #require(IPAddress("192.0.2.1"))
        try route.apply([
            .addRoute(Route(defaultVia: gateway, link: link)),
            .addRoute(Route(defaultVia: gateway6, link: link, metric: 77)),
            .addRoute(Route(to: try #require(IPPrefix("10.2.0.0/16")), via: far, link: link, isOnLink: true)),
            .addRoute(
                Route(to: try #require(IPPrefix("10.3.0.0/16")), link: link, source: source, metric: 5, mtu: 1300)),
            .addRoute(Route(to: try #require(IPPrefix("10.4.0.0/16")), via: gateway, table: 1000)),
            .addRoute(Route(to: try #require(IPPrefix("10.5.0.0/16")), kind: .blackhole)),
            .addRoute(Route(to: try #require(IPPrefix("10.6.0.0/16")), kind: .unreachable)),
            .addRoute(Route(to: try #require(IPPrefix("10.7.0.0/16")), kind: .prohibit)),
            .addRoute(Route(to: try #require(IPPrefix("fd00:5::/64")), kind: .unreachable)),
            .addRoute(Route(to: try #require(IPPrefix("10.8.0.0/16")), via: gateway6, link: link)),
        ])
        let seen = try host.ip("route", "show", "table", "all") + host.ip("-6", "route", "show", "table", "all")
        func find(_ destination: String, _ gateway: String? = nil) throws -> [String: Any] {
            try #require(
                seen.first {
                    $0["dst"] as? String == destination && (gateway == nil || $0["gateway"] as? String == gateway)
                })
        }
        #expect(try find("default", "10.1.0.1")["dev"] as? String == "eth0")
        #expect(try find("default", "fd00:1::1")["metric"] as? Int == 77)
        #expect(try find("10.2.0.0/16", "192.0.2.1")["flags"] as? [String] == ["onlink"])
        let third = try find("10.3.0.0/16")
        #expect(third["prefsrc"] as? String == "10.1.0.5" && third["metric"] as? Int == 5)
        #expect(third["scope"] as? String == "link")
        #expect(((third["metrics"] as? [[String: Any]])?.first)?["mtu"] as? Int == 1300)
        #expect(try find("10.4.0.0/16")["table"] as? String == "1000")
        for (destination, kind) in [
            "10.5.0.0/16": "blackhole", "10.6.0.0/16": "unreachable", "10.7.0.0/16": "prohibit",
        ] {
            #expect(try find(destination)["type"] as? String == kind)
        }
        #expect((try find("10.8.0.0/16")["via"] as? [String: Any])?["host"] as? String == "fd00:1::1")

        let mine = try route.routes(family: .v4)
        #expect(mine.contains { $0.isDefault && $0.gateway == gateway && $0.link == link })
        let fourth = try route.routes(table: 1000)
        #expect(fourth.map { $0.destination.description } == ["10.4.0.0/16"] && fourth.first?.table == 1000)
        #expect(try route.routes(table: 4711).isEmpty)
        #expect(mine.first { $0.destination == IPPrefix("10.2.0.0/16") }?.isOnLink == true)
        let read = try #require(mine.first { $0.destination == IPPrefix("10.3.0.0/16") })
        #expect(read.mtu == 1300 && read.metric == 5 && read.source == source && read.scope == .link)
        #expect(mine.first { $0.destination == IPPrefix("10.7.0.0/16") }?.kind == .prohibit)
        #expect(mine.first { $0.destination == IPPrefix("10.8.0.0/16") }?.gateway == gateway6)
        #expect(try route.routes(family: .v6).contains { $0.isDefault && $0.metric == 77 })

        // Deleted by what tells them apart, and nothing else goes.
        let before = try route.routes().count
        try route.apply([
            .deleteRoute(Route(defaultVia: gateway)), .deleteRoute(Route(defaultVia: gateway6)),
            .deleteRoute(Route(to: try #require(IPPrefix("10.7.0.0/16")), kind: .prohibit)),
            .deleteRoute(Route(to: try #require(IPPrefix("10.4.0.0/16")), table: 1000)),
        ])
        #expect(try route.routes().count == before - 4)
        #expect(try host.ip("route", "show", "default").isEmpty)
    }

    @Test func `the route that a packet would take is found`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let link = try prepare(host, &route)
        let target = try #require(IPAddress("10.9.9.9"))
        expectRefusal(.networkUnreachable, naming: "10.9.9.9") { _ = try route.route(to: target) }
        try route.addRoute(Route(defaultVia: try #require(IPAddress("10.1.0.1"))))
        let found = try route.route(to: target)
        #expect(found.gateway == IPAddress("10.1.0.1") && found.link == link && found.source == IPAddress("10.1.0.5"))
        let found6 = try route.route(to: try #require(IPAddress("fd00:1::77")))
        #expect(found6.gateway == nil && found6.link == link)
        #expect(try route.route(to: try #require(IPAddress("127.0.0.1"))).kind == .local)
    }

    @Test func `the route that somebody else's packet would take is found, or what is against it`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let link = try prepare(host, &route)
        try route.addRoute(Route(defaultVia: try #require(IPAddress("10.1.0.1"))))
        let (target, source) = (try #require(IPAddress("10.9.9.9")), try #require(IPAddress("10.1.0.77")))
        let (target6, source6) = (try #require(IPAddress("fd00:1::9")), try #require(IPAddress("fd00:1::77")))
        try host.must("sysctl", "-qw", "net.ipv4.conf.eth0.forwarding=1")
        let found = try route.route(to: target, from: source, input: link)
        #expect(found.gateway == IPAddress("10.1.0.1") && found.link == link)
        #expect(try route.route(to: target6, from: source6, input: link).link == link)
        for (action, errno) in [
            ("blackhole", Errno.invalidArgument), ("unreachable", .networkUnreachable), ("prohibit", .permissionDenied),
        ] {
            try host.must("ip", "rule", "add", "from", "10.1.0.77", action)
            try host.must("ip", "-6", "rule", "add", "from", "fd00:1::77", action)
            expectRefusal(errno, naming: "from 10.1.0.77 to 10.9.9.9") {
                _ = try route.route(to: target, from: source, input: link)
            }
            expectRefusal(errno, naming: "from fd00:1::77 to fd00:1::9") {
                _ = try route.route(to: target6, from: source6, input: link)
            }
            // Nobody else is concerned.
            #expect(try route.route(to: target).link == link)
            try host.must("ip", "rule", "delete", "from", "10.1.0.77")
            try host.must("ip", "-6", "rule", "delete", "from", "fd00:1::77")
        }
        try host.must("sysctl", "-qw", "net.ipv4.conf.eth0.forwarding=0")
        expectRefusal(.noRouteToHost, naming: "10.9.9.9") {
            _ = try route.route(to: target, from: source, input: link)
        }
    }

    @Test func `several next hops are read, and refused when sent`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let link = try prepare(host, &route)
        try host.must(
            "ip", "route", "add", "10.9.0.0/16", "nexthop", "via", "10.1.0.1", "weight", "1", "nexthop", "via",
            "10.1.0.2", "weight", "3")
        let read = try #require(try route.routes(family: .v4).first { $0.destination == IPPrefix("10.9.0.0/16") })
        #expect(read.nextHops.map(\.weight) == [1, 3] && read.nextHops.map(\.link) == [link, link])
        #expect(read.nextHops.map { $0.gateway } == [IPAddress("10.1.0.1"), IPAddress("10.1.0.2")])
        expectRefusal(.notSupported, naming: "10.9.0.0/16") { try route.addRoute(read) }
    }

    @Test func `impossible routes are refused in the kernel's words`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let link = try prepare(host, &route)
        let far = try #require(IPAddress("192.0.2.1"))
        let unreachable = expectRefusal(.networkUnreachable, naming: "add route default via 192.0.2.1") {
            try route.addRoute(Route(defaultVia: far, link: link))
        }
        #expect(unreachable?.message?.contains("gateway") == true)
        let hostBits = expectRefusal(.invalidArgument, naming: "10.2.0.9/16") {
            try route.addRoute(Route(to: try #require(IPPrefix("10.2.0.9/16")), link: link))
        }
        #expect(hostBits?.message?.isEmpty == false)
        let gateway = try #require(IPAddress("10.1.0.1"))
        try route.addRoute(Route(defaultVia: gateway))
        expectRefusal(.fileExists, naming: "default") { try route.addRoute(Route(defaultVia: gateway)) }
        try route.apply(.replaceRoute(Route(defaultVia: try #require(IPAddress("10.1.0.2")))))
        #expect(try host.ip("route", "show", "default").compactMap { $0["gateway"] as? String } == ["10.1.0.2"])
        expectRefusal(.noSuchProcess, naming: "10.77.0.0/16") {
            try route.deleteRoute(Route(to: try #require(IPPrefix("10.77.0.0/16"))))
        }
        expectRefusal(Errno(rawValue: ENODEV), naming: "10.2.0.0/16") {
            try route.addRoute(Route(to: try #require(IPPrefix("10.2.0.0/16")), link: 4711))
        }
    }
}
