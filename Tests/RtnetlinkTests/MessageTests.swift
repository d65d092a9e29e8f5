import Foundation
@testable import Netlink
@testable import Rtnetlink
import SystemPackage
import TestSupport
import Testing

@Suite("messages: what is built, and what hostile bytes do")
struct MessageTests {
    @Test func `a message is laid out as the kernel wants it`() throws {
        var message = MessageBuilder(type: 16, flags: 0x600)
        message.put(header: (UInt32(0x0403_0201), UInt8(5)))
        message.put(1, "ab")
        message.nest(2) { inner in
            inner.put(3, UInt8(7))
            inner.put(flag: 4)
        }
        let bytes = try message.finished(sequence: 9, extraFlags: 4)
        #expect(
            bytes == [
                48, 0, 0, 0, 16, 0, 5, 6, 9, 0, 0, 0, 0, 0, 0, 0,  // length, type, REQUEST|ACK|flags, sequence, port
                1, 2, 3, 4, 5, 0, 0, 0,  // the fixed part, padded
                7, 0, 1, 0, 0x61, 0x62, 0, 0,  // "ab" and its zero
                16, 0, 2, 0x80, 5, 0, 3, 0, 7, 0, 0, 0, 4, 0, 4, 0,  // a nest of two
            ])
        let attributes = Attributes(bytes[24...])
        #expect(attributes.string(1) == "ab")
        #expect(attributes.nested(2).u8(3) == 7)
        #expect(attributes.nested(2)[4]?.payload.isEmpty == true)
        #expect(attributes.nested(2).u32(3) == nil && attributes[5] == nil)
    }

    @Test func `an attribute that does not fit is refused and never cut`() throws {
        var fits = MessageBuilder(type: 16)
        fits.put(1, [UInt8](repeating: 1, count: 65531))
        #expect(try fits.finished(sequence: 1).count == 16 + 65536)
        for size in [65532, 65536, 70000, 200_000] {
            var message = MessageBuilder(type: 16)
            message.put(1, [UInt8](repeating: 1, count: size))
            message.put(2, UInt32(1))
            expectRefusal(.messageTooLong, naming: "\(size + 4) bytes") { _ = try message.finished(sequence: 1) }
        }
        var nested = MessageBuilder(type: 16)
        nested.nest(7) { inner in
            for _ in 0..<2 { inner.put(1, [UInt8](repeating: 1, count: 40000)) }
        }
        expectRefusal(.messageTooLong, naming: "attribute 7") { _ = try nested.finished(sequence: 1) }
        var text = MessageBuilder(type: 16)
        text.put(3, "eth0\0; and more")
        expectRefusal(.invalidArgument, naming: "zero byte") { _ = try text.finished(sequence: 1) }
    }

    @Test func `a reader stops where a length lies`() {
        // Shorter than its header, zero, longer than the rest, cut in the header: each ends the run, none traps.
        #expect(Array(Attributes([3, 0, 1, 0, 9, 9, 9, 9])).isEmpty)
        #expect(Array(Attributes([0, 0, 1, 0, 8, 0, 1, 0])).isEmpty)
        #expect(Array(Attributes([9, 0, 1, 0, 1, 2, 3, 4])).isEmpty)
        #expect(Array(Attributes([8, 0, 1])).isEmpty)
        #expect(Array(Attributes([])).isEmpty)
        let good: [UInt8] = [5, 0, 1, 0, 7, 0, 0, 0]
        #expect(Attributes(good + [255, 255, 2, 0]).map(\.u8) == [7])
        // The last one need not be padded.
        #expect(Attributes([5, 0, 1, 0, 7]).map(\.u8) == [7])
        // A nest that says it is longer than what holds it.
        let nest: [UInt8] = [12, 0, 1, 0x80, 200, 0, 2, 0, 1, 2, 3, 4]
        #expect(Array(Attributes(nest).nested(1)).isEmpty)
        #expect(Attributes(nest)[1]?.nested(after: 400).u8(1) == nil)
    }

    @Test func `random bytes are read to the end and never trap`() {
        var generator = SplitMix.byChance()
        var seen = 0
        for round in 0..<1500 {
            let count = Int.random(in: 0...200, using: &generator)
            var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            // Half of them with small lengths and types, so that more than the first bytes are looked at.
            if round % 2 == 0 {
                for index in bytes.indices where index % 4 != 0 || bytes[index] > 60 { bytes[index] &= 0x3f }
                for index in bytes.indices where index % 4 == 1 { bytes[index] = 0 }
            }
            for type: UInt8 in [2, 3, 16, 20, 24, 28, 32, 36, 40, 44] {
                let length = UInt8(truncatingIfNeeded: 16 + bytes.count)
                seen += readAsEverything([length, 0, 0, 0, type, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0] + bytes)
            }
        }
        #expect(seen > 0)
    }

    @Test func `real messages with bytes changed or cut off are read and never trap`() throws {
        let host = try NetworkNamespaceFixture()
        try host.must("ip", "link", "add", "br0", "type", "bridge")
        try host.must("ip", "link", "add", "aa", "master", "br0", "up", "type", "veth", "peer", "name", "bb")
        try host.must("ip", "link", "property", "add", "dev", "aa", "altname", "other")
        try host.must("ip", "link", "add", "vx0", "type", "vxlan", "id", "7", "dstport", "4789", "remote", "10.0.0.7")
        try host.must("ip", "link", "add", "link", "bb", "name", "lan0", "type", "macvlan", "mode", "private")
        try host.must("ip", "address", "add", "10.0.0.1/24", "dev", "aa")
        try host.must("ip", "neighbour", "add", "10.0.0.9", "lladdr", "02:00:00:00:00:01", "dev", "aa")
        try host.must("ip", "route", "add", "10.2.0.0/16", "nexthop", "via", "10.0.0.2", "nexthop", "via", "10.0.0.3")
        try host.must("tc", "qdisc", "add", "dev", "aa", "root", "tbf", "rate", "8mbit", "burst", "9k", "limit", "9k")
        var socket = try NetlinkSocket(.route, in: host.namespace)
        var originals: [[UInt8]] = []
        // RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH, RTM_GETRULE, RTM_GETQDISC with the size of each one's fixed part.
        for (type, size) in [(18, 16), (22, 8), (26, 12), (30, 12), (34, 12), (38, 20)] {
            var message = MessageBuilder(type: type)
            for _ in 0..<size / 4 { message.put(header: UInt32(0)) }
            originals += try socket.dump(NetlinkRequest(message, "list", "\(type)")).map { Array($0.bytes) }
        }
        #expect(originals.count > 8)
        var generator = SplitMix.byChance()
        for original in originals {
            for _ in 0..<60 {
                var bytes = original
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    // The header's length and type stay, so that the rest is looked at.
                    bytes[Int.random(in: 8..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
                }
                readAsEverything(bytes)
                let kept = Int.random(in: 16...bytes.count, using: &generator)
                (bytes[0], bytes[1]) = (UInt8(kept & 0xff), UInt8(kept >> 8))
                readAsEverything(Array(bytes[..<kept]))
            }
        }
    }

    /// Reads every message in the bytes as whatever it may be, and returns how much was seen.
    @discardableResult
    private func readAsEverything(_ bytes: [UInt8]) -> Int {
        var seen = 0
        for message in NetlinkMessage.split(bytes[...]) {
            seen += 1
            _ = message.failure?.description
            _ = Link(message)
            _ = InterfaceAddress(message)
            _ = Route(message)
            _ = Neighbour(message)
            _ = ForwardingEntry(message)
            _ = RoutingRule(message)
            _ = Qdisc(message)
            _ = TrafficClass(message)
            _ = TrafficFilter(message)
            _ = BoundSocket(message, .tcp)
            for attribute in Attributes(message.payload) {
                _ = (attribute.u8, attribute.u16, attribute.u32, attribute.u64, attribute.i32, attribute.string)
                seen += attribute.nested.reduce(0) { count, _ in count + 1 }
            }
        }
        return seen
    }

    @Test func `an error says operation, object, errno and the kernel's words`() {
        let error = NetlinkError(
            "create veth", "web0", errno: .fileExists, message: "Name is taken.", hint: "swnet ls")
        #expect(error.description == "create veth web0: file exists: name is taken (swnet ls)")
        #expect(
            NetlinkError("list", "links", errno: .noBufferSpace).description == "list links: no buffer space available")
        let kept = NetlinkError("x", "y", errno: .invalidArgument, message: "MTU too small", missingAttribute: 3)
        #expect(kept.description == "x y: invalid argument: MTU too small: attribute 3 is missing")
    }

    @Test func `sequence numbers are never zero and never meet`() throws {
        var socket = try NetlinkSocket(.sockDiag)
        let first = socket.takeSequenceNumbers(5)
        let second = socket.takeSequenceNumbers()
        #expect(first > 0 && second == first + 5)
    }
}
