import Addressing
import CLinux
import Nftables
import SystemPackage
import TestSupport
import Testing

@Suite("batches")
struct BatchTests {
    let table = Table(.inet, "t")
    var published: NamedSet {
        NamedSet("published", in: table, map: [.inetProto, .inetService], to: [.ipv4Addr, .inetService])
    }
    var nets: NamedSet { NamedSet("nets", in: table, .ipv4Addr, flags: .interval) }
    var subnets: NamedSet { NamedSet("subnets", in: table, .ifname, .ipv4Addr, flags: .interval) }

    func port(_ number: UInt16, _ owner: String? = nil) -> Element {
        Element(
            [.proto(.tcp), .service(number)], to: [.ipv4(IPv4Address(rawValue: 0x0a58_0002)), .service(80)],
            comment: owner)
    }

    func prepared(_ fixture: borrowing NetworkNamespaceFixture) throws -> NftablesSocket {
        var socket = try NftablesSocket(in: fixture.namespace)
        var batch = Batch()
        batch.create(table)
        for set in [published, nets, subnets] { batch.create(set) }
        try socket.commit(batch)
        return socket
    }

    @Test func `the first refused command is named, and nothing of the batch is done`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try NftablesSocket(in: fixture.namespace)
        var batch = Batch()
        batch.add(table)
        batch.add(Chain("good", in: table))
        batch.add(Chain("lost", in: Table(.inet, "missing")))
        batch.add(Rule(in: Chain("absent", in: table), .accept, comment: "web"))
        let error = try #require(throws: NftablesError.self) { try socket.commit(batch) }
        #expect(error.errno == .noSuchFileOrDirectory)
        #expect(error.command == 2)
        #expect(error.description == "add chain inet missing lost: no such file or directory")
        let tables = try socket.tables()
        #expect(tables.isEmpty)
    }

    @Test func `creating what exists fails, adding it does not`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture)
        for (create, words) in [
            ({ (batch: inout Batch) in batch.create(table) }, "create table inet t: file exists"),
            ({ $0.create(published) }, "create map inet t published: file exists"),
        ] {
            var batch = Batch()
            create(&batch)
            let error = #expect(throws: NftablesError.self) { try socket.commit(batch) }
            #expect(error?.description == words)
        }
        var batch = Batch()
        batch.add(table)
        batch.add(published)
        batch.add([port(80)], to: published)
        batch.add([port(80)], to: published)
        try socket.commit(batch)
    }

    @Test func `a port that is taken names the element that has it`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture)
        var first = Batch()
        first.create([port(80, "web"), port(443, "proxy")], in: published)
        try socket.commit(first)
        var second = Batch()
        second.create((400..<500).map { port($0, "db") }, in: published)
        let error = try #require(throws: NftablesError.self) { try socket.commit(second) }
        #expect(error.errno == .fileExists)
        #expect(error.element == port(443, "db"))
        #expect(error.existing?.comment == "proxy")
        #expect(
            error.description
                == "create element tcp . 443 in map inet t published: file exists (the set has tcp . 443 comment \"proxy\" : 10.88.0.2 . 80)"
        )
        let elements = try socket.elements(of: published)
        #expect(elements.count == 2)
    }

    @Test func `the same key twice in one batch is refused`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture)
        var batch = Batch()
        batch.create([port(80, "web")], in: published)
        batch.create([port(80, "db")], in: published)
        let error = try #require(throws: NftablesError.self) { try socket.commit(batch) }
        #expect(error.command == 1)
        #expect(error.element == port(80, "db"))
        #expect(error.existing == nil)
    }

    @Test func `an interval that overlaps names the one it overlaps`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture)
        let small: IPPrefix = parsed("10.1.2.0/24")
        let big: IPPrefix = parsed("10.1.0.0/16")
        var first = Batch()
        first.create([Element(.prefix(small), comment: "lab")], in: nets)
        first.create([Element("sw-lab", .prefix(big), comment: "lab")], in: subnets)
        try socket.commit(first)
        for (set, elements) in [
            (nets, [Element(.prefix(parsed("10.9.0.0/16"))), Element(.prefix(big), comment: "new")]),
            (subnets, [Element("sw-x", .prefix(small)), Element("sw-lab", .prefix(small), comment: "new")]),
        ] {
            var batch = Batch()
            batch.create(elements, in: set)
            let error = try #require(throws: NftablesError.self) { try socket.commit(batch) }
            #expect(error.errno == .fileExists)
            #expect(error.element?.comment == "new", "\(error)")
            #expect(error.existing?.comment == "lab", "\(error)")
        }
    }

    @Test func `a key that is not there names itself when it is deleted`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture)
        var batch = Batch()
        batch.create([port(1), port(2)], in: published)
        batch.delete([port(2), port(3), port(1)], from: published)
        let error = try #require(throws: NftablesError.self) { try socket.commit(batch) }
        #expect(error.description == "delete element tcp . 3 in map inet t published: no such file or directory")
        #expect(error.command == 1)
    }

    @Test func `elements without their set, and a set that is no more, are named`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture)
        var batch = Batch()
        batch.delete(table)
        batch.create([port(1)], in: published)
        let error = try #require(throws: NftablesError.self) { try socket.commit(batch) }
        #expect(
            error.description.hasPrefix("create element tcp . 1 in map inet t published: no such file or directory"))
        let missing = try socket.set("other", of: table)
        #expect(missing == nil)
        let other = NamedSet("other", in: table, .ipv4Addr)
        #expect(throws: NftablesError.self) { try socket.elements(of: other) }
        let element = try socket.element([.ipv4(.any)], of: other)
        #expect(element == nil)
    }

    @Test func `deleting what is in use is refused by name`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture)
        let chain = Chain("c", in: table)
        let target = Chain("target", in: table)
        var batch = Batch()
        batch.add(target)
        batch.add(chain)
        batch.add(Rule(in: chain, .match(.ip(.saddr), in: nets), .jump(target)))
        try socket.commit(batch)
        for (delete, words) in [
            ({ (batch: inout Batch) in batch.delete(nets) }, "delete set inet t nets: "),
            ({ $0.delete(target) }, "delete chain inet t target: "),
        ] {
            var deletion = Batch()
            delete(&deletion)
            let error = try #require(throws: NftablesError.self) { try socket.commit(deletion) }
            #expect(error.errno == .resourceBusy)
            #expect(error.description.hasPrefix(words))
        }
        // A loop of jumps is looked for from the hooks on.
        let base = Chain("base", in: table, type: .filter, hook: .input, priority: .filter)
        var loop = Batch()
        loop.add(base)
        loop.add(Rule(in: base, .jump(chain)))
        loop.add(Rule(in: target, .jump(chain), comment: "round"))
        let error = try #require(throws: NftablesError.self) { try socket.commit(loop) }
        #expect(error.errno == .tooManySymbolicLinkLevels || error.errno == .tooManyLinks, "\(error)")
    }

    @Test(arguments: [
        (Element(.proto(.tcp)), "a key is inet_proto . inet_service, tcp has 1 components"),
        (Element([.proto(.tcp), .service(1)], .nothing), "an element of a map needs data"),
        (Element([.proto(.tcp), .service(1)], .drop), "not of the map's type"),
        (Element([.proto(.tcp), .service(1)], to: [.ipv4(.any)]), "its data is ipv4_addr . inet_service"),
        (Element([.proto(.tcp), .ipv4(.any)], to: [.ipv4(.any), .service(1)]), "0.0.0.0 is no inet_service"),
        (Element([.proto(.tcp), .bytes([1, 2, 3])], to: [.ipv4(.any), .service(1)]), "0x010203 is no inet_service"),
        (Element([.proto(.tcp), .services(parsed("1-9"))], to: [.ipv4(.any), .service(1)]), "lacks the flag"),
        (
            Element(
                [.proto(.tcp), .service(1)], to: [.ipv4(.any), .service(1)], comment: String(repeating: "x", count: 129)
            ),
            "a comment has 0 to 128 bytes, this one has 129"
        ),
    ])
    func `an element that does not fit is refused before it is sent`(_ element: Element, _ words: String) throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture)
        var batch = Batch()
        batch.add([port(80), element], to: published)
        let error = try #require(throws: NftablesError.self) { try socket.commit(batch) }
        #expect(error.errno == .invalidArgument)
        #expect(error.element == element)
        #expect(error.description.contains(words), "\(error)")
        let elements = try socket.elements(of: published)
        #expect(elements.isEmpty)
    }

    @Test func `names have 1 to 255 bytes`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try NftablesSocket(in: fixture.namespace)
        let longest = String(repeating: "n", count: 255)
        let table = Table(.inet, longest, comment: String(repeating: "c", count: 128))
        let chain = Chain(longest, in: table)
        let set = NamedSet(longest, in: table, .ifname)
        var batch = Batch()
        batch.create(table)
        batch.create(chain)
        batch.create(set)
        batch.add(Rule(in: chain, .match(.iifname, in: set), .drop, comment: String(repeating: "c", count: 128)))
        try socket.commit(batch)
        var read = try #require(try socket.table(.inet, longest))
        read.handle = nil
        #expect(read == table)
        let rules = try socket.rules(of: chain)
        #expect(rules.first?.comment?.count == 128)
        for name in ["", longest + "n", "a\0b"] {
            for wrong in [
                { (batch: inout Batch) in batch.add(Table(.inet, name)) },
                { $0.add(Chain(name, in: table)) },
                { $0.add(NamedSet(name, in: table, .ifname)) },
                { $0.delete(Chain(name, in: table)) },
                { $0.add(Rule(in: chain, .jump(Chain(name, in: table)))) },
                { $0.add(Rule(in: chain, .match(.iifname, in: NamedSet(name, in: table, .ifname)))) },
            ] {
                var batch = Batch()
                wrong(&batch)
                let error = #expect(throws: NftablesError.self) { try socket.commit(batch) }
                #expect(error?.errno == .invalidArgument)
            }
        }
    }

    @Test func `a key longer than the registers is refused`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture)
        var batch = Batch()
        batch.add(NamedSet("wide", in: table, .ipv6Addr, .ipv6Addr, .ipv6Addr, .ipv6Addr, .inetService))
        let error = #expect(throws: NftablesError.self) { try socket.commit(batch) }
        #expect(error?.description.contains("has 68 bytes, the registers 64") == true)
        var widest = Batch()
        widest.add(NamedSet("wide", in: table, .ipv6Addr, .ipv6Addr, .ipv6Addr, .ipv6Addr))
        try socket.commit(widest)
    }

    @Test func `an empty batch asks nothing of the kernel`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try NftablesSocket(in: fixture.namespace)
        try socket.commit(Batch())
    }

    @Test func `without the right to change anything, the error says which it is`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try NftablesSocket(in: fixture.namespace)
        var batch = Batch()
        batch.add(table)
        batch.add(published)
        var (effective, permitted, inheritable): ([UInt32], [UInt32], [UInt32]) = ([0, 0], [0, 0], [0, 0])
        swn_capget(&effective, &permitted, &inheritable)
        let none: [UInt32] = [0, 0]
        // Capabilities are a thread's own, and the effective ones can be had back.
        swn_capset(none, permitted, inheritable)
        defer { swn_capset(effective, permitted, inheritable) }
        let error = try #require(throws: NftablesError.self) { try socket.commit(batch) }
        #expect(
            error.description
                == "commit 2 changes: operation not permitted (needs CAP_NET_ADMIN in the network namespace)")
    }

    @Test func `a rule that names what is not there says what may be missing`() throws {
        let fixture = try NetworkNamespaceFixture()
        var socket = try prepared(fixture)
        let chain = Chain("c", in: table)
        var batch = Batch()
        batch.add(chain)
        batch.add(
            Rule(in: chain, .match(.ip(.saddr), in: NamedSet("nobody", in: table, .ipv4Addr)), .drop, comment: "web"))
        let error = try #require(throws: NftablesError.self) { try socket.commit(batch) }
        #expect(error.errno == .noSuchFileOrDirectory)
        #expect(error.description.hasPrefix("add rule 'web' of chain inet t c: no such file or directory"))
        #expect(error.hint?.hasSuffix("meta, cmp, payload, lookup, immediate") == true)
    }
}
