import Addressing
import Foundation
import Netlink
import Rtnetlink
import SystemPackage
import Testing
import TestSupport

@Suite("forwarding tables, with bridge -j as the oracle")
struct ForwardingTests {
    private func fdb(_ host: borrowing NetworkNamespaceFixture, _ words: String...) throws -> [[String: Any]] {
        let output = try host.run(["bridge", "-j", "fdb", "show"] + words).output
        return try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [[String: Any]] ?? []
    }

    @Test func `the peers of a vxlan are appended, listed and deleted one by one`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let eth0 = try route.add(NewLink("eth0", .veth(peer: .init("other")), up: true)).index
        let vxlan = try route.add(NewLink("vx0", .vxlan(.init(vni: 7, learning: false)), up: true)).index
        let everybody = try #require(MACAddress("00:00:00:00:00:00"))
        let somebody = try #require(MACAddress("02:00:00:00:00:05"))
        let peers = try ["192.0.2.2", "192.0.2.3", "192.0.2.4"].map { try #require(IPAddress($0)) }
        try route.apply(peers.map { .appendForwarding(ForwardingEntry(everybody, link: vxlan, destination: $0)) })
        let special = ForwardingEntry(
            somebody, link: vxlan, destination: peers[0], port: 4790, vni: 99, via: eth0)
        try route.apply(.addForwarding(special))

        let seen = try fdb(host, "dev", "vx0")
        let all = seen.filter { $0["mac"] as? String == "00:00:00:00:00:00" }
        #expect(Set(all.compactMap { $0["dst"] as? String }) == Set(peers.map(\.description)))
        #expect(all.allSatisfy { $0["state"] as? String == "permanent" && $0["flags"] as? [String] == ["self"] })
        let one = try #require(seen.first { $0["mac"] as? String == somebody.description })
        #expect(one["dst"] as? String == "192.0.2.2" && one["port"] as? Int == 4790 && one["vni"] as? Int == 99)
        #expect(one["viaIf"] as? String == "eth0")

        let mine = try route.forwardingEntries(link: vxlan)
        #expect(Set(mine.filter { $0.address == everybody }.map(\.destination)) == Set(peers))
        let read = try #require(mine.first { $0.address == somebody })
        #expect(read.destination == peers[0] && read.port == 4790 && read.vni == 99 && read.via == eth0)
        #expect(read.owner == .link && read.state.contains(.permanent))

        expectRefusal(.fileExists, naming: "add forwarding entry 02:00:00:00:00:05 dst 192.0.2.2") {
            try route.apply(.addForwarding(special))
        }
        try route.apply(.deleteForwarding(ForwardingEntry(everybody, link: vxlan, destination: peers[1])))
        #expect(try fdb(host, "dev", "vx0").count == 3)
        #expect(Set(try route.forwardingEntries(link: vxlan).map(\.destination)) == [peers[0], peers[2]])
        try route.apply(.deleteForwarding(special))
        expectRefusal(.noSuchFileOrDirectory, naming: "delete forwarding entry 02:00:00:00:00:05 dst 192.0.2.2") {
            try route.apply(.deleteForwarding(special))
        }
    }

    @Test func `a bridge's entries are listed by bridge and by port`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let first = try route.add(NewLink("br0", .bridge(.init()), up: true)).index
        let second = try route.add(NewLink("br1", .bridge(.init()), up: true)).index
        let a = try route.add(NewLink("a", .veth(peer: .init("b")), master: first, up: true)).index
        let c = try route.add(NewLink("c", .veth(peer: .init("d")), master: second, up: true)).index
        let mac = try #require(MACAddress("02:00:00:00:00:09"))
        try route.apply(.addForwarding(ForwardingEntry(mac, link: a, owner: .bridge, state: .noARP)))
        let seen = try #require(try fdb(host, "br", "br0").first { $0["mac"] as? String == mac.description })
        #expect(seen["ifname"] as? String == "a" && seen["state"] as? String == "static")
        let found = try route.forwardingEntries(bridge: first)
        #expect(found.contains { $0.address == mac && $0.link == a && $0.owner == .bridge && $0.bridge == first })
        #expect(!found.contains { $0.link == c })
        #expect(try route.forwardingEntries(link: c).allSatisfy { $0.link == c })
        #expect(try route.forwardingEntries(bridge: second).contains { $0.link == c })
        #expect(Set(try route.forwardingEntries().map(\.link)).isSuperset(of: [a, c]))
        try route.apply(.deleteForwarding(ForwardingEntry(mac, link: a, owner: .bridge)))
        #expect(try fdb(host, "br", "br0").allSatisfy { $0["mac"] as? String != mac.description })
    }

    @Test func `entries that cannot be are refused`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let vxlan = try route.add(NewLink("vx0", .vxlan(.init(vni: 7)), up: true)).index
        let mac = try #require(MACAddress("02:00:00:00:00:05")), group = try #require(MACAddress("01:00:5e:00:00:05"))
        let peer = try #require(IPAddress("192.0.2.2"))
        func refuse(_ errno: Errno, _ words: String, _ entry: ForwardingEntry) -> NetlinkError? {
            expectRefusal(errno, naming: words) { try route.apply(.addForwarding(entry)) }
        }
        _ = refuse(
            .invalidArgument, "VNI 16777216", ForwardingEntry(mac, link: vxlan, destination: peer, vni: 1 << 24))
        _ = refuse(.invalidArgument, "0 is no UDP port", ForwardingEntry(mac, link: vxlan, destination: peer, port: 0))
        _ = refuse(.invalidArgument, "in no table", ForwardingEntry(mac, link: vxlan, owner: [], destination: peer))
        _ = refuse(Errno(rawValue: ENODEV), "\(mac)", ForwardingEntry(mac, link: 4711, destination: peer))
        let nobody = refuse(.invalidArgument, "\(mac)", ForwardingEntry(mac, link: vxlan))
        #expect(nobody != nil)
        #expect(throws: NetlinkError.self) {
            try route.apply(.addForwarding(ForwardingEntry(group, link: vxlan, owner: .bridge)))
        }
        #expect(try route.forwardingEntries(link: vxlan).isEmpty)
    }

    @Test func `neighbours are listed by the bridge that their link is`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let bridge = try route.add(NewLink("br0", .bridge(.init()), up: true)).index
        let a = try route.add(NewLink("a", .veth(peer: .init("b")), master: bridge, up: true)).index
        let mac = try #require(MACAddress("02:00:00:00:00:09"))
        let first = try #require(IPAddress("10.0.0.9")), second = try #require(IPAddress("10.0.0.10"))
        try route.addNeighbour(Neighbour(first, link: bridge, linkAddress: mac))
        try route.addNeighbour(Neighbour(second, link: a, linkAddress: mac))
        // The kernel itself makes entries for the groups that it has to tell about.
        func known(_ found: [Neighbour]) -> [IPAddress] { found.filter { $0.state == .permanent }.map(\.address) }
        #expect(known(try route.neighbours(family: .v4, link: bridge)) == [first])
        #expect(known(try route.neighbours(family: .v4, master: bridge)) == [second])
    }
}
