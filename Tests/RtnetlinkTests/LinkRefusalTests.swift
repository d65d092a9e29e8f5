import Addressing
import Foundation
import LinuxSystem
import Netlink
import Rtnetlink
import SystemPackage
import Testing
import TestSupport

@Suite("links that cannot be")
struct LinkRefusalTests {
    let noSuchDevice = Errno(rawValue: ENODEV)

    @Test func `a name of sixteen characters is refused in the kernel's words`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let name = "sixteen-letters-"
        let error = expectRefusal(.outOfRange, naming: name) {
            try route.add(NewLink(name, .bridge(.init())))
        }
        #expect(error?.message?.isEmpty == false && error?.offset != nil)
        let peer = expectRefusal(.outOfRange, naming: "veth a") {
            try route.add(NewLink("a", .veth(peer: .init(name))))
        }
        #expect(peer?.message?.isEmpty == false)
        for bad in ["a/b", "a b", ".", "..", "a:b", ""] {
            expectRefusal(.invalidArgument, naming: bad) { try route.add(NewLink(bad, .bridge(.init()))) }
        }
        #expect(try route.links().map(\.name) == ["lo"])
    }

    @Test func `a name that is taken is refused, and its owner is left alone`() throws {
        let host = try NetworkNamespaceFixture()
        let guest = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        try route.add(NewLink("br0", .bridge(.init()), alias: "the first"))
        expectRefusal(.fileExists, naming: "create bridge br0") {
            try route.add(NewLink("br0", .bridge(.init()), alias: "the second", alternativeNames: ["second"]))
        }
        let seen = try #require(try host.ip("link", "show", "dev", "br0").first)
        #expect(seen["ifalias"] as? String == "the first" && seen["altnames"] == nil)
        // The peer's name, taken in its own namespace: neither end is left.
        try guest.must("ip", "link", "add", "eth0", "type", "bridge")
        expectRefusal(.fileExists, naming: "create veth a") {
            try route.add(NewLink("a", .veth(peer: .init("eth0", namespaceDescriptor: guest.descriptor))))
        }
        #expect(try route.link(named: "a") == nil)
    }

    @Test func `a bridge that is not there, or is none, takes no port`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        expectRefusal(.invalidArgument, naming: "veth a") {
            try route.add(NewLink("a", .veth(peer: .init("b")), master: 4711))
        }
        #expect(try route.links().map(\.name) == ["lo"])
        let error = expectRefusal(.notSupported, naming: "veth a") {
            try route.add(NewLink("a", .veth(peer: .init("b")), master: 1))
        }
        #expect(error != nil)
        #expect(try route.links().map(\.name) == ["lo"])
    }

    @Test func `what is refused after the link was made takes the link with it`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let alias = String(repeating: "x", count: 300)
        #expect(throws: NetlinkError.self) { try route.add(NewLink("a", .veth(peer: .init("b")), alias: alias)) }
        #expect(try route.links().map(\.name) == ["lo"])
        // Hairpin mode is a bridge port's, and this is none.
        #expect(throws: NetlinkError.self) { try route.add(NewLink("a", .veth(peer: .init("b")), hairpin: true)) }
        #expect(try route.links().map(\.name) == ["lo"])
        #expect(throws: NetlinkError.self) { try route.apply(.add(NewLink("a", .bridge(.init()), alias: "x"))) }
        #expect(try route.links().map(\.name) == ["lo"])
    }

    @Test func `what is not there cannot be changed or deleted, and is nil when looked up`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        #expect(try route.link(named: "nowhere0") == nil)
        #expect(try route.link(named: "a-name-that-is-longer-than-fifteen") == nil)
        #expect(try route.link(index: 4711) == nil)
        expectRefusal(noSuchDevice, naming: "nowhere0") { try route.delete(.name("nowhere0")) }
        expectRefusal(noSuchDevice, naming: "4711") { try route.delete(.index(4711)) }
        expectRefusal(noSuchDevice, naming: "nowhere0") { try route.set(.name("nowhere0"), LinkSettings(up: true)) }
        expectRefusal(noSuchDevice, naming: "nowhere0") { try route.set(.name("nowhere0"), LinkSettings(name: "x")) }
        expectRefusal(.notSupported, naming: "lo") { try route.delete(.name("lo")) }
        expectRefusal(.notSupported, naming: "x") { try route.add(NewLink("x", .other("no-such-kind"))) }
    }

    @Test func `a namespace that is none, is closed or is gone is refused`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let file = try Descriptor.open("/dev/null")
        let number = file.rawValue
        expectRefusal(.invalidArgument, naming: "veth a") {
            try route.add(NewLink("a", .veth(peer: .init("b", namespaceDescriptor: number))))
        }
        #expect(throws: NetlinkError.self) {
            try route.add(NewLink("a", .veth(peer: .init("b", namespaceDescriptor: 1_000_000))))
        }
        #expect(try route.links().map(\.name) == ["lo"])
        var path = ""
        do {
            let gone = try NetworkNamespaceFixture()
            path = gone.path
        }
        #expect(throws: SystemError.self) {
            let namespace = try Namespace(path: path)
            _ = try Rtnetlink(in: namespace)
        }
    }

    @Test func `values out of range are refused in the kernel's words`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        expectRefusal(.invalidArgument, naming: "veth a") {
            try route.add(NewLink("a", .veth(peer: .init("b")), mtu: 10))
        }
        let bridge = try route.add(NewLink("br0", .bridge(.init())))
        let small = expectRefusal(.invalidArgument, naming: "with index \(bridge.index)") {
            try route.set(.index(bridge.index), LinkSettings(mtu: 10))
        }
        #expect(small?.description.hasSuffix("invalid argument: mtu less than device minimum") == true)
        try route.delete(.index(bridge.index))
        let group = try #require(MACAddress("03:00:00:00:00:01"))
        expectRefusal(.addressNotAvailable, naming: "bridge x") {
            try route.add(NewLink("x", .bridge(.init()), address: group))
        }
        #expect(try route.links().map(\.name) == ["lo"])
    }

}
