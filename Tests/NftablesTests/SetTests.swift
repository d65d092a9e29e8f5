import Addressing
import Nftables
import TestSupport
import Testing

@Suite("sets and maps")
struct SetTests {
    static let table = Table(.inet, "t")

    struct Kind: Sendable, CustomTestStringConvertible {
        var set: NamedSet
        var elements: [Element]
        /// The same in nft's words.
        var words: String
        var listed: String?
        var testDescription: String { self.set.name }
    }

    static func v4(_ text: String) -> Value { .ipv4(parsed(text)) }
    static func v6(_ text: String) -> Value { .ipv6(parsed(text)) }
    static func net(_ text: String) -> Value { .prefix(parsed(text)) }

    static let plain: [Kind] = [
        Kind(
            set: NamedSet("a4", in: table, .ipv4Addr, comment: "some hosts"),
            elements: [Element(v4("10.0.0.1"), comment: "one"), Element(v4("10.0.0.2"))],
            words:
                "set a4 { type ipv4_addr; comment \"some hosts\"; elements = { 10.0.0.1 comment \"one\", 10.0.0.2 } }"),
        Kind(
            set: NamedSet("a6", in: table, .ipv6Addr), elements: [Element(v6("2001:db8::1"))],
            words: "set a6 { type ipv6_addr; elements = { 2001:db8::1 } }"),
        Kind(
            set: NamedSet("names", in: table, .ifname, size: 64),
            elements: [Element("lo"), Element("fifteen-letters")],
            words: "set names { type ifname; size 64; elements = { \"lo\", \"fifteen-letters\" } }"),
        Kind(
            set: NamedSet("ports", in: table, .inetService),
            elements: [Element(.service(80)), Element(.service(65535))],
            words: "set ports { type inet_service; elements = { 80, 65535 } }"),
        Kind(
            set: NamedSet("protocols", in: table, .inetProto),
            elements: [Element(.proto(.tcp)), Element(.proto(.udp))],
            words: "set protocols { type inet_proto; elements = { tcp, udp } }"),
        Kind(
            set: NamedSet("marks", in: table, .mark), elements: [Element(.integer(1)), Element(.integer(0xdead_beef))],
            words: "set marks { type mark; elements = { 1, 0xdeadbeef } }"),
        Kind(
            set: NamedSet("macs", in: table, .etherAddr),
            elements: [Element(.ether(parsed("02:00:00:00:00:01")), comment: "one")],
            words: "set macs { type ether_addr; elements = { 02:00:00:00:00:01 comment \"one\" } }"),
        Kind(
            set: NamedSet("states", in: table, .ctState), elements: [Element(.integer(ConntrackState.new.rawValue))],
            words: "set states { type ct_state; elements = { new } }"),
        Kind(
            set: NamedSet("pairs", in: table, .ifname, .ifname), elements: [Element("a", "b"), Element("b", "a")],
            words: "set pairs { type ifname . ifname; elements = { \"a\" . \"b\", \"b\" . \"a\" } }"),
        Kind(
            set: NamedSet("mixed", in: table, .inetProto, .etherAddr, .mark, .inetService),
            elements: [
                Element(.proto(.udp), .ether(parsed("02:00:00:00:00:01")), .integer(7), .service(53), comment: "x")
            ],
            words: """
                set mixed { type inet_proto . ether_addr . mark . inet_service
                elements = { udp . 02:00:00:00:00:01 . 7 . 53 comment "x" } }
                """),
    ]

