import Addressing
import Foundation
import Glibc
@testable import Nftables
import SystemPackage
import TestSupport
import Testing

@Suite("large batches")
struct LargeBatchTests {
    let table = Table(.inet, "t")
    var published: NamedSet {
        NamedSet(
            "published", in: table, map: [.ipv6Addr, .inetProto, .inetService], to: [.ipv6Addr, .inetService])
    }
    let address: IPv6Address = parsed("2001:db8::1")

    func port(_ number: UInt16, _ comment: String? = nil) -> Element {
        Element(
            [.ipv6(address), .proto(.tcp), .service(number)], to: [.ipv6(address), .service(number)], comment: comment)
    }

    func prepared(_ fixture: borrowing NetworkNamespaceFixture, _ sets: [NamedSet]) throws -> NftablesSocket {
        var socket = try NftablesSocket(in: fixture.namespace)
        var batch = Batch()
        batch.create(table)
        for set in sets { batch.create(set) }
        try socket.commit(batch)
        return socket
    }

    @Test func `10,000 elements are added, listed and deleted in a batch each`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture, [published])
        let elements = (1...10000).map { port($0, "owner \($0)") }
        var batch = Batch()
        batch.create(elements, in: published)
        let clock = ContinuousClock()
        let addition = try clock.measure { try socket.commit(batch) }
        let listed = try socket.elements(of: published)
        #expect(listed.count == 10000)
        // As a Bool: a difference of thousands is nothing to read.
        let isSame = Swift.Set(listed) == Swift.Set(elements)
        #expect(isSame, "\(Swift.Set(elements).subtracting(listed).count) are missing")
        let json = try fixture.must("nft", "-j", "list", "map", "inet", "t", "published")
        #expect(json.components(separatedBy: "\"comment\"").count == 10001)
        var deletion = Batch()
        deletion.delete(elements, from: published)
        let removal = try clock.measure { try socket.commit(deletion) }
        let left = try socket.elements(of: published)
        #expect(left.isEmpty)
        print("10,000 elements: added in \(addition), deleted in \(removal)")
    }

    @Test func `an answer with an element twice is no set`() {
        func stored(_ key: UInt8, isEnd: Bool = false) -> StoredElement {
            var element = StoredElement()
            (element.key, element.isEnd) = ([key, 0], isEnd)
            return element
        }
        #expect(StoredElement.areDifferent([]))
        #expect(StoredElement.areDifferent([stored(1), stored(2), stored(1, isEnd: true)]))
        #expect(!StoredElement.areDifferent([stored(1), stored(2), stored(1)]))
    }

    @Test func `1,000 elements are added in a few milliseconds`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture, [published])
        var batch = Batch()
        batch.create((1...1000).map { port($0, "web") }, in: published)
        // The processor's time of this thread, the kernel's part included: other tests run meanwhile.
        let start = threadTime()
        try socket.commit(batch)
        let duration = Duration.nanoseconds(threadTime() - start)
        print("1,000 elements: added in \(duration)")
        // The build is not optimised; an optimised one takes two.
        #expect(duration < .milliseconds(60))
    }

    @Test func `the longest comments and keys split at the length of an attribute`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture, [published])
        // 1023 to 1026 cross the blocks in which libnftnl's objects are made.
        for count in [1, 300, 1023, 1024, 1025, 1026, 3000] {
            let elements = (1...count).map { port(UInt16($0), String(repeating: "c", count: 128)) }
            var batch = Batch()
            batch.flush(published)
            batch.create(elements, in: published)
            try socket.commit(batch)
            let listed = try socket.elements(of: published)
            #expect(Swift.Set(listed) == Swift.Set(elements))
        }
    }

    @Test func `intervals split between messages stay whole`() throws {
        let fixture = try NetworkNamespaceFixture()
        let nets = NamedSet("nets", in: table, .ipv4Addr, flags: .interval)
        let pairs = NamedSet("pairs", in: table, .ifname, .ipv4Addr, flags: .interval)
        var socket = try prepared(fixture, [nets, pairs])
        let prefixes = (0..<5000).compactMap { index in
            IPPrefix(
                address: .v4(IPv4Address(rawValue: 0x0a00_0000 + UInt32(index) << 8)), length: index % 2 == 0 ? 24 : 25)
        }
        let elements = prefixes.map { Element(.prefix($0), comment: "\($0)") }
        let concatenated = prefixes.prefix(1000).map { Element("sw-bridge", .prefix($0), comment: "\($0)") }
        var batch = Batch()
        batch.create(elements, in: nets)
        batch.create(concatenated, in: pairs)
        try socket.commit(batch)
        let listed = try socket.elements(of: nets)
        #expect(listed == elements)
        let both = try socket.elements(of: pairs)
        #expect(Swift.Set(both) == Swift.Set(concatenated))
        var deletion = Batch()
        deletion.delete(elements, from: nets)
        deletion.delete(concatenated, from: pairs)
        try socket.commit(deletion)
        let left = try socket.elements(of: nets)
        #expect(left.isEmpty)
    }

    @Test(arguments: [0, 1, 777, 5000, 9999])
    func `the one of 10,000 that is taken is named`(_ index: Int) throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture, [published])
        let taken = UInt16(index + 1)
        var first = Batch()
        first.create([port(taken, "first")], in: published)
        try socket.commit(first)
        var second = Batch()
        second.create((1...10000).map { port($0, "second") }, in: published)
        let error = try #require(throws: NftablesError.self) { try socket.commit(second) }
        #expect(error.element == port(taken, "second"))
        #expect(error.existing == port(taken, "first"))
        let left = try socket.elements(of: published)
        #expect(left.count == 1)
    }

    @Test func `a table emptied behind our back is noticed and can be built anew`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture, [published])
        var batch = Batch()
        batch.create((1...3000).map { port($0) }, in: published)
        try socket.commit(batch)
        try fixture.must("nft", "flush", "ruleset")
        let gone = try socket.table(.inet, "t")
        #expect(gone == nil)
        let error = try #require(throws: NftablesError.self) { try socket.commit(batch) }
        #expect(error.errno == .noSuchFileOrDirectory)
        var anew = Batch()
        anew.create(table)
        anew.create(published)
        anew.append(batch)
        try socket.commit(anew)
        let listed = try socket.elements(of: published)
        #expect(listed.count == 3000)
    }

    @Test func `10,000 rules and 2,000 refusals`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture, [])
        let chain = Chain("c", in: table)
        var batch = Batch()
        batch.add(chain)
        for port in 1...10000 {
            batch.add(Rule(in: chain, .match(.th(.dport), is: .service(UInt16(port))), .accept, comment: "\(port)"))
        }
        try socket.commit(batch)
        let rules = try socket.rules(of: chain)
        #expect(rules.map(\.comment) == (1...10000).map { "\($0)" })
        var wrong = Batch()
        for handle in 1...2000 { wrong.deleteRule(handle: 1_000_000 + UInt64(handle), of: chain) }
        let error = try #require(throws: NftablesError.self) { try socket.commit(wrong) }
        #expect(error.command == 0)
        // The socket is as good as before.
        let again = try socket.rules(of: chain)
        #expect(again.count == 10000)
    }
}

/// Nanoseconds that the calling thread has had of the processor.
private func threadTime() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
