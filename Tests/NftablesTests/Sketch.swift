import Addressing
import Nftables

/// The ruleset that NetworkEngine is to have, as the library's first customer.
struct Sketch {
    let table = Table(.inet, "swnet", comment: "swnet layout 1")
    let published4, published6, published4At, published6At: NamedSet
    let bridges, within, internals, guarded, hairpin4, hairpin6, masquerade4, masquerade6: NamedSet

    init() {
        published4 = NamedSet(
            "published4", in: table, map: [.inetProto, .inetService], to: [.ipv4Addr, .inetService],
            comment: "ports published on all addresses")
        published6 = NamedSet("published6", in: table, map: [.inetProto, .inetService], to: [.ipv6Addr, .inetService])
        published4At = NamedSet(
            "published4_at", in: table, map: [.ipv4Addr, .inetProto, .inetService], to: [.ipv4Addr, .inetService])
        published6At = NamedSet(
            "published6_at", in: table, map: [.ipv6Addr, .inetProto, .inetService], to: [.ipv6Addr, .inetService])
        bridges = NamedSet("bridges", in: table, .ifname)
        within = NamedSet("within", in: table, .ifname, .ifname)
        internals = NamedSet("internal", in: table, .ifname)
        guarded = NamedSet("guarded", in: table, .ifname)
        hairpin4 = NamedSet("hairpin4", in: table, .ifname, .ipv4Addr, flags: .interval)
        hairpin6 = NamedSet("hairpin6", in: table, .ifname, .ipv6Addr, flags: .interval)
        masquerade4 = NamedSet("masquerade4", in: table, .ipv4Addr, flags: .interval)
        masquerade6 = NamedSet("masquerade6", in: table, .ipv6Addr, flags: .interval)
    }

    var sets: [NamedSet] {
        [
            published4, published6, published4At, published6At, bridges, within, internals, guarded, hairpin4, hairpin6,
            masquerade4, masquerade6,
        ]
    }

    /// The whole ruleset, with some elements when `populated`.
    func batch(populated: Bool) -> Batch {
        var batch = Batch()
        batch.add(table)
        for set in sets { batch.add(set) }
        let publish = Chain("publish", in: table)
        let inbound = Chain("inbound", in: table)
        batch.add(publish)
        batch.add(inbound)
        guardLoopback(&batch)
        translate(&batch, publish)
        leave(&batch)
        forward(&batch, inbound)
        if populated { populate(&batch) }
        return batch
    }

    private func guardLoopback(_ batch: inout Batch) {
        let loopback = Value.prefix(parsed("127.0.0.0/8"))
        let raw = Chain("raw", in: table, type: .filter, hook: .prerouting, priority: .raw, comment: "martians")
        batch.add(raw)
        batch.add(
            Rule(
                in: raw, .match(.iifname, isNot: "lo"), .match(.ip(.daddr), is: loopback), .drop,
                comment: "to loopback from outside"))
        batch.add(Rule(in: raw, .match(.iifname, isNot: "lo"), .match(.ip(.saddr), is: loopback), .drop))
    }

    private func translate(_ batch: inout Batch, _ publish: Chain) {
        let prerouting = Chain("prerouting", in: table, type: .nat, hook: .prerouting, priority: .dstnat)
        let output = Chain("output", in: table, type: .nat, hook: .output, priority: .dstnat)
        batch.add(prerouting)
        batch.add(Rule(in: prerouting, .match(.fibType(.daddr), is: .local), .jump(publish)))
        batch.add(output)
        batch.add(Rule(in: output, .match(.ip6(.daddr), is: .ipv6(.loopback)), .return))
        batch.add(Rule(in: output, .match(.fibType(.daddr), is: .local), .jump(publish)))
        batch.add(Rule(in: publish, .dnat(.ip, to: [.ip(.daddr), .l4proto, .th(.dport)], map: published4At)))
        batch.add(Rule(in: publish, .dnat(.ip, to: [.l4proto, .th(.dport)], map: published4)))
        batch.add(Rule(in: publish, .dnat(.ip6, to: [.ip6(.daddr), .l4proto, .th(.dport)], map: published6At)))
        batch.add(Rule(in: publish, .dnat(.ip6, to: [.l4proto, .th(.dport)], map: published6)))
    }

    private func leave(_ batch: inout Batch) {
        let postrouting = Chain("postrouting", in: table, type: .nat, hook: .postrouting, priority: .srcnat)
        batch.add(postrouting)
        for (selector, set) in [(Selector.ip(.saddr), hairpin4), (.ip6(.saddr), hairpin6)] {
            batch.add(Rule(in: postrouting, .ctStatus(.dnat), .match([.oifname, selector], in: set), .masquerade))
        }
        batch.add(
            Rule(
                in: postrouting, .match(.ip(.saddr), is: .prefix(parsed("127.0.0.0/8"))), .match(.oifname, in: bridges),
                .masquerade))
        for (selector, set) in [(Selector.ip(.saddr), masquerade4), (.ip6(.saddr), masquerade6)] {
            batch.add(Rule(in: postrouting, .match(selector, in: set), .match(.oifname, notIn: bridges), .masquerade))
        }
    }

    private func forward(_ batch: inout Batch, _ inbound: Chain) {
        let forward = Chain("forward", in: table, type: .filter, hook: .forward, priority: .filter)
        batch.add(Rule(in: inbound, .ctStatus(.dnat), .accept))
        batch.add(Rule(in: inbound, .drop))
        batch.add(forward)
        batch.add(Rule(in: forward, .ctState([.established, .related]), .accept))
        batch.add(Rule(in: forward, .match([.iifname, .oifname], in: within), .accept))
        batch.add(Rule(in: forward, .match(.oifname, in: bridges), .jump(inbound)))
        batch.add(Rule(in: forward, .match(.iifname, in: internals), .drop))
        batch.add(Rule(in: forward, .match(.iifname, in: guarded), .match(.oifname, in: guarded), .drop))
    }

