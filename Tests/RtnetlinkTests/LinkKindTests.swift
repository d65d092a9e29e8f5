import Addressing
import CLinux
import Foundation
import Netlink
@testable import Rtnetlink
import SystemPackage
import Testing
import TestSupport

@Suite("kinds of links, with ip -j -d as the oracle")
struct LinkKindTests {
    /// A namespace with a veth pair `eth0` and `other`, both up; returns the index of `eth0`.
    private func parent(_ route: inout Rtnetlink) throws -> UInt32 {
        let index = try route.add(NewLink("eth0", .veth(peer: .init("other")), up: true)).index
        try route.set(.name("other"), LinkSettings(up: true))
        return index
    }

    private func data(_ host: borrowing NetworkNamespaceFixture, _ name: String) throws -> [String: Any] {
        let seen = try #require(try host.ip("link", "show", "dev", name).first)
        let information = try #require(seen["linkinfo"] as? [String: Any])
        return information["info_data"] as? [String: Any] ?? [:]
    }

    @Test func `a macvlan of each mode is made in another namespace at once and read back`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let eth0 = try parent(&route)
        var number: UInt64 = 0x02_00_00_00_00_77
        for mode in NewLink.Macvlan.Mode.allCases where mode != .passthru {
            let guest = try NetworkNamespaceFixture()
            // Each another: the kernel takes a namespace's links away some time after it.
            number += 1
            let mac = try #require(MACAddress(rawValue: number))
            let made = try route.add(
                NewLink(
                    "lan0", .macvlan(.init(mode: mode), parent: eth0), mtu: 1400, address: mac, up: true,
                    namespaceDescriptor: guest.descriptor))
            #expect(made.kind == "macvlan" && made.details == .macvlan(.init(mode: mode)))
            #expect(made.peer == eth0 && made.mtu == 1400 && made.address == mac && made.isUp)
            let seen = try #require(try guest.ip("link", "show", "dev", "lan0").first)
            #expect(seen["ifindex"] as? Int == Int(made.index) && seen["link_index"] as? Int == Int(eth0))
            #expect(seen["mtu"] as? Int == 1400 && seen["address"] as? String == mac.description)
            #expect(try data(guest, "lan0")["mode"] as? String == mode.rawValue)
            var inner = try Rtnetlink(in: guest.namespace)
            let home = try inner.namespaceIdentifier(of: host.descriptor)
            let inside = try #require(try inner.link(named: "lan0"))
            #expect(inside.peerNamespace == home && seen["link_netnsid"] as? Int == Int(home))
            #expect(inside.details == made.details && inside.index == made.index && made.peerNamespace == nil)
            #expect(try route.link(named: "lan0") == nil)
        }
        let free = try route.add(NewLink("eth1", .veth(peer: .init("another")))).index
        let alone = try route.add(NewLink("pass0", .macvlan(.init(mode: .passthru), parent: free)))
        #expect(alone.details == .macvlan(.init(mode: .passthru)))
        #expect(try data(host, "pass0")["mode"] as? String == "passthru")
    }

    @Test func `whether there are links of a kind is asked without making one`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        for kind in ["bridge", "veth", "macvlan", "vxlan", "ifb"] {
            #expect(try route.canMakeLinks(of: kind), "\(kind)")
        }
        for kind in ["nosuch", "", "a/b", String(repeating: "k", count: 100)] {
            #expect((try? route.canMakeLinks(of: kind)) != true, "\(kind)")
        }
        #expect(try host.ip("link").count == 1)
        for kind in ["dummy", "ipvlan", "vlan"] {
            // The tool asks for one that lacks what it stands on, and dummy lacks nothing.
            let isThere = try route.canMakeLinks(of: kind)
            #expect(try host.ip("link").count == 1)
            let made = try? route.add(NewLink("probe", .other(kind)))
            #expect(kind != "dummy" || isThere == (made != nil))
            if let made { try route.delete(.index(made.index)) }
        }
    }

    @Test func `a macvlan's mode is changed while it exists, and its parent's is not touched`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let eth0 = try parent(&route)
        let made = try route.add(NewLink("lan0", .macvlan(.init(mode: .bridge), parent: eth0)))
        try route.set(.index(made.index), LinkSettings(kind: .macvlan(.init(mode: .private), parent: eth0)))
        #expect(try data(host, "lan0")["mode"] as? String == "private")
        // Passthru wants the parent for itself.
        let refusal = expectRefusal(.invalidArgument, naming: "create macvlan more") {
            try route.add(NewLink("more", .macvlan(.init(mode: .passthru), parent: eth0)))
        }
        #expect(refusal != nil)
        // A parent that is not there, and the loopback interface, which is none.
        expectRefusal(.noSuchDevice, naming: "there is no link with index 4711 to stand on") {
            try route.add(NewLink("more", .macvlan(.init(mode: .bridge), parent: 4711)))
        }
        // One that is a bridge's port.
        let bridge = try route.add(NewLink("br0", .bridge(.init()))).index
        let port = try route.add(NewLink("port", .veth(peer: .init("behind")), master: bridge)).index
        expectRefusal(.resourceBusy, naming: "the link with index \(port) is a bridge's port") {
            try route.add(NewLink("more", .macvlan(.init(mode: .bridge), parent: port)))
        }
        expectRefusal(.invalidArgument, naming: "create macvlan more") {
            try route.add(NewLink("more", .macvlan(.init(mode: .bridge), parent: 1)))
        }
        // A change of another kind than the link is.
        #expect(throws: NetlinkError.self) {
            try route.set(.index(made.index), LinkSettings(kind: .bridge(.init(stp: true))))
        }
    }

    @Test func `a name that is taken in the other namespace is refused, and its owner stays`() throws {
        let host = try NetworkNamespaceFixture()
        let guest = try NetworkNamespaceFixture()
        try guest.must("ip", "link", "add", "lan0", "type", "bridge")
        var route = try Rtnetlink(in: host.namespace)
        let eth0 = try parent(&route)
        let link = NewLink(
            "lan0", .macvlan(.init(mode: .bridge), parent: eth0), namespaceDescriptor: guest.descriptor)
        expectRefusal(.fileExists, naming: "an interface named lan0 exists in the link's namespace") {
            try route.add(link)
        }
        #expect(try guest.ip("link", "show").count == 2)
        var marked = link
        marked.name = "lan1"
        marked.alias = "set from outside"
        expectRefusal(.invalidArgument, naming: "create macvlan lan1") { try route.add(marked) }
        #expect(try guest.ip("link", "show").count == 2)
        var nowhere = link
        nowhere.namespaceDescriptor = 1_000_000
        #expect(throws: NetlinkError.self) { try route.add(nowhere) }
    }

    @Test func `a vxlan has every setting that was asked for, for unicast and for a group`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let eth0 = try parent(&route)
        let remote = try #require(IPAddress("192.0.2.2")), local = try #require(IPAddress("192.0.2.1"))
        let unicast = NewLink.VXLAN(
            vni: 0xff_ffff, port: 4790, remote: remote, local: local, device: eth0, learning: false, ttl: 5, ageing: 77,
            maximumAddresses: 99, isProxy: true, checksum: false)
        let made = try route.add(NewLink("vx0", .vxlan(unicast), up: true))
        #expect(made.details == .vxlan(unicast))
        var seen = try data(host, "vx0")
        #expect(seen["id"] as? Int == 0xff_ffff && seen["port"] as? Int == 4790 && seen["link"] as? String == "eth0")
        #expect(seen["remote"] as? String == "192.0.2.2" && seen["local"] as? String == "192.0.2.1")
        #expect(seen["learning"] as? Bool == false && seen["ttl"] as? Int == 5 && seen["ageing"] as? Int == 77)
        #expect(seen["limit"] as? Int == 99 && seen["proxy"] as? Bool == true && seen["udp_csum"] as? Bool == false)

        let group = try #require(IPAddress("ff05::77")), local6 = try #require(IPAddress("fd00::1"))
        let made6 = try route.add(
            NewLink("vx6", .vxlan(.init(vni: 7, remote: group, local: local6, device: eth0))))
        seen = try data(host, "vx6")
        #expect(seen["group6"] as? String == "ff05::77" && seen["local6"] as? String == "fd00::1")
        #expect(seen["port"] as? Int == 4789 && seen["learning"] as? Bool == true)
        guard case .vxlan(let read) = made6.details else {
            Issue.record("\(made6)")
            return
        }
        #expect(read.remote == group && read.local == local6 && read.learning == true && read.port == 4789)
    }

    @Test func `a vxlan that cannot be is refused, before the kernel or in its words`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let eth0 = try parent(&route)
        let v4 = try #require(IPAddress("192.0.2.2")), v6 = try #require(IPAddress("fd00::1"))
        let group = try #require(IPAddress("239.0.0.1"))
        func refuse(_ vxlan: NewLink.VXLAN, _ words: String) {
            expectRefusal(.invalidArgument, naming: words) { try route.add(NewLink("vx0", .vxlan(vxlan))) }
        }
        refuse(.init(vni: 0x100_0000), "create vxlan vx0: invalid argument (VNI 16777216 is more than 16777215)")
        refuse(.init(vni: 1, port: 0), "0 is no UDP port")
        refuse(.init(vni: 1, remote: v4, local: v6), "of different families")
        refuse(.init(vni: 1, remote: group), "interface required for multicast remote destination")
        try route.add(NewLink("vx1", .vxlan(.init(vni: 9, remote: v4, device: eth0))))
        expectRefusal(.fileExists, naming: "create vxlan vx2") {
            try route.add(NewLink("vx2", .vxlan(.init(vni: 9, remote: v4, device: eth0))))
        }
        #expect(Set(try route.links().map(\.name)) == ["lo", "eth0", "other", "vx1"])
    }

    @Test func `an ifb is made up and sized`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let made = try route.add(NewLink("ifb-web", .ifb, up: true, queues: 1))
        #expect(made.kind == "ifb" && made.isUp && made.details == nil)
        let seen = try #require(try host.ip("link", "show", "dev", "ifb-web").first)
        #expect((seen["linkinfo"] as? [String: Any])?["info_kind"] as? String == "ifb")
        #expect(seen["num_tx_queues"] as? Int == 1)
    }

    @Test func `a bridge port is isolated, guarded and kept from learning`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let bridge = try route.add(NewLink("br0", .bridge(.init())))
        let settings = BridgePort(
            hairpin: true, isolated: true, learning: false, isGuarded: true, blocksRoot: true, floods: false,
            floodsMulticast: false, floodsBroadcast: false, fastLeave: true, suppressesNeighbours: true, locked: true,
            priority: 7, cost: 42)
        let made = try route.add(NewLink("a", .veth(peer: .init("b")), master: bridge.index, port: settings))
        var told = try #require(made.port)
        // It is down, and so is its bridge.
        #expect(told.state == .disabled && made.hairpin == true)
        told.state = nil
        #expect(told == settings)
        func seen() throws -> [String: Any] {
            let link = try #require(try host.ip("link", "show", "dev", "a").first)
            return try #require((link["linkinfo"] as? [String: Any])?["info_slave_data"] as? [String: Any])
        }
        let port = try seen()
        for (name, value) in [
            ("hairpin", true), ("isolated", true), ("learning", false), ("guard", true), ("root_block", true),
            ("flood", false), ("mcast_flood", false), ("bcast_flood", false), ("fastleave", true),
            ("neigh_suppress", true), ("locked", true),
        ] { #expect(port[name] as? Bool == value, "\(name)") }
        #expect(port["priority"] as? Int == 7 && port["cost"] as? Int == 42)
        // One changes, the others stay.
        try route.set(.index(made.index), LinkSettings(port: BridgePort(isolated: false)))
        #expect(try seen()["isolated"] as? Bool == false && seen()["guard"] as? Bool == true)
        #expect(throws: NetlinkError.self) { try route.set(.name("b"), LinkSettings(port: BridgePort(isolated: true))) }
        expectRefusal(Errno(rawValue: ERANGE), naming: "with index \(made.index)") {
            try route.set(.index(made.index), LinkSettings(port: BridgePort(priority: 64)))
        }
    }

    @Test func `a bridge is changed while it works`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let settings = NewLink.Bridge(
            ageingTime: 6000, multicastSnooping: false, helloTime: 300, maxAge: 1500, priority: 4096,
            multicastQuerier: false, groupForwardMask: 8)
        let made = try route.add(NewLink("br0", .bridge(settings), up: true))
        var seen = try data(host, "br0")
        #expect(seen["ageing_time"] as? Int == 6000 && seen["hello_time"] as? Int == 300)
        #expect(seen["max_age"] as? Int == 1500 && seen["priority"] as? Int == 4096)
        #expect(seen["group_fwd_mask"] as? String == "0x8")
        guard case .bridge(let read) = made.details else {
            Issue.record("\(made)")
            return
        }
        #expect(read.ageingTime == 6000 && read.multicastSnooping == false && read.priority == 4096)
        #expect(read.stp == false && read.groupForwardMask == 8 && read.helloTime == 300)
        try route.set(.index(made.index), LinkSettings(kind: .bridge(.init(ageingTime: 0, callsIPTables: false))))
        seen = try data(host, "br0")
        #expect(seen["ageing_time"] as? Int == 0 && seen["hello_time"] as? Int == 300)
        expectRefusal(.invalidArgument, naming: "default VLAN 4095") {
            try route.set(.index(made.index), LinkSettings(kind: .bridge(.init(defaultVLAN: 4095))))
        }
    }

    @Test func `a bridge keeps its size when ports come and go`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let bridge = try route.add(NewLink("br0", .bridge(.init()), mtu: 1400, up: true))
        #expect(bridge.mtu == 1400)
        func size() throws -> Int? { try host.ip("link", "show", "dev", "br0").first?["mtu"] as? Int }
        #expect(try size() == 1400)
        try route.add(NewLink("a", .veth(peer: .init("b")), mtu: 1300, master: bridge.index))
        #expect(try size() == 1400)
        try route.delete(.name("a"))
        #expect(try size() == 1400)
        expectRefusal(.invalidArgument, naming: "create bridge br1: invalid argument: mtu less than") {
            try route.add(NewLink("br1", .bridge(.init()), mtu: 10))
        }
        expectRefusal(.invalidArgument, naming: "a bridge's MTU") {
            try route.apply(.add(NewLink("br1", .bridge(.init()), mtu: 1400)))
        }
        #expect(try route.link(named: "br1") == nil)
    }

    @Test func `names and texts that do not fit are refused`() throws {
        let host = try NetworkNamespaceFixture()
        let guest = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let eth0 = try parent(&route)
        for kind: NewLink.Kind in [.macvlan(.init(mode: .bridge), parent: eth0), .vxlan(.init(vni: 1)), .ifb] {
            let link = NewLink("sixteen-letters-", kind, namespaceDescriptor: guest.descriptor)
            let refusal = expectRefusal(.outOfRange, naming: "create \(kind.name) sixteen-letters-") {
                try route.add(link)
            }
            #expect(refusal?.message?.isEmpty == false && refusal?.offset != nil)
        }
        let long = String(repeating: "x", count: 70_000)
        expectRefusal(.messageTooLong, naming: "70004 bytes") {
            try route.set(.index(eth0), LinkSettings(alias: long))
        }
        expectRefusal(.messageTooLong, naming: "70005 bytes") {
            try route.add(NewLink("x", .other(long)))
        }
        expectRefusal(.invalidArgument, naming: "zero byte") { try route.add(NewLink("a\0b", .ifb)) }
        #expect(try guest.ip("link", "show").count == 1 && host.ip("link", "show").count == 3)
    }

    @Test func `the kind that a kernel lacks is named`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let words = "create no-such-kind x: operation not supported: unknown device type"
        for attempt in 0..<2 {
            let refusal = expectRefusal(.notSupported, naming: "(this kernel has no links of kind no-such-kind)") {
                let link = NewLink("x", .other("no-such-kind"))
                if attempt == 0 { try route.add(link) } else { try route.apply(.add(link)) }
            }
            #expect(refusal?.description.lowercased().hasPrefix(words) == true)
        }
        // The same answer for another reason says nothing of kinds.
        let other = expectRefusal(.notSupported, naming: "veth a") {
            try route.add(NewLink("a", .veth(peer: .init("b")), master: 1))
        }
        #expect(other?.hint == nil)
    }
}
