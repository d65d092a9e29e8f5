import TestSupport
import Testing

/// The firewall of networks of every kind, as swnet makes it and as an administrator would write it for `nft -f`.
@Suite(
    "the same firewall by hand",
    .enabled("aardvark-dns is not installed") {
        try await Command.run(["test", "-x", "/usr/lib/podman/aardvark-dns"]).status == 0
    })
struct FirewallDifferentialTests {
    /// What the networks are; `swnet` is ours.
    private static let networks = #"""
        swnet create lab --subnet 10.44.0.0/24 --subnet fd00:44::/64
        swnet create closed --internal --subnet 10.45.0.0/24
        swnet create tenants --subnet 10.46.0.0/24 --subnet fd00:46::/64 --isolation strict --isolate-ports --antispoof
        swnet create open --isolation off --subnet 10.47.0.0/24
        swnet create pairs -d ptp --subnet 10.48.0.0/24 --subnet fd00:48::/64
        swnet create mail --source 192.0.2.1 --source 2001:db8::1 --subnet 10.49.0.0/24 --subnet fd00:49::/64
        swnet create wide -d vxlan --opt vni=42 --opt peers=192.0.2.2 --subnet 10.51.0.0/24
        swnet create plain --source none --subnet 10.50.0.0/24
        for name in web db guest peer; do ip netns add $name; done
        swnet connect lab web -p 8080:80 -p 5353:53/udp -p 127.0.0.1:5300:53/udp -p '[2001:db8::1]:9000-9001:90-91'
        swnet connect closed db
        swnet connect tenants guest --mac 02:00:00:00:00:07 --host-ifname guest0 -p 9090:90
        swnet connect pairs peer --host-ifname sw-peer0
        """#

    /// The same, rule for rule and fact for fact. What swnet's firewall gets, loses or changes is to be written here too:
    /// each rule is a line. The tables' comments are left out: they say which layout it is.
    private static let byHand = #"""
        table inet swnet {
            set networks {
                type ifname . ifname
                elements = {
                    "sw-lab" . "sw-lab" comment "lab",
                    "sw-closed" . "sw-closed" comment "closed",
                    "sw-tenants" . "sw-tenants" comment "tenants",
                    "sw-open" . "sw-open" comment "open",
                    "sw-mail" . "sw-mail" comment "mail",
                    "sw-plain" . "sw-plain" comment "plain",
                    "sw-wide" . "sw-wide" comment "wide",
                    "sw-peer0" . "sw-peer0" comment "pairs",
                }
            }
            set internal { type ifname; elements = { "sw-closed" }; }
            set strict { type ifname; elements = { "sw-tenants" }; }
            set open { type ifname; elements = { "sw-open" }; }
            set plain { type ifname; elements = { "sw-plain" }; }
            set tunnels { type inet_service; elements = { 4789 }; }
            set guarded { type nf_proto . ifname; elements = { ipv4 . "eth0", ipv6 . "eth0" }; }
            set routed4 { type ifname . ipv4_addr; flags interval; elements = { "sw-peer0" . 10.48.0.0/24 }; }
            set routed6 { type ifname . ipv6_addr; flags interval; elements = { "sw-peer0" . fd00:48::/64 }; }

            set apart { type ifname . ifname; elements = { "sw-tenants" . "sw-tenants" }; }
            set itself4 {
                type ether_addr . ipv4_addr . ipv4_addr
                elements = { 02:00:00:00:00:07 . 10.46.0.2 . 10.46.0.2 }
            }
            set itself6 {
                type ether_addr . ipv6_addr . ipv6_addr
                elements = { 02:00:00:00:00:07 . fd00:46::2 . fd00:46::2 }
            }

            map published4 {
                type inet_proto . inet_service : ipv4_addr . inet_service
                elements = {
                    tcp . 8080 comment "web" : 10.44.0.2 . 80,
                    udp . 5353 comment "web" : 10.44.0.2 . 53,
                    tcp . 9090 comment "guest" : 10.46.0.2 . 90,
                }
            }
            map published6 {
                type inet_proto . inet_service : ipv6_addr . inet_service
                elements = {
                    tcp . 8080 comment "web" : fd00:44::2 . 80,
                    udp . 5353 comment "web" : fd00:44::2 . 53,
                    tcp . 9090 comment "guest" : fd00:46::2 . 90,
                }
            }
            map published4_at {
                type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
                elements = {
                    127.0.0.1 . udp . 5300 comment "web" : 10.44.0.2 . 53,
                }
            }
            map published6_at {
                type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service
                elements = {
                    2001:db8::1 . tcp . 9000 comment "web" : fd00:44::2 . 90,
                    2001:db8::1 . tcp . 9001 comment "web" : fd00:44::2 . 91,
                }
            }
            map source4 {
                type ipv4_addr : ipv4_addr
                flags interval
                elements = {
                    10.49.0.0/24 comment "mail" : 192.0.2.1,
                }
            }
            map source6 {
                type ipv6_addr : ipv6_addr
                flags interval
                elements = {
                    fd00:49::/64 comment "mail" : 2001:db8::1,
                }
            }

            chain raw {
                type filter hook prerouting priority raw
                iifname != "lo" ip daddr 127.0.0.0/8 drop comment "loopback is never reached from outside"
                iifname != "lo" ip saddr 127.0.0.0/8 drop comment "nobody outside is loopback"
                udp dport @tunnels iifname . iifname @networks drop comment "no sandbox is another host of a network"
                iifname "sw-*" meta priority set 7377:6e00 comment "seen"
            }
            chain prerouting {
                type nat hook prerouting priority dstnat
                udp dport domain iifname . iifname @networks fib daddr . iif type local dnat to :61053 comment "names are asked at the gateway"
                tcp dport domain iifname . iifname @networks fib daddr . iif type local dnat to :61053 comment "names are asked at the gateway"
                th dport 61053 fib daddr type local fib daddr . iif type != local drop comment "names are for their own network"
                fib daddr type local jump publish comment "never what is only passing through"
            }
            chain output {
                type nat hook output priority -100
                fib daddr type local jump publish comment "the host's own connections"
            }
            chain publish {
                ip6 daddr ::1 return comment "the kernel cannot translate ::1; a relay listens there, or a refusal sends to 127.0.0.1"
                dnat ip to ip daddr . meta l4proto . th dport map @published4_at comment "ports of one address"
                dnat ip6 to ip6 daddr . meta l4proto . th dport map @published6_at comment "ports of one address"
                dnat ip to meta l4proto . th dport map @published4 comment "ports of all addresses"
                dnat ip6 to meta l4proto . th dport map @published6 comment "ports of all addresses"
            }
            chain forward {
                type filter hook forward priority filter
                ct state established,related accept comment "answers"
                iifname . oifname @apart ether saddr . ip saddr . ip daddr @itself4 ct status dnat accept comment "an isolated port's own published ports"
                iifname . oifname @apart ether saddr . ip6 saddr . ip6 daddr @itself6 ct status dnat accept comment "an isolated port's own published ports"
                iifname . oifname @apart drop comment "isolated ports, however they are reached"
                iifname . oifname @networks accept comment "inside one network"
                iifname . ip daddr @routed4 oifname . oifname @networks accept comment "inside one network, through the host"
                iifname . ip6 daddr @routed6 oifname . oifname @networks accept comment "inside one network, through the host"
                iifname @internal drop comment "no way out"
                oifname @internal drop comment "no way in"
                iifname @strict oifname . oifname @networks drop comment "not even published ports of another network"
                oifname @strict iifname . iifname @networks drop comment "not even published ports for another network"
                iifname @open oifname @open accept comment "networks without isolation"
                oifname . oifname @networks ct status dnat accept comment "published ports"
                oifname . oifname @networks drop comment "unpublished ports, and other networks"
                meta nfproto . iifname @guarded meta nfproto . oifname @guarded drop comment "forwarding is on for our networks only"
            }
            chain postrouting {
                type nat hook postrouting priority srcnat
                ct status dnat iifname . oifname @networks masquerade comment "a neighbour reached by the host's address answers through the host"
                ct status dnat iif 0 oifname . oifname @networks fib saddr type != local masquerade comment "a neighbour reached by the host's address answers through the host"
                iifname @plain oifname . oifname != @networks return comment "outgoing connections keep their addresses"
                oifname . oifname != @networks snat ip to ip saddr map @source4 comment "outgoing connections take the address that was asked for"
                oifname . oifname != @networks snat ip6 to ip6 saddr map @source6 comment "outgoing connections take the address that was asked for"
                iifname . iifname @networks oifname . oifname != @networks masquerade comment "outgoing connections take the host's address"
                ip saddr 127.0.0.0/8 oifname . oifname @networks masquerade comment "127.0.0.1 means something else in a container"
            }
            chain seen {
                type filter hook postrouting priority 2147483647
                oifname . oifname @networks meta priority set 7377:6e00 comment "without this mark nothing leaves to a sandbox"
            }
        }
        table bridge swnet {
            set ports {
                type ifname
                comment "ports whose frames are looked at"
                elements = {
                    "guest0" comment "guest",
                }
            }
            set own4 {
                type ifname . ether_addr . ipv4_addr
                comment "whose is what: port, Ethernet address, address"
                elements = { "guest0" . 02:00:00:00:00:07 . 10.46.0.2 }
            }
            set own6 {
                type ifname . ether_addr . ipv6_addr
                comment "whose is what: port, Ethernet address, address"
                elements = { "guest0" . 02:00:00:00:00:07 . fd00:46::2, "guest0" . 02:00:00:00:00:07 . fe80::ff:fe00:7 }
            }

            chain guarded {
                comment "what an endpoint sends has to be its own"
                iifname . ether saddr . ip saddr @own4 accept comment "IPv4"
                icmpv6 type nd-router-advert drop comment "an endpoint is no router"
                icmpv6 type nd-redirect drop comment "an endpoint is no router"
                iifname . ether saddr . ip6 saddr @own6 accept comment "IPv6"
                ip6 saddr :: icmpv6 type mld2-listener-report accept comment "groups are joined before there is an address"
                iifname . arp saddr ether . arp saddr ip @own4 iifname . ether saddr . arp saddr ip @own4 accept comment "ARP"
                drop comment "another's address, or another protocol"
            }
            chain prerouting {
                type filter hook prerouting priority -300
                iifname @ports goto guarded
            }
        }
        """#

    /// The fourth of the chain `guarded`, which nft has words for since it knows where a neighbour's address is, and prints
    /// with numbers before that, which it does not read again.
    private static let neighbours = "neighbours are told of one's own addresses"
    private static var neighbourRule: Regex<(Substring, Substring)> {
        #/icmpv6 type nd-neighbor-advert iifname . ether saddr . (@th,64,128|icmpv6 taddr) != @own6 drop comment /#
    }

    /// Each thing of the ruleset is a line, without what the kernel has numbered; rules are in their order.
    private static let dump = #"""
        dump() {
            nft -j list ruleset | jq -cS '[.nftables[] | select(.metainfo | not) | del(.. | .handle?)
                    | if .table then del(.table.comment) else . end]
                | (map(select(.rule | not)) | map(if .set.elem then .set.elem |= sort elif .map.elem then .map.elem |= sort
                    else . end) | sort[]),
                (map(select(.rule)) | group_by([.rule.family, .rule.chain])[][])'
        }
        """#

    private func firewall(of host: NetworkHost, _ lines: String) async throws -> [String] {
        let result = try await host.shell("set -e; \(Self.dump)\n\(lines)\ndump")
        guard result.status == 0 else { throw CommandError("\(result)") }
        return result.lines
    }

    private func load(_ script: String) -> String { "nft -f - <<'END'\n\(script)\nEND" }

    private func byHand(_ script: String) async throws -> [String] {
        var lines: [String] = []
        try await NetworkHost.with { host in lines = try await firewall(of: host, load(script)) }
        return lines
    }

    @Test func `every kind of network, every kind of port`() async throws {
        var ours: [String] = []
        try await NetworkHost.with { host in
            ours = try await firewall(
                of: host,
                """
                sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
                swnet() { \(NetworkHost.swnet) "$@" >/run/told 2>&1 || { cat /run/told >&2; return 1; }; }
                \(Self.networks)
                """)
            let rule = try await host.must(["nft", "list", "chain", "bridge", "swnet", "guarded"])
            #expect(rule.contains(Self.neighbourRule), "\(rule)")
            let rules = rule.split(separator: "\n").filter { $0.contains(" comment \"") }
            #expect(rules.firstIndex { $0.contains(Self.neighbours) } == 3)
        }
        ours.removeAll { $0.contains(Self.neighbours) }
        let theirs = try await byHand(Self.byHand)
        #expect(ours.filter { !theirs.contains($0) } == [])
        #expect(theirs.filter { !ours.contains($0) } == [])
        #expect(ours == theirs)
        #expect(ours.count > 50)
    }

    /// What is compared is all of it: without any one of its rules the firewall by hand is another, and with two of them
    /// the other way round.
    @Test func `a rule that is missing is seen`() async throws {
        let lines = Self.byHand.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let rules = lines.indices.filter { lines[$0].hasSuffix("\"") && lines[$0].contains(#/\w comment "/#) }
        #expect(rules.count > 30)
        try await NetworkHost.with { host in
            let whole = try await firewall(of: host, load(Self.byHand))
            for rule in rules {
                var script = lines
                script.remove(at: rule)
                let rest = try await firewall(of: host, "nft flush ruleset; " + load(script.joined(separator: "\n")))
                #expect(rest.count == whole.count - 1, "\(lines[rule])")
            }
            var script = lines
            script.swapAt(rules[0], rules[1])
            let turned = try await firewall(of: host, "nft flush ruleset; " + load(script.joined(separator: "\n")))
            #expect(turned != whole && turned.sorted() == whole.sorted())
        }
    }
}
