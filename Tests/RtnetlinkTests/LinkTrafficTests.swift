import Addressing
import Foundation
import Netlink
import Rtnetlink
import Testing
import TestSupport

/// What the links are for: packets through them.
@Suite("links with traffic")
struct LinkTrafficTests {
    private func pings(_ place: borrowing NetworkNamespaceFixture, _ address: String) throws -> Bool {
        // The first packets may be lost while neighbours are asked for.
        try place.run(["ping", "-c", "1", "-w", "15", address]).status == 0
    }

    private func address(_ text: String, _ name: String, _ route: inout Rtnetlink) throws {
        let link = try #require(try route.link(named: name)).index
        try route.apply([
            .addAddress(
                InterfaceAddress(try #require(IPPrefix(text)), link: link, flags: .noDuplicateDetection)),
            .set(.index(link), LinkSettings(up: true)),
        ])
    }

    @Test(arguments: [IPFamily.v4, .v6])
    func `two hosts reach each other over a vxlan whose peers were appended`(family: IPFamily) throws {
        let first = try NetworkNamespaceFixture()
        let second = try NetworkNamespaceFixture()
        var near = try Rtnetlink(in: first.namespace)
        var far = try Rtnetlink(in: second.namespace)
        try near.add(NewLink("wire", .veth(peer: .init("wire", namespaceDescriptor: second.descriptor))))
        let outer = family == .v4 ? ["192.0.2.1/24", "192.0.2.2/24"] : ["fd00:2::1/64", "fd00:2::2/64"]
        try address(outer[0], "wire", &near)
        try address(outer[1], "wire", &far)
        try expectOperational("wire", &near)
        try expectOperational("wire", &far)
        let ends = outer.compactMap { IPPrefix($0)?.address }
        let everybody = try #require(MACAddress(rawValue: 0))
        func tunnel(_ route: inout Rtnetlink, _ own: Int, _ inner: String) throws {
            let settings = NewLink.VXLAN(vni: 77, port: 4790, local: ends[own])
            let link = try route.add(NewLink("vx0", .vxlan(settings), mtu: 1400)).index
            try route.apply(.appendForwarding(ForwardingEntry(everybody, link: link, destination: ends[1 - own])))
            try address(inner, "vx0", &route)
        }
        try tunnel(&near, 0, "10.9.0.1/24")
        try tunnel(&far, 1, "10.9.0.2/24")
        #expect(try pings(first, "10.9.0.2"))
        // It is known now behind which host the other is.
        let link = try #require(try near.link(named: "vx0")).index
        let other = try #require(try far.link(named: "vx0")?.address)
        let learned = try near.forwardingEntries(link: link).first { $0.address == other }
        #expect(learned?.destination == ends[1])
    }

    @Test func `isolated ports reach the bridge and not each other`() throws {
        let host = try NetworkNamespaceFixture()
        let first = try NetworkNamespaceFixture()
        let second = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let bridge = try route.add(NewLink("br0", .bridge(.init()), up: true)).index
        try address("10.0.0.1/24", "br0", &route)
        func connect(_ number: Int, _ guest: borrowing NetworkNamespaceFixture) throws {
            try route.add(
                NewLink(
                    "port\(number)", .veth(peer: .init("eth0", namespaceDescriptor: guest.descriptor)), master: bridge,
                    up: true))
            var inner = try Rtnetlink(in: guest.namespace)
            try address("10.0.0.\(number)/24", "eth0", &inner)
            try expectOperational("eth0", &inner)
        }
        try connect(2, first)
        try connect(3, second)
        #expect(try pings(first, "10.0.0.3"))
        for number in 2...3 { try route.set(.name("port\(number)"), LinkSettings(port: BridgePort(isolated: true))) }
        #expect(try pings(first, "10.0.0.1") && pings(second, "10.0.0.1"))
        #expect(try first.run(["ping", "-c", "1", "-w", "1", "10.0.0.3"]).status != 0)
        try route.set(.name("port3"), LinkSettings(port: BridgePort(isolated: false)))
        #expect(try pings(first, "10.0.0.3"))
    }

    @Test func `macvlans of one parent reach each other in bridge mode alone`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let first = try NetworkNamespaceFixture()
        let second = try NetworkNamespaceFixture()
        let parent = try route.add(NewLink("eth0", .veth(peer: .init("other")), up: true)).index
        try route.set(.name("other"), LinkSettings(up: true))
        try expectOperational("eth0", &route)
        func connect(_ number: Int, _ guest: borrowing NetworkNamespaceFixture) throws {
            try route.add(
                NewLink(
                    "lan0", .macvlan(.init(mode: .bridge), parent: parent), up: true,
                    namespaceDescriptor: guest.descriptor))
            var inner = try Rtnetlink(in: guest.namespace)
            try address("10.0.0.\(number)/24", "lan0", &inner)
        }
        try connect(2, first)
        try connect(3, second)
        #expect(try pings(first, "10.0.0.3"))
        var inner = try Rtnetlink(in: first.namespace)
        let link = try #require(try inner.link(named: "lan0"))
        try inner.set(
            .index(link.index), LinkSettings(kind: .macvlan(.init(mode: .private), parent: link.peer ?? 0)))
        #expect(try first.run(["ping", "-c", "1", "-w", "1", "10.0.0.3"]).status != 0)
    }

    @Test(.enabled(if: KernelSupport.vlan, "this kernel has no links of kind vlan"))
    func `frames of one vlan do not reach another`() throws {
        let first = try NetworkNamespaceFixture()
        let second = try NetworkNamespaceFixture()
        var near = try Rtnetlink(in: first.namespace)
        var far = try Rtnetlink(in: second.namespace)
        let made = try near.add(
            NewLink("wire", .veth(peer: .init("wire", namespaceDescriptor: second.descriptor)), up: true))
        try far.set(.name("wire"), LinkSettings(up: true))
        try expectOperational("wire", &near)
        let other = try #require(made.peer)
        for identifier: UInt16 in [5, 6] {
            try near.add(NewLink("v\(identifier)", .vlan(.init(identifier), parent: made.index)))
            try far.add(NewLink("v\(identifier)", .vlan(.init(identifier), parent: other)))
        }
        try address("10.5.0.1/24", "v5", &near)
        try address("10.5.0.2/24", "v5", &far)
        try address("10.6.0.1/24", "v6", &near)
        #expect(try pings(first, "10.5.0.2"))
        // The other side has this address in the other VLAN.
        try address("10.7.0.2/24", "v5", &far)
        try address("10.7.0.1/24", "v6", &near)
        #expect(try first.run(["ping", "-c", "1", "-w", "1", "10.7.0.2"]).status != 0)
    }
}
