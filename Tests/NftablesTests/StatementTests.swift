import Addressing
import Nftables
import TestSupport
import Testing

@Suite("statements")
struct StatementTests {
    let table = Table(.inet, "t")
    var chain: Chain { Chain("c", in: table) }
    var addresses: NamedSet { NamedSet("m", in: table, map: [.ipv4Addr], to: [.ipv4Addr]) }
    var verdicts: NamedSet { NamedSet("v", in: table, verdicts: [.ifname]) }
    var services: NamedSet { NamedSet("s", in: table, .ipv6Addr, .inetProto, .inetService) }

    /// Each statement with what `nft` calls it.
    var vocabulary: [([Statement], String)] {
        [
            ([.match(.th(.dport), is: .services(parsed("80-90"))), .accept], "th dport 80-90 accept"),
            ([.match(.th(.sport), isNot: .services(parsed("80-90"))), .accept], "th sport != 80-90 accept"),
            (
                [.match(.tcp(.dport), is: .service(22)), .counter, .accept],
                "tcp dport 22 counter packets 0 bytes 0 accept"
            ),
            ([.match(.udp(.sport), is: .service(53)), .drop], "udp sport 53 drop"),
            ([.trace()], "meta nftrace set 1"),
            ([.trace(false)], "meta nftrace set 0"),
            ([.setMark(16)], "meta mark set 0x00000010"),
            ([.setConntrackMark(16)], "ct mark set 0x00000010"),
            ([.match(.mark, is: .integer(16)), .return], "meta mark 0x00000010 return"),
            ([.match(.mark, mask: 0xff, is: 0x10), .accept], "meta mark & 0x000000ff == 0x00000010 accept"),
            ([.match(.ct(.mark), is: .integer(1)), .continue], "ct mark 0x00000001 continue"),
            ([.match(.nfproto, is: .nfproto(.ip)), .accept], "meta nfproto ipv4 accept"),
            ([.match(.l4proto, is: .proto(.tcp)), .reject(.tcpReset)], "meta l4proto tcp reject with tcp reset"),
            ([.reject(.tcpReset)], "meta l4proto tcp reject with tcp reset"),
            ([.reject()], "reject"),
            ([.reject(.prohibited)], "reject with icmpx admin-prohibited"),
            ([.log(prefix: "hello ")], "log prefix \"hello \""),
            ([.log()], "log"),
            ([.notrack], "notrack"),
            (
                [.match(.l4proto, is: .proto(.tcp)), .dnat(to: .v4(parsed("10.0.0.1")), port: 80)],
                "meta l4proto tcp dnat ip to 10.0.0.1:80"
            ),
            (
                [.match(.l4proto, is: .proto(.udp)), .dnat(to: .v6(parsed("fd00::1")), port: 53)],
                "meta l4proto udp dnat ip6 to [fd00::1]:53"
            ),
            ([.snat(to: .v4(parsed("10.0.0.1")))], "snat ip to 10.0.0.1"),
            ([.snat(.ip, to: [.ip(.daddr)], map: addresses)], "snat ip to ip daddr map @m"),
            ([.match(.udp(.dport), is: .service(53)), .dnat(port: 61053)], "udp dport 53 dnat to :61053"),
            ([.redirect()], "redirect"),
            ([.match(.l4proto, is: .proto(.tcp)), .redirect(port: 80)], "meta l4proto tcp redirect to :80"),
            ([.masquerade], "masquerade"),
            ([.ctState(.invalid), .drop], "ct state invalid drop"),
            ([.ctState([.new, .untracked]), .drop], "ct state new,untracked drop"),
            ([.ctStatus([.snat, .dnat]), .accept], "ct status snat,dnat accept"),
            ([.match(.ct(.direction), is: .bytes([0])), .accept], "ct direction original accept"),
            ([.vmap([.iifname], verdicts)], "iifname vmap @v"),
            (
                [.match(.oifname, prefix: "sw-"), .counter, .accept],
                "oifname \"sw-*\" counter packets 0 bytes 0 accept"
            ),
            ([.match(.fibType(.daddr), isNot: .local), .drop], "fib daddr type != local drop"),
            ([.match(.fibType([.saddr, .iif]), is: .unicast), .drop], "fib saddr . iif type unicast drop"),
            ([.match(.ip(.saddr), is: .prefix(parsed("10.0.0.0/12"))), .accept], "ip saddr 10.0.0.0/12 accept"),
            ([.match(.ip(.saddr), isNot: .prefix(parsed("10.0.0.0/24"))), .drop], "ip saddr != 10.0.0.0/24 drop"),
            ([.match(.ip(.saddr), is: .prefix(parsed("10.1.2.3/32"))), .drop], "ip saddr 10.1.2.3 drop"),
            (
                [.match(.ip(.daddr), is: .range(.ipv4(parsed("10.0.0.1")), .ipv4(parsed("10.0.0.9"))))],
                "ip daddr 10.0.0.1-10.0.0.9"
            ),
            ([.match(.ip6(.saddr), is: .prefix(parsed("fe80::/10"))), .accept], "ip6 saddr fe80::/10 accept"),
            ([.match(.ip6(.daddr), isNot: .prefix(parsed("fd00::/64"))), .drop], "ip6 daddr != fd00::/64 drop"),
            (
                [.match([.ip6(.daddr), .l4proto, .th(.dport)], notIn: services), .drop],
                "ip6 daddr . meta l4proto . th dport != @s drop"
            ),
            ([.match(.pkttype, is: .bytes([1])), .drop], "meta pkttype broadcast drop"),
            ([.match(.iif, is: .integer(1)), .accept], "iif \"lo\" accept"),
            ([.match(.icmpType, is: .bytes([8])), .accept], "icmp type echo-request accept"),
            ([.match(.icmpv6Type, is: .bytes([134])), .drop], "icmpv6 type nd-router-advert drop"),
            (
                [.match(.ip(.saddr), is: .ipv4(.loopback)), .match(.ip(.daddr), is: .ipv4(.loopback)), .drop],
                "ip saddr 127.0.0.1 ip daddr 127.0.0.1 drop"
            ),
            ([.goto(Chain("other", in: table))], "goto other"),
        ]
    }

