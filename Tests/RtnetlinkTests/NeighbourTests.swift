import Addressing
import Foundation
import Netlink
import Rtnetlink
import SystemPackage
import Testing
import TestSupport

@Suite("neighbours, with ip -j -d as the oracle")
struct NeighbourTests {
    @Test func `neighbours are added, replaced, listed and deleted`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let link = try route.add(NewLink("eth0", .veth(peer: .init("b")), up: true)).index
        let other = try #require(try route.link(named: "b")).index
        try route.set(.name("b"), LinkSettings(up: true))
        let first = try #require(MACAddress("02:00:00:00:00:01")),
            second = try #require(MACAddress("02:00:00:00:00:02"))
        let v4 = try #require(IPAddress("10.1.0.9")), v6 = try #require(IPAddress("fd00:1::9"))
        try route.addNeighbour(Neighbour(v4, link: link, linkAddress: first))
        try route.addNeighbour(Neighbour(v6, link: link, linkAddress: first, state: .reachable, isRouter: true))
        expectRefusal(.fileExists, naming: "10.1.0.9") {
            try route.addNeighbour(Neighbour(v4, link: link, linkAddress: second))
        }
        try route.replaceNeighbour(Neighbour(v4, link: link, linkAddress: second))

        let seen = try host.ip("neighbour", "show", "dev", "eth0")
        let seen4 = try #require(seen.first { $0["dst"] as? String == "10.1.0.9" })
        #expect(seen4["lladdr"] as? String == "02:00:00:00:00:02" && seen4["state"] as? [String] == ["PERMANENT"])
        let seen6 = try #require(seen.first { $0["dst"] as? String == "fd00:1::9" })
        #expect(seen6.keys.contains("router"))

        let mine = try route.neighbours(link: link).filter { $0.state != .noARP }
        #expect(Set(mine.map(\.address)) == [v4, v6])
        #expect(mine.first { $0.address == v4 } == Neighbour(v4, link: link, linkAddress: second))
        #expect(mine.first { $0.address == v6 }?.isRouter == true)
        #expect(try route.neighbours(family: .v4).map(\.address) == [v4])
        #expect(try route.neighbours(link: other).allSatisfy { $0.link == other })

        try route.deleteNeighbour(Neighbour(v4, link: link))
        #expect(try route.neighbours(family: .v4).filter { $0.state != .failed }.isEmpty)
        expectRefusal(.noSuchFileOrDirectory, naming: "10.1.0.77") {
            try route.deleteNeighbour(Neighbour(try #require(IPAddress("10.1.0.77")), link: link))
        }
        expectRefusal(Errno(rawValue: ENODEV), naming: "10.1.0.9") {
            try route.addNeighbour(Neighbour(v4, link: 4711, linkAddress: first))
        }
    }

    @Test func `a proxy entry is listed among the proxies`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let address = try #require(IPAddress("10.1.0.9"))
        try route.addNeighbour(Neighbour(address, link: 1, isProxy: true))
        #expect(try host.ip("neighbour", "show", "proxy").first?["dst"] as? String == "10.1.0.9")
        #expect(try route.neighbours(proxies: true).map(\.address) == [address])
        #expect(try route.neighbours(proxies: true).first?.isProxy == true)
    }
}