    static let intervals: [Kind] = [
        Kind(
            set: NamedSet("nets4", in: table, .ipv4Addr, flags: .interval),
            elements: [
                Element(v4("10.0.0.7")), Element(net("10.1.0.0/24"), comment: "adjacent"), Element(net("10.1.1.0/24")),
                Element(.range(v4("10.2.0.1"), v4("10.2.0.9")), comment: "range"),
                Element(net("224.0.0.0/3"), comment: "end"),
            ],
            words: """
                set nets4 { type ipv4_addr; flags interval; elements = { 10.0.0.7, 10.1.0.0/24 comment "adjacent",
                10.1.1.0/24, 10.2.0.1-10.2.0.9 comment "range", 224.0.0.0/3 comment "end" } }
                """),
        Kind(
            set: NamedSet("all4", in: table, .ipv4Addr, flags: .interval), elements: [Element(net("0.0.0.0/0"))],
            words: "set all4 { type ipv4_addr; flags interval; elements = { 0.0.0.0/0 } }"),
        Kind(
            set: NamedSet("nets6", in: table, .ipv6Addr, flags: .interval),
            elements: [Element(net("2001:db8::/32"), comment: "doc"), Element(v6("::1")), Element(net("fe80::/10"))],
            words: """
                set nets6 { type ipv6_addr; flags interval
                elements = { 2001:db8::/32 comment "doc", ::1, fe80::/10 } }
                """),
        Kind(
            set: NamedSet("ranges", in: table, .inetService, flags: .interval),
            elements: [
                Element(.services(parsed("1000-2000"))), Element(.range(.service(0), .service(9))),
                Element(.service(65535)),
            ],
            words: "set ranges { type inet_service; flags interval; elements = { 1000-2000, 0-9, 65535 } }"),
        Kind(
            set: NamedSet("subnets4", in: table, .ifname, .ipv4Addr, flags: .interval),
            elements: [
                Element("sw-a", net("10.0.0.0/24"), comment: "a"), Element("sw-b", v4("10.0.0.1")),
                Element("sw-b", .range(v4("10.0.1.3"), v4("10.0.1.9"))),
            ],
            words: """
                set subnets4 { type ifname . ipv4_addr; flags interval; elements = { "sw-a" . 10.0.0.0/24 comment "a",
                "sw-b" . 10.0.0.1, "sw-b" . 10.0.1.3-10.0.1.9 } }
                """),
        Kind(
            set: NamedSet("subnets6", in: table, .ifname, .ipv6Addr, flags: .interval),
            elements: [Element("sw-a", net("fd00:1::/64")), Element("sw-b", net("::/0"))],
            words: """
                set subnets6 { type ifname . ipv6_addr; flags interval
                elements = { "sw-a" . fd00:1::/64, "sw-b" . ::/0 } }
                """),
        Kind(
            set: NamedSet("services", in: table, .ipv4Addr, .inetProto, .inetService, flags: .interval),
            elements: [Element(net("10.0.0.0/8"), .proto(.tcp), .services(parsed("80-90")), comment: "web")],
            words: """
                set services { type ipv4_addr . inet_proto . inet_service; flags interval
                elements = { 10.0.0.0/8 . tcp . 80-90 comment "web" } }
                """),
    ]

    static let maps: [Kind] = [
        Kind(
            set: NamedSet(
                "m4", in: table, map: [.inetProto, .inetService], to: [.ipv4Addr, .inetService], comment: "published"),
            elements: [Element([.proto(.tcp), .service(80)], to: [v4("10.0.0.1"), .service(8080)], comment: "web")],
            words: """
                map m4 { type inet_proto . inet_service : ipv4_addr . inet_service; comment "published"
                elements = { tcp . 80 comment "web" : 10.0.0.1 . 8080 } }
                """),
        Kind(
            set: NamedSet("m6", in: table, map: [.ipv6Addr, .inetProto, .inetService], to: [.ipv6Addr, .inetService]),
            elements: [Element([v6("::1"), .proto(.udp), .service(53)], to: [v6("fd00::1"), .service(5353)])],
            words: """
                map m6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service
                elements = { ::1 . udp . 53 : fd00::1 . 5353 } }
                """),
        Kind(
            set: NamedSet("marking", in: table, map: [.ifname], to: [.mark]),
            elements: [Element(["lo"], to: [.integer(7)])],
            words: "map marking { type ifname : mark; elements = { \"lo\" : 7 } }"),
        Kind(
            set: NamedSet("by_subnet", in: table, map: [.ipv4Addr], to: [.ipv4Addr], flags: .interval),
            elements: [Element([net("10.0.0.0/24")], to: [v4("192.0.2.1")], comment: "x")],
            words: """
                map by_subnet { type ipv4_addr : ipv4_addr; flags interval
                elements = { 10.0.0.0/24 comment "x" : 192.0.2.1 } }
                """),
        Kind(
            set: NamedSet("verdicts", in: table, verdicts: [.ifname]),
            elements: [Element(["a"], .drop), Element(["b"], .jump("other"), comment: "x"), Element(["c"], .accept)],
            words:
                "map verdicts { type ifname : verdict; elements = { \"a\" : drop, \"b\" comment \"x\" : jump other, \"c\" : accept } }"
        ),
    ]

