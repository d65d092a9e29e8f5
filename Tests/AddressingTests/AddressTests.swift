import Addressing
import Glibc
import TestSupport
import Testing

@Suite("addresses")
struct AddressTests {
    /// glibc's own parser and printer, the reference for both families.
    static func reference(_ family: Int32, _ text: String) -> (bytes: [UInt8], text: String)? {
        var bytes = [UInt8](repeating: 0, count: family == AF_INET ? 4 : 16)
        guard inet_pton(family, text, &bytes) == 1 else { return nil }
        var buffer = [CChar](repeating: 0, count: 64)
        guard inet_ntop(family, bytes, &buffer, 64) != nil else { return nil }
        return (bytes, String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
    }

    @Test(arguments: [
        "0.0.0.0", "127.0.0.1", "255.255.255.255", "10.88.0.2", "1.2.3", "1.2.3.4.5", "256.1.1.1", "-1.2.3.4",
        "1.2.3.4 ",
        "", "....", "1..2.3", "a.b.c.d", "01.2.3.4", "1.2.3.+4", "٣.1.1.1",
    ])
    func `IPv4 text is read as glibc reads it`(text: String) {
        let expected = Self.reference(AF_INET, text)
        #expect(IPv4Address(text)?.bytes == expected?.bytes)
        #expect(IPv4Address(text)?.description == expected?.text)
    }

    @Test(arguments: [
        "::", "::1", "1::", "fe80::1", "2001:db8::8:800:200c:417a", "2001:DB8:0:0:8:800:200C:417A", "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::3:4:5:6:7:8", "::ffff:1.2.3.4", "64:ff9b::192.0.2.33",
        "1:0:0:2:0:0:0:3",
        "0:1:0:0:2:0:0:3", "1:2:3:4:5:6:1.2.3.4",
        ":", ":::", "::1::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "12345::",
        "g::",
        "1:", ":1", "1::2:", ":1::2", "fe80::1%eth0", "::1.2.3", "1.2.3.4::", "", "[::1]", "1::2::3",
        "::ffff:1.2.3.4:5",
    ])
    func `IPv6 text is read as glibc reads it`(text: String) {
        let expected = Self.reference(AF_INET6, text)
        #expect(IPv6Address(text)?.bytes == expected?.bytes)
        #expect(IPv6Address(text)?.description == expected?.text)
    }

    @Test func `random IPv6 addresses are printed canonically and come back`() throws {
        var generator = SplitMix.byChance()
        for _ in 0..<2000 {
            // Many zero groups, so that every shape of :: is met.
            let groups = (0..<8).map { _ in Bool.random(using: &generator) ? 0 : UInt16.random(in: 0...0x1ff) }
            let bytes = groups.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
            let address = try #require(IPv6Address(bytes: bytes))
            #expect(address.bytes == bytes)
            #expect(IPv6Address(address.description) == address)
            // glibc prints ::a.b.c.d for the deprecated compatible addresses, RFC 5952 does not ask for it.
            if address.high != 0 { #expect(Self.reference(AF_INET6, address.description)?.text == address.description) }
        }
    }

    @Test func `a prefix knows its network, its hosts and its neighbours`() throws {
        let prefix = try #require(IPPrefix("10.88.7.9/22"))
        #expect(prefix.network.description == "10.88.4.0/22")
        #expect(prefix.last.description == "10.88.7.255")
        #expect(prefix.contains(try #require(IPAddress("10.88.6.1"))))
        #expect(!prefix.contains(try #require(IPAddress("10.88.8.1"))))
        #expect(!prefix.contains(try #require(IPAddress("::ffff:10.88.6.1"))))
        #expect(prefix.overlaps(try #require(IPPrefix("10.0.0.0/8"))))
        #expect(!prefix.overlaps(try #require(IPPrefix("10.88.8.0/22"))))
        #expect(!prefix.network.allowsHost(prefix.network.address))
        #expect(!prefix.allowsHost(prefix.last))
        let pair = try #require(IPPrefix("10.0.0.0/31"))
        #expect(pair.allowsHost(pair.address) && pair.allowsHost(pair.last))
        let all = try #require(IPPrefix("::/0"))
        #expect(all.contains(.v6(.loopback)) && all.last.description == "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
        #expect(try #require(IPPrefix("fd00::/64")).address(at: 2)?.description == "fd00::2")
        #expect(try #require(IPPrefix("10.0.0.0/30")).address(at: 4) == nil)
        #expect(try #require(IPPrefix("255.255.255.255/32")).address.advanced(by: 1) == nil)
    }

    @Test(arguments: [
        "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/08", "/8", "10.0.0.0/8/8", "",
    ])
    func `a malformed prefix is refused`(text: String) {
        #expect(IPPrefix(text) == nil)
    }

    @Test func `MAC addresses come back, and bad ones are refused`() throws {
        let mac = try #require(MACAddress("02:42:0a:58:00:02"))
        #expect(mac.description == "02:42:0a:58:00:02" && mac.isUnicast && mac.isLocallyAdministered)
        #expect(MACAddress("02-42-0A-58-00-02") == mac)
        #expect(MACAddress("01:00:5e:00:00:01")?.isUnicast == false)
        #expect(MACAddress("00:00:00:00:00:00")?.isUnicast == false)
        for bad in [
            "", "02:42:0a:58:00", "02:42:0a:58:00:02:03", "2:42:0a:58:00:02", "0g:42:0a:58:00:02", "02:42-0a:58:00:02",
            "+2:42:0a:58:00:02",
        ] {
            #expect(MACAddress(bad) == nil, "\(bad)")
        }
    }

    @Test func `interface names follow the kernel's rule`() {
        for good in ["eth0", "sw-bridge", "123456789012345", "a.b", "…"] {
            #expect(InterfaceName(good) != nil, "\(good)")
        }
        for bad in ["", ".", "..", "1234567890123456", "a/b", "a:b", "a b", "a\tb", "eth%d", "a\u{7f}"] {
            #expect(InterfaceName(bad) == nil, "\(bad)")
        }
    }

    @Test func `port ranges hold 1 to 65535 in order`() {
        #expect(PortRange("80")?.count == 1)
        #expect(PortRange("8000-8010")?.count == 11)
        #expect(PortRange("1-65535")?.count == 65535)
        for bad in ["0", "65536", "10-9", "-", "1-", "-1", "1-2-3", "080", " 80", "", "http", "٨٠"] {
            #expect(PortRange(bad) == nil, "\(bad)")
        }
    }
}
