import Addressing
import CLinux
import Foundation
import LinuxSystem
import Rtnetlink
import SystemPackage
import Testing
import TestSupport

@Suite("announcements, with a neighbour's table and tcpdump as oracles")
struct AnnouncementTests {
    /// A namespace with `eth0`, and one that has the other end; both up. Returns the index of `eth0`.
    private func connect(
        _ host: borrowing NetworkNamespaceFixture, _ guest: borrowing NetworkNamespaceFixture
    ) throws -> UInt32 {
        var route = try Rtnetlink(in: host.namespace)
        let link = try route.add(
            NewLink("eth0", .veth(peer: .init("far", namespaceDescriptor: guest.descriptor)), up: true))
        var inner = try Rtnetlink(in: guest.namespace)
        try inner.set(.index(try #require(link.peer)), LinkSettings(up: true))
        try expectOperational("eth0", &route)
        try expectOperational("far", &inner)
        return link.index
    }

    @Test(arguments: ["10.0.0.9", "fd00::9"])
    func `a neighbour learns where an address is now`(text: String) async throws {
        let host = try NetworkNamespaceFixture()
        let guest = try NetworkNamespaceFixture()
        let link = try connect(host, guest)
        try guest.must("ip", "address", "add", "10.0.0.1/24", "dev", "far")
        try guest.must("ip", "address", "add", "fd00::1/64", "dev", "far", "nodad")
        let address = try #require(IPAddress(text))
        let old = "02:00:00:00:00:01", new = try #require(MACAddress("02:00:00:00:00:02"))
        for strange in [text, text.replacingOccurrences(of: "9", with: "8")] {
            try guest.must("ip", "neighbour", "replace", strange, "lladdr", old, "dev", "far", "nud", "reachable")
        }
        let announcer = try AddressAnnouncer(in: host.namespace)
        let moved = try await eventually {
            try announcer.announce(address, of: new, on: link)
            return try guest.ip("neighbour", "show").first { $0["dst"] as? String == text }?["lladdr"] as? String
                == new.description
        }
        #expect(moved)
        // Another address's entry is not touched.
        let other = try guest.ip("neighbour", "show").filter { $0["dst"] as? String != text }
        #expect(other.contains { $0["lladdr"] as? String == old })
        #expect(!other.contains { $0["lladdr"] as? String == new.description })
    }

    @Test func `tcpdump takes the frames for what they are, checksum included`() async throws {
        let host = try NetworkNamespaceFixture()
        let guest = try NetworkNamespaceFixture()
        let link = try connect(host, guest)
        let capture = try Command([
            "nsenter", "--net=\(guest.path)", "tcpdump", "-i", "far", "-nn", "-e", "-vv", "-l", "--immediate-mode",
            "arp or (icmp6 and ip6[40] == 136)",
        ])
        let listening = try await eventually { capture.errorsSoFar.contains("listening on") }
        #expect(listening)
        let owner = try #require(MACAddress("02:00:0a:00:00:09"))
        let announcer = try AddressAnnouncer(in: host.namespace)
        for text in ["10.0.0.9", "fd00::9"] {
            try announcer.announce(try #require(IPAddress(text)), of: owner, on: link)
        }
        try await capture.waitForOutput("destination link-address option")
        await capture.stop()
        let output = capture.outputSoFar
        for words in [
            "02:00:0a:00:00:09 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42",
            "Request who-has 10.0.0.9 tell 10.0.0.9", "02:00:0a:00:00:09 > 33:33:00:00:00:01, ethertype IPv6 (0x86dd)",
            "fd00::9 > ff02::1: [icmp6 sum ok] ICMP6, neighbor advertisement, length 32, tgt is fd00::9, Flags [override]",
            "hlim 255", "destination link-address option (2), length 8 (1): 02:00:0a:00:00:09",
        ] { #expect(output.contains(words), "\(words) in \(output)") }
    }

    @Test func `what is no single machine's is not announced`() throws {
        let host = try NetworkNamespaceFixture()
        let guest = try NetworkNamespaceFixture()
        let link = try connect(host, guest)
        let announcer = try AddressAnnouncer(in: host.namespace)
        let owner = try #require(MACAddress("02:00:0a:00:00:09")), group = try #require(MACAddress("03:00:00:00:00:01"))
        func refuse(_ errno: Errno, _ text: String, _ owner: MACAddress, _ link: UInt32) {
            do throws(SystemError) {
                try announcer.announce(IPAddress(text) ?? .v4(.any), of: owner, on: link)
                Issue.record("\(text) was announced")
            } catch {
                #expect(error.errno == errno && error.description.hasPrefix("announce \(text)"), "\(error)")
            }
        }
        for text in ["0.0.0.0", "224.0.0.1", "127.0.0.1", "::", "ff02::1", "::1"] {
            refuse(.invalidArgument, text, owner, link)
        }
        refuse(.invalidArgument, "10.0.0.9", group, link)
        refuse(Errno(rawValue: ENXIO), "10.0.0.9", owner, 4711)
        try host.must("ip", "link", "set", "eth0", "down")
        refuse(Errno(rawValue: ENETDOWN), "10.0.0.9", owner, link)
    }
}