    @Test(arguments: plain + intervals + maps)
    func `nft lists a set as it lists the same loaded by nft, and we read it back`(_ kind: Kind) throws {
        let ours = try NetworkNamespaceFixture()
        let theirs = try NetworkNamespaceFixture()
        var socket = try NftablesSocket(in: ours.namespace)
        var batch = Batch()
        batch.add(Self.table)
        batch.add(Chain("other", in: Self.table))
        batch.add(kind.set)
        batch.create(kind.elements, in: kind.set)
        try socket.commit(batch)
        try theirs.nftLoad("table inet t { chain other { }\n\(kind.words)\n}")
        let listed = try ours.normalizedList("table", "inet", "t")
        let expected = try theirs.normalizedList("table", "inet", "t")
        #expect(listed == expected)

        // What nft wrote, too, is read: its intervals are laid out by someone else.
        var other = try NftablesSocket(in: theirs.namespace)
        for elements in [try socket.elements(of: kind.set), try other.elements(of: kind.set)] {
            #expect(Swift.Set(elements) == Swift.Set(kind.elements))
            #expect(elements.count == kind.elements.count)
        }
        var read = try #require(try socket.set(kind.set.name, of: Self.table))
        #expect(read.handle != nil)
        read.handle = nil
        #expect(read == kind.set)
        let all = try socket.sets(of: Self.table)
        #expect(all.map(\.name) == [kind.set.name])
        for element in kind.elements {
            let found = try socket.element(element.key.map(\.anyOne), of: kind.set)
            #expect(found == element)
        }

        // Deleted one by one by key, nothing is left.
        for element in kind.elements {
            var deletion = Batch()
            deletion.delete([Element(element.key, .nothing)], from: kind.set)
            try socket.commit(deletion)
        }
        let left = try socket.elements(of: kind.set)
        #expect(left.isEmpty)
        var end = Batch()
        end.delete(kind.set)
        end.delete(Self.table)
        try socket.commit(end)
        let ruleset = try ours.nftList("ruleset")
        #expect(ruleset.isEmpty)
    }

    @Test func `the machine's JSON of nft has our elements and comments`() throws {
        let ours = try NetworkNamespaceFixture()
        var socket = try NftablesSocket(in: ours.namespace)
        var batch = Batch()
        batch.add(Self.table)
        for kind in Self.maps { batch.add(kind.set) }
        batch.create(Self.maps[0].elements, in: Self.maps[0].set)
        try socket.commit(batch)
        let json = try ours.must("nft", "-j", "list", "map", "inet", "t", "m4")
        #expect(json.contains(#""type": ["inet_proto", "inet_service"]"#), "\(json)")
        #expect(json.contains(#""map": "ipv4_addr . inet_service""#))
        #expect(
            json.contains(
                #"[{"elem": {"val": {"concat": ["tcp", 80]}, "comment": "web"}}, {"concat": ["10.0.0.1", 8080]}]"#))
    }

    @Test func `a key inside an interval finds the interval, a key outside nothing`() throws {
        let ours = try NetworkNamespaceFixture()
        var socket = try NftablesSocket(in: ours.namespace)
        let nets = Self.intervals[0]
        let subnets = Self.intervals[4]
        var batch = Batch()
        batch.add(Self.table)
        for kind in [nets, subnets] {
            batch.add(kind.set)
            batch.add(kind.elements, to: kind.set)
        }
        try socket.commit(batch)
        let inside = try socket.element([Self.v4("10.2.0.5")], of: nets.set)
        #expect(inside?.comment == "range")
        let outside = try socket.element([Self.v4("10.2.0.10")], of: nets.set)
        #expect(outside == nil)
        let subnet = try socket.element(["sw-a", Self.v4("10.0.0.200")], of: subnets.set)
        #expect(subnet?.comment == "a")
        let elsewhere = try socket.element(["sw-b", Self.v4("10.0.0.200")], of: subnets.set)
        #expect(elsewhere == nil)
    }
}

extension Value {
    /// A single value that this one stands for.
    var anyOne: Value {
        switch self {
        case .range(let first, _): first
        case .prefix(let prefix): .address(prefix.network.address)
        default: self
        }
    }
}