    @Test func `nft calls every statement as we do`() throws {
        let ours = try NetworkNamespaceFixture()
        var socket = try NftablesSocket(in: ours.namespace)
        var batch = preamble
        for (statements, _) in vocabulary { batch.add(Rule(chain: chain.reference, statements)) }
        try socket.commit(batch)
        let listed = try ours.normalizedList("chain", "inet", "t", "c")
        #expect(Array(listed.dropFirst(2).dropLast(2)) == vocabulary.map(\.1))
    }

    @Test func `nft makes the same expressions of the same words`() throws {
        let ours = try NetworkNamespaceFixture()
        let theirs = try NetworkNamespaceFixture()
        var socket = try NftablesSocket(in: ours.namespace)
        var other = try NftablesSocket(in: theirs.namespace)
        var batch = preamble
        for (statements, _) in vocabulary { batch.add(Rule(chain: chain.reference, statements)) }
        try socket.commit(batch)
        try other.commit(preamble)
        try theirs.nftLoad(vocabulary.map { "add rule inet t c \($0.1)\n" }.joined())
        let rules = try socket.rules(of: chain).map(\.statements)
        let expected = try other.rules(of: chain).map(\.statements)
        #expect(rules.count == vocabulary.count)
        for ((ours, theirs), words) in zip(zip(rules, expected), vocabulary) { #expect(ours == theirs, "\(words.1)") }
    }

    @Test func `a rule read from the kernel can be added again`() throws {
        let ours = try NetworkNamespaceFixture()
        var socket = try NftablesSocket(in: ours.namespace)
        var batch = preamble
        for (statements, words) in vocabulary { batch.add(Rule(chain: chain.reference, statements, comment: words)) }
        try socket.commit(batch)
        let before = try ours.nftList("chain", "inet", "t", "c")
        let rules = try socket.rules(of: chain)
        #expect(rules.map(\.comment) == vocabulary.map(\.1))
        #expect(rules.flatMap(\.expressions).contains(.counter(packets: 0, bytes: 0)))
        var again = Batch()
        again.flush(chain)
        for rule in rules { again.add(rule) }
        try socket.commit(again)
        let after = try ours.nftList("chain", "inet", "t", "c")
        #expect(before == after)
    }

    @Test func `rules are placed, replaced and deleted by handle`() throws {
        let ours = try NetworkNamespaceFixture()
        var socket = try NftablesSocket(in: ours.namespace)
        var batch = preamble
        batch.add(Rule(in: chain, .accept, comment: "a"))
        batch.add(Rule(in: chain, .accept, comment: "c"))
        try socket.commit(batch)
        let handles = try socket.rules(of: chain).compactMap(\.handle)
        var change = Batch()
        change.add(Rule(in: chain, .accept, comment: "b"), after: handles[0])
        change.insert(Rule(in: chain, .accept, comment: "0"))
        change.insert(Rule(in: chain, .accept, comment: "bc"), before: handles[1])
        change.replace(handle: handles[1], with: Rule(in: chain, .drop, comment: "C"))
        change.deleteRule(handle: handles[0], of: chain)
        try socket.commit(change)
        let comments = try socket.rules(of: chain).map(\.comment)
        #expect(comments == ["0", "b", "bc", "C"])
        var flush = Batch()
        flush.flush(table)
        try socket.commit(flush)
        let none = try socket.rules(of: table)
        #expect(none.isEmpty)
    }

    @Test(arguments: [
        ([Statement.match(.ip(.saddr), is: .service(80))], "ip saddr is ipv4_addr, 80 is not"),
        ([.match(.ip(.saddr), is: .ipv4(.loopback)), .match(.ip6(.saddr), is: .ipv6(.any))], "the packet is ip"),
        ([.match(.tcp(.dport), is: .service(1)), .match(.udp(.dport), is: .service(1))], "the packet is tcp"),
        ([.match(.iifname, is: "sixteen-letters-")], "is not"),
        ([.match(.iifname, is: "")], "is not"),
        ([.match(.th(.dport), is: .range(.service(9), .service(1)))], "is empty"),
        ([.match(.mark, is: .range(.integer(1), .integer(9)))], "machine's order"),
        ([.log(prefix: String(repeating: "x", count: 127))], "a log prefix"),
        (
            [.match(.oifname, in: NamedSet("s", in: Table(.inet, "t"), .ipv4Addr))],
            "the key of set inet t s is ipv4_addr"
        ),
        (
            [
                .dnat(
                    .ip6, to: [.ip(.daddr)],
                    map: NamedSet("m", in: Table(.inet, "t"), map: [.ipv4Addr], to: [.ipv4Addr]))
            ],
            "has no data of type ipv6_addr"
        ),
        (Array(repeating: .accept, count: 129), "at most 128 expressions"),
    ])
    func `a rule that makes no sense is refused before it is sent`(_ statements: [Statement], _ words: String) throws {
        let ours = try NetworkNamespaceFixture()
        var socket = try NftablesSocket(in: ours.namespace)
        var batch = preamble
        batch.add(Rule(chain: chain.reference, statements, comment: "web"))
        let error = #expect(throws: NftablesError.self) { try socket.commit(batch) }
        let text = error?.description ?? ""
        #expect(text.hasPrefix("add rule 'web' of chain inet t c: invalid argument: "))
        #expect(text.contains(words), "\(text)")
        let tables = try socket.tables()
        #expect(tables.isEmpty)
    }

    @Test func `a table of one family needs no match of it and sees no other`() throws {
        let ours = try NetworkNamespaceFixture()
        var socket = try NftablesSocket(in: ours.namespace)
        let table = Table(.ip, "four")
        let chain = Chain("c", in: table, type: .filter, hook: .input, priority: -5, policy: .drop, comment: "strict")
        var batch = Batch()
        batch.create(table)
        batch.create(chain)
        batch.add(Rule(in: chain, .match(.ip(.saddr), is: .ipv4(.loopback)), .reject()))
        batch.add(Rule(in: chain, .reject(.prohibited)))
        try socket.commit(batch)
        let rules = try socket.rules(of: chain)
        #expect(rules.first?.statements.count == 3)
        let listed = try ours.normalizedList("ruleset")
        #expect(
            listed == [
                "table ip four {", "chain c {", "comment \"strict\"",
                "type filter hook input priority filter - 5; policy drop;", "ip saddr 127.0.0.1 reject",
                "reject with icmp admin-prohibited", "}", "}",
            ])
        let read = try socket.chains(of: table)
        #expect(read.map(\.base) == [chain.base] && read.map(\.comment) == ["strict"])
        var wrong = Batch()
        wrong.add(Rule(in: chain, .match(.ip6(.saddr), is: .ipv6(.loopback))))
        #expect(throws: NftablesError.self) { try socket.commit(wrong) }
    }

    private var preamble: Batch {
        var batch = Batch()
        batch.add(table)
        batch.add(addresses)
        batch.add(verdicts)
        batch.add(services)
        batch.add(chain)
        batch.add(Chain("other", in: table))
        return batch
    }
}