    private func populate(_ batch: inout Batch) {
        let container = Value.ipv4(parsed("10.88.0.2"))
        let container6 = Value.ipv6(parsed("fd00:88::2"))
        batch.create(
            [
                Element([.proto(.tcp), .service(8080)], to: [container, .service(80)], comment: "web"),
                Element([.proto(.udp), .service(53)], to: [container, .service(53)], comment: "dns"),
            ], in: published4)
        batch.create([Element([.proto(.tcp), .service(8080)], to: [container6, .service(80)])], in: published6)
        batch.create(
            [
                Element(
                    [.ipv4(.loopback), .proto(.tcp), .service(6379)], to: [container, .service(6379)], comment: "redis")
            ], in: published4At)
        batch.create(
            [
                Element(
                    [.ipv6(parsed("2001:db8::1")), .proto(.tcp), .service(443)], to: [container6, .service(8443)])
            ], in: published6At)
        batch.add([Element("sw-bridge", comment: "bridge"), Element("sw-lab")], to: bridges)
        batch.add([Element("sw-bridge", "sw-bridge"), Element("sw-lab", "sw-lab")], to: within)
        batch.add([Element("sw-lab")], to: internals)
        batch.add([Element("eth0"), Element("eth1")], to: guarded)
        batch.add([Element("sw-bridge", .prefix(parsed("10.88.0.0/24")), comment: "bridge")], to: hairpin4)
        batch.add([Element("sw-bridge", .prefix(parsed("fd00:88::/64")))], to: hairpin6)
        batch.add(
            [Element(.prefix(parsed("10.88.0.0/24")), comment: "bridge"), Element(.prefix(parsed("10.88.1.0/24")))],
            to: masquerade4)
        batch.add([Element(.prefix(parsed("fd00:88::/64")))], to: masquerade6)
    }
}

extension Sketch {
    /// The same in the words of `nft`, written by hand.
    static let text = """
        table inet swnet {
        	comment "swnet layout 1"
        	map published4 {
        		type inet_proto . inet_service : ipv4_addr . inet_service
        		comment "ports published on all addresses"
        		elements = { tcp . 8080 comment "web" : 10.88.0.2 . 80,
        			     udp . 53 comment "dns" : 10.88.0.2 . 53 }
        	}
        	map published6 {
        		type inet_proto . inet_service : ipv6_addr . inet_service
        		elements = { tcp . 8080 : fd00:88::2 . 80 }
        	}
        	map published4_at {
        		type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
        		elements = { 127.0.0.1 . tcp . 6379 comment "redis" : 10.88.0.2 . 6379 }
        	}
        	map published6_at {
        		type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service
        		elements = { 2001:db8::1 . tcp . 443 : fd00:88::2 . 8443 }
        	}
        	set bridges {
        		type ifname
        		elements = { "sw-bridge" comment "bridge", "sw-lab" }
        	}
        	set within {
        		type ifname . ifname
        		elements = { "sw-bridge" . "sw-bridge", "sw-lab" . "sw-lab" }
        	}
        	set internal {
        		type ifname
        		elements = { "sw-lab" }
        	}
        	set guarded {
        		type ifname
        		elements = { "eth0", "eth1" }
        	}
        	set hairpin4 {
        		type ifname . ipv4_addr
        		flags interval
        		elements = { "sw-bridge" . 10.88.0.0/24 comment "bridge" }
        	}
        	set hairpin6 {
        		type ifname . ipv6_addr
        		flags interval
        		elements = { "sw-bridge" . fd00:88::/64 }
        	}
        	set masquerade4 {
        		type ipv4_addr
        		flags interval
        		elements = { 10.88.0.0/24 comment "bridge", 10.88.1.0/24 }
        	}
        	set masquerade6 {
        		type ipv6_addr
        		flags interval
        		elements = { fd00:88::/64 }
        	}
        	chain publish {
        		dnat ip to ip daddr . meta l4proto . th dport map @published4_at
        		dnat ip to meta l4proto . th dport map @published4
        		dnat ip6 to ip6 daddr . meta l4proto . th dport map @published6_at
        		dnat ip6 to meta l4proto . th dport map @published6
        	}
        	chain inbound {
        		ct status dnat accept
        		drop
        	}
        	chain raw {
        		comment "martians"
        		type filter hook prerouting priority raw; policy accept;
        		iifname != "lo" ip daddr 127.0.0.0/8 drop comment "to loopback from outside"
        		iifname != "lo" ip saddr 127.0.0.0/8 drop
        	}
        	chain prerouting {
        		type nat hook prerouting priority dstnat; policy accept;
        		fib daddr type local jump publish
        	}
        	chain output {
        		type nat hook output priority -100; policy accept;
        		ip6 daddr ::1 return
        		fib daddr type local jump publish
        	}
        	chain postrouting {
        		type nat hook postrouting priority srcnat; policy accept;
        		ct status dnat oifname . ip saddr @hairpin4 masquerade
        		ct status dnat oifname . ip6 saddr @hairpin6 masquerade
        		ip saddr 127.0.0.0/8 oifname @bridges masquerade
        		ip saddr @masquerade4 oifname != @bridges masquerade
        		ip6 saddr @masquerade6 oifname != @bridges masquerade
        	}
        	chain forward {
        		type filter hook forward priority filter; policy accept;
        		ct state established,related accept
        		iifname . oifname @within accept
        		oifname @bridges jump inbound
        		iifname @internal drop
        		iifname @guarded oifname @guarded drop
        	}
        }

        """
}
