import Addressing
import CLinux
import Foundation
@testable import Netlink
@testable import Rtnetlink
import SystemPackage
import Testing
import TestSupport

/// The kinds that not every kernel has: the message, byte by byte, and the kernel's part where it has them.
@Suite("links that a kernel may lack")
struct LinkMessageTests {
    /// The value of the first attribute of a type in the message that makes a link.
    private func attribute(_ type: Int, _ link: NewLink) throws -> [UInt8]? {
        let bytes = try link.creation.finished(sequence: 1)
        return Attributes(bytes[32...]).bytes(type)
    }

    @Test func `a vlan is laid out as the kernel reads it`() throws {
        let link = NewLink("v5", .vlan(.init(5, tagProtocol: .ad), parent: 7))
        #expect(try attribute(IFLA_LINK, link) == [7, 0, 0, 0])
        #expect(
            try attribute(IFLA_LINKINFO, link) == [
                9, 0, 1, 0, 0x76, 0x6c, 0x61, 0x6e, 0, 0, 0, 0,  // IFLA_INFO_KIND "vlan"
                20, 0, 2, 0x80,  // IFLA_INFO_DATA
                6, 0, 1, 0, 5, 0, 0, 0,  // IFLA_VLAN_ID
                6, 0, 5, 0, 0x88, 0xa8, 0, 0,  // IFLA_VLAN_PROTOCOL, network order
            ])
    }

    @Test func `an ipvlan is laid out as the kernel reads it`() throws {
        let link = NewLink("i", .ipvlan(.init(mode: .l3s, isolation: .vepa), parent: 7))
        #expect(
            try attribute(IFLA_LINKINFO, link) == [
                11, 0, 1, 0, 0x69, 0x70, 0x76, 0x6c, 0x61, 0x6e, 0, 0,  // "ipvlan"
                20, 0, 2, 0x80,
                6, 0, 1, 0, 2, 0, 0, 0,  // IFLA_IPVLAN_MODE
                6, 0, 2, 0, 2, 0, 0, 0,  // IFLA_IPVLAN_FLAGS
            ])
    }

    @Test func `a vrf and a dummy are laid out as the kernel reads them`() throws {
        #expect(
            try attribute(IFLA_LINKINFO, NewLink("red", .vrf(table: 0x0102))) == [
                8, 0, 1, 0, 0x76, 0x72, 0x66, 0, 12, 0, 2, 0x80, 8, 0, 1, 0, 2, 1, 0, 0,
            ])
        #expect(
            try attribute(IFLA_LINKINFO, NewLink("d", .dummy)) == [
                10, 0, 1, 0, 0x64, 0x75, 0x6d, 0x6d, 0x79, 0, 0, 0,
            ])
    }

    @Test func `what was built is read back the same`() throws {
        let group = try #require(IPAddress("239.1.1.1"))
        for kind: NewLink.Kind in [
            .vlan(.init(0), parent: 1), .vlan(.init(4094, tagProtocol: .ad), parent: 1), .vrf(table: 77),
            .ipvlan(.init(mode: .l2), parent: 1), .ipvlan(.init(mode: .l3, isolation: .private), parent: 1),
            .ipvlan(.init(mode: .l3s, isolation: .vepa), parent: 1), .macvlan(.init(mode: .vepa), parent: 1),
            .vxlan(.init(vni: 1, remote: group, device: 3, learning: true, ttl: 1)), .bridge(.init(stp: true)),
        ] {
            let information = Attributes(try #require(try attribute(IFLA_LINKINFO, NewLink("x", kind))))
            let details = LinkDetails(kind: kind.name, information.nested(IFLA_INFO_DATA))
            switch (kind, details) {
            case (.vlan(let wanted, _), .vlan(let read)): #expect(wanted == read)
            case (.ipvlan(let wanted, _), .ipvlan(let read)): #expect(wanted == read)
            case (.macvlan(let wanted, _), .macvlan(let read)): #expect(wanted == read)
            case (.vxlan(let wanted), .vxlan(let read)): #expect(wanted == read)
            case (.bridge(let wanted), .bridge(let read)): #expect(wanted == read)
            case (.vrf(let wanted), .vrf(let read)): #expect(wanted == read)
            default: Issue.record("\(kind) became \(String(describing: details))")
            }
        }
    }

    @Test func `numbers that no kernel takes are refused before it`() throws {
        for (kind, words): (NewLink.Kind, String) in [
            (.vlan(.init(4095), parent: 1), "VLAN 4095 is not in 0-4094"), (.vrf(table: 0), "0 is no routing table"),
        ] {
            expectRefusal(.invalidArgument, naming: words) {
                _ = try NewLink("x", kind).creation.finished(sequence: 1)
            }
        }
    }

    @Test(.enabled(if: KernelSupport.vlan, "this kernel has no links of kind vlan"))
    func `the kernel makes the vlan that was meant`() throws {
        let host = try NetworkNamespaceFixture()
        let guest = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let eth0 = try route.add(NewLink("eth0", .veth(peer: .init("other")), up: true)).index
        let made = try route.add(
            NewLink(
                "v5", .vlan(.init(5, tagProtocol: .ad), parent: eth0), up: true, namespaceDescriptor: guest.descriptor))
        #expect(made.details == .vlan(.init(5, tagProtocol: .ad)) && made.peer == eth0)
        let seen = try data(guest, "v5")
        #expect(seen["id"] as? Int == 5 && seen["protocol"] as? String == "802.1ad")
        expectRefusal(.fileExists, naming: "create vlan more") {
            try route.add(NewLink("more", .vlan(.init(5, tagProtocol: .ad), parent: eth0)))
        }
    }

    @Test(.enabled(if: KernelSupport.ipvlan, "this kernel has no links of kind ipvlan"))
    func `the kernel makes the ipvlan that was meant`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let eth0 = try route.add(NewLink("eth0", .veth(peer: .init("other")), up: true)).index
        for mode in NewLink.IPVlan.Mode.allCases {
            for isolation in NewLink.IPVlan.Isolation.allCases {
                let guest = try NetworkNamespaceFixture()
                let settings = NewLink.IPVlan(mode: mode, isolation: isolation)
                let made = try route.add(
                    NewLink("i0", .ipvlan(settings, parent: eth0), namespaceDescriptor: guest.descriptor))
                #expect(made.details == .ipvlan(settings) && made.peer == eth0)
                let seen = try data(guest, "i0")
                #expect(seen["mode"] as? String == mode.rawValue)
                #expect(seen["flags"] as? String == isolation.rawValue || seen[isolation.rawValue] != nil, "\(seen)")
            }
        }
    }

    @Test(.enabled(if: KernelSupport.vrf && KernelSupport.dummy, "this kernel has no links of kinds vrf and dummy"))
    func `the kernel makes the vrf and the dummy that were meant`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let red = try route.add(NewLink("red", .vrf(table: 1077), up: true))
        #expect(red.details == .vrf(table: 1077))
        #expect(try data(host, "red")["table"] as? Int == 1077)
        let dummy = try route.add(NewLink("d0", .dummy, master: red.index, up: true))
        #expect(dummy.kind == "dummy" && dummy.master == red.index && dummy.port == nil)
        #expect(try host.ip("link", "show", "master", "red").first?["ifname"] as? String == "d0")
    }

    private func data(_ host: borrowing NetworkNamespaceFixture, _ name: String) throws -> [String: Any] {
        let seen = try #require(try host.ip("link", "show", "dev", name).first)
        return try #require((seen["linkinfo"] as? [String: Any])?["info_data"] as? [String: Any])
    }

    @Test(arguments: ["vlan", "ipvlan", "vrf", "dummy"])
    func `a kernel without the kind is named as such`(kind: String) throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let eth0 = try route.add(NewLink("eth0", .veth(peer: .init("other")))).index
        let settings: NewLink.Kind =
            switch kind {
            case "vlan": .vlan(.init(5), parent: eth0)
            case "ipvlan": .ipvlan(.init(mode: .l2), parent: eth0)
            case "vrf": .vrf(table: 10)
            default: .dummy
            }
        if KernelSupport.hasLinks(kind) {
            #expect(try route.add(NewLink("x", settings)).kind == kind)
        } else {
            expectRefusal(.notSupported, naming: "(this kernel has no links of kind \(kind))") {
                try route.add(NewLink("x", settings))
            }
        }
    }
}
