import Addressing
import Foundation
import Netlink
import Rtnetlink
import SystemPackage
import Testing
import TestSupport

@Suite("addresses, with ip -j -d as the oracle")
struct AddressTests {
    @Test func `addresses of both families come and go with scope, label, broadcast and flags`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let link = try route.add(NewLink("eth0", .veth(peer: .init("b")), up: true)).index
        let v4 = InterfaceAddress(
            try #require(IPPrefix("10.1.0.5/24")), link: link, broadcast: IPv4Address("10.1.0.255"), scope: .link,
            label: "eth0:web")
        let v6 = InterfaceAddress(try #require(IPPrefix("fd00:1::5/64")), link: link, flags: .noDuplicateDetection)
        try route.apply([.addAddress(v4), .addAddress(v6)])

        let seen = try host.ip("address", "show", "dev", "eth0").first?["addr_info"] as? [[String: Any]] ?? []
        let first = try #require(seen.first { $0["local"] as? String == "10.1.0.5" })
        #expect(first["prefixlen"] as? Int == 24)
        #expect(first["scope"] as? String == "link")
        #expect(first["label"] as? String == "eth0:web")
        #expect(first["broadcast"] as? String == "10.1.0.255")
        let second = try #require(seen.first { $0["local"] as? String == "fd00:1::5" })
        #expect(second["nodad"] as? Bool == true && second["prefixlen"] as? Int == 64)
        #expect(second["tentative"] == nil)

        let mine = try route.addresses(link: link)
        let read = try #require(mine.first { $0.prefix == v4.prefix })
        #expect(read.label == "eth0:web" && read.broadcast == v4.broadcast && read.scope == .link && read.peer == nil)
        #expect(read.flags.contains(.permanent))
        #expect(mine.first { $0.prefix == v6.prefix }?.flags.contains(.noDuplicateDetection) == true)
        #expect(try route.addresses(family: .v4, link: link).map(\.prefix) == [v4.prefix])
        #expect(try route.addresses(family: .v6).allSatisfy { $0.family == .v6 })

        try route.deleteAddress(v4)
        try route.deleteAddress(v6)
        let left = try host.ip("address", "show", "dev", "eth0").first?["addr_info"] as? [[String: Any]] ?? []
        #expect(!left.contains { ["10.1.0.5", "fd00:1::5"].contains($0["local"] as? String) })
    }

    @Test func `what ip adds is read as ip tells it, a peer included`() throws {
        let host = try NetworkNamespaceFixture()
        try host.must("ip", "link", "add", "aa", "type", "veth", "peer", "name", "bb")
        try host.must("ip", "address", "add", "10.0.0.1", "peer", "10.0.0.2/32", "dev", "aa")
        try host.must("ip", "address", "add", "10.0.1.1/24", "brd", "+", "dev", "aa", "noprefixroute")
        try host.must("ip", "address", "add", "10.0.1.2/24", "dev", "aa")
        var route = try Rtnetlink(in: host.namespace)
        let addresses = try route.addresses(family: .v4)
        let pointToPoint = addresses.first { $0.prefix.address == IPAddress("10.0.0.1") }
        #expect(pointToPoint?.peer == IPAddress("10.0.0.2") && pointToPoint?.prefix.length == 32)
        let plain = addresses.first { $0.prefix == IPPrefix("10.0.1.1/24") }
        #expect(plain?.broadcast == IPv4Address("10.0.1.255") && plain?.flags.contains(.noPrefixRoute) == true)
        #expect(addresses.first { $0.prefix == IPPrefix("10.0.1.2/24") }?.flags.contains(.secondary) == true)
    }

    @Test func `an address taken, missing or on no link is refused and named`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        for text in ["10.1.0.5/24", "fd00:1::5/64"] {
            let prefix = try #require(IPPrefix(text))
            let address = InterfaceAddress(prefix, link: 1)
            try route.addAddress(address)
            expectRefusal(.fileExists, naming: "add address \(text)") { try route.addAddress(address) }
            try route.apply(.replaceAddress(address))
            try route.deleteAddress(address)
            expectRefusal(.addressNotAvailable, naming: "delete address \(text)") {
                try route.deleteAddress(address)
            }
            expectRefusal(Errno(rawValue: ENODEV), naming: text) {
                try route.addAddress(InterfaceAddress(prefix, link: 4711))
            }
        }
        expectRefusal(.outOfRange, naming: "10.1.0.5") {
            let prefix = try #require(IPPrefix("10.1.0.5/24"))
            try route.addAddress(InterfaceAddress(prefix, link: 1, label: "lo:longer-than-fifteen"))
        }
    }
}
