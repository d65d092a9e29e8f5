import Addressing
import Foundation
import LinuxSystem
import Netlink
import Rtnetlink
import SystemPackage
import Testing
import TestSupport

@Suite("links, with ip -j -d as the oracle")
struct LinkTests {
    @Test func `one request makes a veth pair across two namespaces, up, sized, addressed and on a bridge`() throws {
        let host = try NetworkNamespaceFixture()
        let guest = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let bridge = try route.add(NewLink("br0", .bridge(.init()), mtu: 1400, up: true))
        let hostMAC = try #require(MACAddress("02:00:00:00:00:01"))
        let guestMAC = try #require(MACAddress("02:00:0a:58:00:02"))
        let peer = NewLink.Peer(
            "eth0", mtu: 1400, address: guestMAC, namespaceDescriptor: guest.descriptor, queues: 1)
        let veth = try route.add(
            NewLink(
                "veth0", .veth(peer: peer), mtu: 1400, address: hostMAC, master: bridge.index, up: true,
                alias: "swnet lab0 web", alternativeNames: ["the-web-server-of-the-first-lab"], hairpin: true, queues: 1
            ))
        var inner = try Rtnetlink(in: guest.namespace)
        try inner.set(.index(try #require(veth.peer)), LinkSettings(up: true))

        let seen = try #require(try host.ip("link", "show", "dev", "veth0").first)
        #expect(seen["ifindex"] as? Int == Int(veth.index))
        #expect(seen["master"] as? String == "br0")
        #expect(seen["mtu"] as? Int == 1400)
        #expect(seen["address"] as? String == "02:00:00:00:00:01")
        #expect(seen["ifalias"] as? String == "swnet lab0 web")
        #expect(seen["altnames"] as? [String] == ["the-web-server-of-the-first-lab"])
        #expect(seen["operstate"] as? String == "UP")
        #expect(seen["link_index"] as? Int == veth.peer.map(Int.init))
        #expect(seen["link_netnsid"] as? Int == veth.peerNamespace.map(Int.init))
        let port = (seen["linkinfo"] as? [String: Any])?["info_slave_data"] as? [String: Any]
        #expect(port?["hairpin"] as? Bool == true)

        let inside = try #require(try guest.ip("link", "show", "dev", "eth0").first)
        #expect(inside["ifindex"] as? Int == veth.peer.map(Int.init))
        #expect(inside["mtu"] as? Int == 1400)
        #expect(inside["address"] as? String == "02:00:0a:58:00:02")
        #expect((inside["flags"] as? [String])?.contains("UP") == true)

        #expect(veth.kind == "veth" && veth.master == bridge.index && veth.isUp && veth.hairpin == true)
        let again = try route.link(named: "the-web-server-of-the-first-lab")
        #expect(again?.index == veth.index && again?.alias == "swnet lab0 web" && again?.hairpin == true)
        #expect(again?.operationalState == .up && again?.flags.contains(.lowerUp) == true)
        #expect(again?.alternativeNames == ["the-web-server-of-the-first-lab"])
    }

    @Test func `a bridge has the settings that were asked for`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let settings = NewLink.Bridge(stp: true, forwardDelay: 400, ageingTime: 6000, multicastSnooping: false)
        let made = try route.add(NewLink("br0", .bridge(settings), alias: "a bridge"))
        #expect(made.kind == "bridge" && !made.isUp && made.alias == "a bridge" && made.hairpin == nil)
        let seen = try #require(try host.ip("link", "show", "dev", "br0").first)
        let data = (seen["linkinfo"] as? [String: Any])?["info_data"] as? [String: Any]
        #expect(data?["stp_state"] as? Int == 1)
        #expect(data?["forward_delay"] as? Int == 400)
        #expect(data?["ageing_time"] as? Int == 6000)
        #expect(data?["mcast_snooping"] as? Int == 0)
        #expect(seen["ifalias"] as? String == "a bridge")
    }

    @Test func `what ip makes is read as ip tells it`() throws {
        let host = try NetworkNamespaceFixture()
        try host.must("ip", "link", "add", "br0", "type", "bridge")
        try host.must("ip", "link", "add", "aa", "mtu", "1300", "type", "veth", "peer", "name", "bb")
        try host.must("ip", "link", "set", "aa", "master", "br0", "up", "alias", "some text")
        try host.must("ip", "link", "property", "add", "dev", "aa", "altname", "alpha", "altname", "aleph")
        var route = try Rtnetlink(in: host.namespace)
        // The kernel's worker has to see that the peer is down.
        for _ in 0..<6000 where try route.link(named: "aa")?.operationalState != .lowerLayerDown { usleep(10_000) }
        let links = try route.links()
        #expect(Set(links.map(\.name)) == ["lo", "br0", "aa", "bb"])
        for link in links {
            let seen = try #require(try host.ip("link", "show", "dev", link.name).first)
            #expect(seen["ifindex"] as? Int == Int(link.index))
            #expect(seen["mtu"] as? Int == Int(link.mtu))
            #expect(seen["address"] as? String == link.address?.description)
            #expect((seen["flags"] as? [String])?.contains("UP") == link.isUp)
            #expect(seen["ifalias"] as? String == link.alias)
            #expect(seen["altnames"] as? [String] ?? [] == link.alternativeNames)
            #expect((seen["linkinfo"] as? [String: Any])?["info_kind"] as? String == link.kind)
            #expect((seen["operstate"] as? String)?.lowercased() == "\(link.operationalState)".lowercased())
        }
        let byName = Dictionary(uniqueKeysWithValues: links.map { ($0.name, $0) })
        #expect(byName["aa"]?.master == byName["br0"]?.index)
        #expect(byName["aa"]?.peer == byName["bb"]?.index && byName["bb"]?.peer == byName["aa"]?.index)
        #expect(byName["aa"]?.peerNamespace == nil)
        #expect(byName["lo"]?.flags.contains(.loopback) == true && byName["lo"]?.hardwareType == 772)
        #expect(try route.link(named: "aleph") == byName["aa"])
        #expect(try route.link(index: 1) == byName["lo"])
    }

    @Test func `settings change one thing each and leave the rest`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let bridge = try route.add(NewLink("br0", .bridge(.init())))
        let a = try route.add(NewLink("a", .veth(peer: .init("b")), alias: "old"))
        let mac = try #require(MACAddress("02:00:00:00:00:09"))
        try route.set(.name("a"), LinkSettings(mtu: 1280))
        try route.set(.name("a"), LinkSettings(address: mac))
        try route.set(.name("a"), LinkSettings(master: bridge.index))
        try route.set(.name("a"), LinkSettings(hairpin: true))
        // Before Linux 6.2 a link that is up keeps its name.
        try route.set(.name("a"), LinkSettings(name: "c"))
        try route.set(.name("c"), LinkSettings(up: true))
        var seen = try #require(try host.ip("link", "show", "dev", "c").first)
        #expect(seen["mtu"] as? Int == 1280)
        #expect(seen["address"] as? String == "02:00:00:00:00:09")
        #expect(seen["master"] as? String == "br0")
        #expect(seen["ifalias"] as? String == "old")
        #expect(seen["ifindex"] as? Int == Int(a.index))
        #expect((seen["flags"] as? [String])?.contains("UP") == true)
        try route.apply([
            .set(.index(a.index), LinkSettings(up: false, alias: "", hairpin: false)),
            .set(.index(a.index), LinkSettings(master: 0)),
        ])
        seen = try #require(try host.ip("link", "show", "dev", "c").first)
        #expect(seen["master"] == nil && seen["ifalias"] == nil)
        #expect((seen["flags"] as? [String])?.contains("UP") == false)
    }

