import PacketCapture
import TestSupport
import Testing

@Suite("packets in words, and pcapng blocks")
struct PacketCaptureTests {
    private static let ethernet: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]

    /// An IPv4 header for a transport and a payload.
    private static func ipv4(_ transport: UInt8, _ payload: [UInt8], fragment: UInt16 = 0) -> [UInt8] {
        let length = UInt16(20 + payload.count)
        return [
            0x45, 0, UInt8(length >> 8), UInt8(length & 0xff), 0, 1, UInt8(fragment >> 8), UInt8(fragment & 0xff), 64,
            transport, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ] + payload
    }

    private static func ipv6(_ next: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let address: (UInt8) -> [UInt8] = { [0xfd] + [UInt8](repeating: 0, count: 14) + [$0] }
        return [0x60, 0, 0, 0, UInt8(payload.count >> 8), UInt8(payload.count & 0xff), next, 64] + address(1)
            + address(2)
            + payload
    }

    private static let syn: [UInt8] = [0x1f, 0x90, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]
    private static let datagram: [UInt8] = [0x14, 0xe9, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4]

    static let packets: [([UInt8], String)] = [
        (ethernet + [8, 0] + ipv4(6, syn), "tcp 10.0.0.1:8080 → 10.0.0.2:80 syn, 0 bytes"),
        (ethernet + [8, 0] + ipv4(17, datagram), "udp 10.0.0.1:5353 → 10.0.0.2:53, 4 bytes"),
        // A short frame is filled up; that is not the packet's.
        (ethernet + [8, 0] + ipv4(17, datagram) + [0, 0, 0, 0], "udp 10.0.0.1:5353 → 10.0.0.2:53, 4 bytes"),
        (ethernet + [0x86, 0xdd] + ipv6(17, datagram), "udp [fd00::1]:5353 → [fd00::2]:53, 4 bytes"),
        // Destination options stand before the transport.
        (
            ethernet + [0x86, 0xdd] + ipv6(60, [6, 0, 0, 0, 0, 0, 0, 0] + syn),
            "tcp [fd00::1]:8080 → [fd00::2]:80 syn, 0 bytes"
        ),
        (
            ethernet + [0x81, 0, 0, 42, 8, 0] + ipv4(1, [8, 0, 0, 0, 0, 1, 0, 1]),
            "vlan 42 icmp 10.0.0.1 → 10.0.0.2 echo request, 4 bytes"
        ),
        (ethernet + [8, 0] + ipv4(17, [1, 2, 3], fragment: 5), "fragment 10.0.0.1 → 10.0.0.2, 3 bytes"),
        (ethernet + [8, 0] + ipv4(47, [1, 2, 3]), "protocol 47 10.0.0.1 → 10.0.0.2, 3 bytes"),
        (
            ethernet + [8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2],
            "arp who has 10.0.0.2? tell 10.0.0.1"
        ),
        (ethernet + [0x88, 0xcc, 1, 2], "type 0x88cc 02:00:00:00:00:01 → 02:00:00:00:00:02, 2 bytes"),
    ]

    @Test(arguments: packets)
    func words(bytes: [UInt8], text: String) {
        #expect("\(PacketSummary(bytes, .ethernet, length: bytes.count))" == text)
    }

    @Test func `bytes of strangers are never read beyond their end`() {
        var generator = SplitMix.byChance()
        for (bytes, _) in Self.packets {
            for count in 0...bytes.count {
                // Cut off, and claiming to be longer.
                _ = PacketSummary(Array(bytes.prefix(count)), .ethernet, length: 65535)
                _ = PacketSummary(Array(bytes.dropFirst(14).prefix(count)), .raw, length: count)
            }
            for _ in 0..<2000 {
                var changed = bytes
                for _ in 0..<4 {
                    changed[.random(in: changed.indices, using: &generator)] = .random(in: 0...255, using: &generator)
                }
                #expect(
                    !PacketSummary(changed, .ethernet, length: .random(in: 0...70000, using: &generator)).description
                        .isEmpty)
            }
        }
        for length in 0..<200 {
            let noise = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
            _ = PacketSummary(noise, .ethernet, length: length)
            _ = PacketSummary([0x45] + noise, .raw, length: length + 1)
            _ = PacketSummary([0x60] + noise, .raw, length: length + 1)
        }
    }

    @Test func `every block has its length at both ends, in whole words`() {
        let blocks: [PcapngBlock] = [
            .sectionHeader(application: "x"),
            .interface(name: "eth0", description: "web on lab", linkType: 1, snapshotLength: 100, filter: "tcp"),
            .interface(
                name: "", description: "", linkType: 1, snapshotLength: 0,
                filter: String(repeating: "x", count: 100_000)),
            .packet(interface: 0, nanoseconds: .max, data: [1, 2, 3], length: 3),
            .packet(interface: 0, nanoseconds: 0, data: [UInt8](), length: 0),
            .statistics(interface: 0, nanoseconds: 1, received: 2, dropped: 3),
        ]
        for block in blocks {
            let number = { (offset: Int) in
                block.bytes[offset..<offset + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            }
            #expect(Int(number(4)) == block.bytes.count && number(block.bytes.count - 4) == number(4))
            #expect(block.bytes.count % 4 == 0)
        }
    }
}
