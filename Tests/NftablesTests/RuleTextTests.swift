import Foundation
import Nftables
import TestSupport
import Testing

@Suite("rules in words, with nft list as the oracle")
struct RuleTextTests {
    /// What `nft` loads and what it prints of it are the same here, but for what is named.
    private static let rules = [
        "iifname != \"lo\" ip daddr 127.0.0.0/8 drop", "ip saddr 10.0.0.0/12 accept", "ip6 daddr ::1 return",
        "ip6 saddr fd00::/10 accept", "iifname \"sw-*\" accept", "tcp dport 22 accept", "udp sport 53 drop",
        "tcp dport 80-90 accept", "tcp sport != 80-90 accept", "ct state established,related accept",
        "ct state invalid drop", "ct status dnat accept", "fib daddr type local jump other",
        "fib saddr . iif oif 0 drop", "meta mark 0x00000010 return", "meta l4proto tcp reject with tcp reset",
        "tcp dport { 22, 80, 443 } accept", "ip saddr @friends accept", "iifname . oifname @within accept",
        "oifname != @names drop", "iifname vmap @verdicts", "icmp type echo-request accept", "notrack",
        "log prefix \"hello \"", "meta mark set 0x00000010", "meta nftrace set 1", "ip protocol tcp accept",
        "ether saddr 02:00:00:00:00:01 drop", "tcp flags syn drop",
    ]

    @Test func `a rule reads as nft prints it`() throws {
        let host = try NetworkNamespaceFixture()
        try host.nftLoad(
            """
            table inet t {
                set friends { type ipv4_addr; }
                set within { type ifname . ifname; }
                set names { type ifname; }
                map verdicts { type ifname : verdict; }
                chain other { }
                chain c {
                    type filter hook prerouting priority raw;
                    \(Self.rules.joined(separator: "\n        "))
                }
            }
            """)
        var socket = try NftablesSocket(in: host.namespace)
        let table = try #require(try socket.table(.inet, "t"))
        let sets = try socket.sets(of: table)
        var elements: [String: [Element]] = [:]
        for set in sets where set.name.hasPrefix("__") { elements[set.name] = try socket.elements(of: set) }
        let reader = RuleText(sets: sets, elements: elements)
        let told = try socket.rules(of: table).map(reader.text)
        let listed = try host.nftList("chain", "inet", "t", "c").split(separator: "\n")
            .map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.hasPrefix("table") && !$0.hasPrefix("chain") && !$0.hasPrefix("type") && $0 != "}" }
        try #require(told.count == listed.count)
        for (mine, theirs) in zip(told, listed) {
            // nft orders a set's elements, and says "& x != 0" of flags in its own ways.
            if theirs.contains("{ 22") {
                #expect(mine.contains("80") && mine.contains("443") && mine.hasPrefix("tcp dport { "), "\(mine)")
            } else if theirs.hasPrefix("tcp flags") {
                #expect(mine.hasPrefix("tcp flags") && mine.contains("syn"), "\(mine)")
            } else {
                #expect(mine == theirs)
            }
        }
    }

    @Test func `rules about frames read as nft prints them`() throws {
        let host = try NetworkNamespaceFixture()
        let rules = [
            "ip protocol tcp drop", "ip daddr 10.0.0.1 accept", "ip6 saddr fd00::/10 accept", "ether type arp accept",
            "ether saddr 02:00:00:00:00:01 drop", "tcp dport 22 accept", "iifname \"veth0\" drop",
        ]
        try host.nftLoad(
            "table bridge t { chain c { type filter hook forward priority 0; \(rules.joined(separator: "; ")); }; }")
        var socket = try NftablesSocket(in: host.namespace)
        let table = try #require(try socket.table(.bridge, "t"))
        let told = try socket.rules(of: table).map(RuleText().text)
        let listed = try host.nftList("chain", "bridge", "t", "c").split(separator: "\n")
            .map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.hasPrefix("table") && !$0.hasPrefix("chain") && !$0.hasPrefix("type") && $0 != "}" }
        #expect(told == listed)
    }

    @Test func `translations read as nft prints them`() throws {
        let host = try NetworkNamespaceFixture()
        let rules = [
            "dnat ip to meta l4proto . th dport map @m", "tcp dport 80 dnat ip to 10.0.0.1:8080",
            "udp dport 53 dnat ip6 to [fd00::1]:53", "udp dport 53 dnat to :61053", "tcp dport 81 redirect to :80",
            "ip daddr 192.0.2.1 dnat ip to 10.0.0.2",
        ]
        try host.nftLoad(
            """
            table inet t {
                map m { type inet_proto . inet_service : ipv4_addr . inet_service; }
                chain c { type nat hook prerouting priority dstnat; \(rules.joined(separator: "; ")); }
            }
            """)
        var socket = try NftablesSocket(in: host.namespace)
        let table = try #require(try socket.table(.inet, "t"))
        let reader = RuleText(sets: try socket.sets(of: table))
        #expect(try socket.rules(of: table).map(reader.text) == rules)
    }

    @Test func `what has no words is named, and nothing traps`() throws {
        let host = try NetworkNamespaceFixture()
        try host.nftLoad(
            """
            table inet t {
            chain c { type filter hook input priority 0;
                limit rate 10/second accept; meta length 100-200 drop; tcp option maxseg size 1400 drop
                ct mark & 0xff == 1 accept; @th,0,8 0x41 drop; numgen inc mod 2 0 accept
            }
            }
            """)
        var socket = try NftablesSocket(in: host.namespace)
        let table = try #require(try socket.table(.inet, "t"))
        let texts = try socket.rules(of: table).map(RuleText().text)
        #expect(texts.count == 6 && texts.allSatisfy { !$0.isEmpty }, "\(texts)")
        #expect(texts[0].contains("(limit)") && texts[0].hasSuffix("accept"), "\(texts)")
    }

    @Test func `an owned table goes with its socket, and nobody else's flush takes it`() async throws {
        let host = try NetworkNamespaceFixture()
        var table = Table(.inet, "mine")
        table.isOwned = true
        do {
            var socket = try NftablesSocket(in: host.namespace)
            var batch = Batch()
            batch.create(table)
            try socket.commit(batch)
            #expect(try socket.table(.inet, "mine")?.isOwned == true)
            try host.must("nft", "flush", "ruleset")
            #expect(try host.nftList("tables").contains("inet mine"))
        }
        #expect(try await eventually { try host.nftList("tables") == "" })
    }
}