    @Test func `a link moves to another namespace under a new name, and comes with its peer when deleted`() throws {
        let host = try NetworkNamespaceFixture()
        let guest = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let a = try route.add(NewLink("a", .veth(peer: .init("b"))))
        try route.set(
            .name("b"), LinkSettings(up: true, name: "eth0", namespaceDescriptor: guest.descriptor))
        #expect(try route.link(named: "b") == nil)
        #expect(try guest.ip("link", "show", "dev", "eth0").count == 1)
        try route.delete(.index(a.index))
        #expect(try guest.ip("link", "show").compactMap { $0["ifname"] as? String } == ["lo"])
    }

    @Test func `alternative names come and go`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let long = String(repeating: "n", count: 127)
        try route.add(NewLink("a", .veth(peer: .init("b")), alternativeNames: [long, "other"]))
        #expect(try route.link(named: long)?.name == "a")
        try route.apply(.deleteAlternativeNames(["other"], from: .name(long)))
        #expect(try host.ip("link", "show", "dev", "a").first?["altnames"] as? [String] == [long])
        let longer = String(repeating: "n", count: 128)
        expectRefusal(.outOfRange, naming: longer) {
            try route.apply(.addAlternativeNames([longer], to: .name("a")))
        }
        expectRefusal(.fileExists, naming: "a") { try route.apply(.addAlternativeNames(["b"], to: .name("a"))) }
    }

    @Test func `a list longer than one answer is whole`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        try route.apply((0..<60).map { .add(NewLink("a\($0)", .veth(peer: .init("b\($0)")), queues: 1)) })
        let names = Set(try route.links().map(\.name))
        #expect(names.count == 121)
        #expect(names == Set(try host.ip("link", "show").compactMap { $0["ifname"] as? String }))
    }

    @Test func `a socket stays in the namespace in which it was opened`() throws {
        let host = try NetworkNamespaceFixture()
        let guest = try NetworkNamespaceFixture()
        var route = try guest.enter { try Rtnetlink() }
        try host.enter { _ = try route.add(NewLink("br0", .bridge(.init()))) }
        #expect(try guest.ip("link", "show", "dev", "br0").count == 1)
        #expect(try host.ip("link", "show").count == 1)
    }

    @Test func `a link with more names than one page of memory holds is read whole`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let names = (0..<400).map { String(repeating: "x", count: 120) + "\($0)" }
        for start in stride(from: 0, to: names.count, by: 100) {
            try route.apply(.addAlternativeNames(Array(names[start..<start + 100]), to: .index(1)))
        }
        #expect(try route.link(index: 1)?.alternativeNames == names)
        #expect(try route.links().first?.alternativeNames == names)
    }
}
