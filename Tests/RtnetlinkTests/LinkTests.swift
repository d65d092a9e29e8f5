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
                alias: "swnet lab0 web", alternativeNames: ["the-web-server-of-the-first-lab"], hairpin: true, queues: 1))
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
}
