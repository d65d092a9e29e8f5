import TestSupport
import Testing

/// Firewalls of others that drop what they do not know.
@Suite("foreign firewalls")
struct ForeignFirewallTests {
    /// What each of them is made by, and the chain that is told.
    static let firewalls: [(make: String, chain: String)] = [
        (
            """
            nft add table inet theirs
            nft add chain inet theirs f '{ type filter hook forward priority 10; policy drop; }'
            """, "inet theirs f"
        ),
        (
            """
            nft add table inet theirs
            nft add chain inet theirs p '{ type filter hook prerouting priority -50; policy drop; }'
            nft add rule inet theirs p 'iifname { "lo", "eth0" } accept'
            nft add rule inet theirs p 'ct state established,related accept'
            nft add chain inet theirs o '{ type filter hook postrouting priority 10; policy drop; }'
            nft add rule inet theirs o 'oifname { "lo", "eth0" } accept'
            nft add rule inet theirs o 'ct state established,related accept'
            """, "inet theirs p"
        ),
        (
            """
            nft add table inet firewalld
            nft add chain inet firewalld filter_FORWARD '{ type filter hook forward priority filter + 10; }'
            nft add rule inet firewalld filter_FORWARD ct state established accept
            nft add rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited
            """, "inet firewalld filter_FORWARD"
        ),
        (
            """
            nft add table inet theirs
            nft add chain inet theirs last; nft add rule inet theirs last counter drop
            nft add chain inet theirs inner
            nft add rule inet theirs inner tcp dport 25 return; nft add rule inet theirs inner goto last
            nft add chain inet theirs f '{ type filter hook forward priority 10; policy accept; }'
            nft add rule inet theirs f ct state established accept; nft add rule inet theirs f jump inner
            """, "inet theirs f"
        ),
        (
            """
            for t in ip ip6; do nft add table $t a
            nft add chain $t a f '{ type filter hook forward priority 1; policy drop; }'; done
            """, "ip a f"
        ),
        ("iptables-nft -P FORWARD DROP; ip6tables-nft -P FORWARD DROP", "ip filter FORWARD"),
        (
            """
            iptables-nft -A FORWARD -m comment --comment default -j REJECT --reject-with icmp-host-prohibited
            ip6tables-nft -A FORWARD -j REJECT --reject-with icmp6-adm-prohibited
            """, "ip filter FORWARD"
        ),
        (
            """
            for t in iptables-nft ip6tables-nft; do $t -N DOCKER-USER; $t -A DOCKER-USER -j RETURN
            $t -A FORWARD -j DOCKER-USER; $t -A FORWARD -i docker0 -j ACCEPT; $t -P FORWARD DROP; done
            """, "ip filter FORWARD"
        ),
    ]

    private func reached(_ host: NetworkHost) async throws {
        #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
        #expect(try await host.answer("TCP:[2001:db8::1]:8080", at: .neighbour) == "2001:db8::2 web")
        #expect(try await host.run(["ping", "-c1", "-W9", "192.0.2.2"], at: .inside("web")).status == 0)
        #expect(try await host.run(["ping", "-c1", "-W9", "2001:db8::2"], at: .inside("web")).status == 0)
        // And nothing more than before.
        let (v4, v6) = try await host.addresses(of: "web")
        #expect(try await host.ask("TCP:\(v4):80", at: .neighbour) == nil)
        #expect(try await host.ask("TCP:[\(v6)]:80", at: .neighbour) == nil)
    }

    @Test(arguments: firewalls.indices)
    func `said once, opened on request, closed with the last network`(index: Int) async throws {
        try await NetworkHost.with { host in
            let (make, chain) = Self.firewalls[index]
            let made = try await host.shell(make)
            try #require(made.status == 0, "\(made)")
            let before = try await host.must(["nft", "-s", "list", "ruleset"])
            try await host.must(["ip", "netns", "add", "web"])
            let first = try await host.swnet("connect", "bridge", "web")
            #expect(first.status == 0 && first.errors.contains("chain \(chain)"), "\(first)")
            #expect(first.errors.contains("swnet repair --foreign"), "\(first)")
            // The first port says it again, no other.
            #expect(try await host.swnet("publish", "web", "8080:80").errors.contains("chain \(chain)"))
            #expect(try await host.swnet("publish", "web", "8081:80").errors.isEmpty)
            try await host.must(["ip", "netns", "add", "two"])
            #expect(try await host.swnet("connect", "bridge", "two").errors.isEmpty)
            _ = try await host.listen("web", ["tcp"], port: 80)
            #expect(try await host.ask("TCP:192.0.2.1:8080", at: .neighbour) == nil)
            let found = try await host.swnet("check")
            #expect(found.status == 0 && found.output.contains("chain \(chain)"), "\(found)")
            // A plain repair leaves it alone.
            try await host.swnet("repair")
            #expect(try await host.ask("TCP:192.0.2.1:8080", at: .neighbour) == nil)

            let repaired = try await host.swnet("repair", "--foreign")
            #expect(repaired.status == 0 && repaired.output.contains("chain \(chain)"), "\(repaired)")
            try await reached(host)
            #expect(try await host.net("check") == "")
            // Twice is once.
            let rules = try await host.must(["nft", "-s", "list", "ruleset"])
            try await host.net("repair", "--foreign")
            #expect(try await host.must(["nft", "-s", "list", "ruleset"]) == rules)
            if chain.hasPrefix("ip filter") {
                let list = try await host.must(["iptables-nft", "-S"])
                #expect(list.contains("-i sw-+") && list.contains("-o sw-+"), "\(list)")
            }
            // When it is lost, for instance because that firewall was started again, it is seen and put back.
            try await host.shell(
                """
                for c in $(nft -a list ruleset | awk '/^table/ {t = $2 " " $3} /chain/ {c = $2} /swnet: / {print t "," c "," $NF}' \\
                    | tr ' ' ':'); do IFS=:, read f t c h <<<"$c"; nft delete rule $f $t $c handle $h; done
                """)
            #expect(try await host.swnet("check").status == 1)
            try await host.net("repair")
            try await reached(host)

            for name in ["web", "two"] { try await host.net("disconnect", "bridge", name) }
            try await host.net("rm", "bridge")
            #expect(try await host.must(["nft", "-s", "list", "ruleset"]) == before)
            #expect(try await host.run(["ls", "/run/swnet/foreign"]).status != 0)
        }
    }

    @Test func `what the administrator has opened himself is no obstacle`() async throws {
        try await NetworkHost.with { host in
            try await host.shell(
                """
                nft add table inet theirs
                nft add chain inet theirs f '{ type filter hook forward priority 10; policy drop; }'
                nft add rule inet theirs f 'iifname "sw-*" accept'
                nft add rule inet theirs f 'oifname "sw-*" counter accept comment "mine"'
                """)
            _ = try await host.serve("web", on: "bridge")
            let published = try await host.swnet("publish", "web", "8080:80")
            #expect(published.errors.isEmpty, "\(published)")
            try await reached(host)
            #expect(try await host.net("check") == "")
            // Nor is a chain that lets pass what it does not know, or is about something else.
            try await host.shell(
                """
                nft add table inet others
                nft add chain inet others a '{ type filter hook forward priority 20; policy accept; }'
                nft add rule inet others a tcp dport 25 drop
                nft add chain inet others b '{ type filter hook input priority 20; policy drop; }'
                nft add rule inet others b iifname lo accept; nft add rule inet others b ct state established,related accept
                nft add rule inet others b 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept'
                nft add chain inet others back
                nft add rule inet others back return; nft add rule inet others back drop
                nft add chain inet others c '{ type filter hook forward priority 21; policy accept; }'
                nft add rule inet others c ip daddr 198.51.100.7 drop; nft add rule inet others c jump back
                nft add chain inet others d '{ type filter hook forward priority 22; policy accept; }'
                nft add rule inet others d goto back; nft add rule inet others d drop
                nft add chain inet others every
                nft add rule inet others every counter accept
                nft add chain inet others e '{ type filter hook forward priority 23; policy drop; }'
                nft add rule inet others e jump every
                iptables-nft -A FORWARD -j ACCEPT; iptables-nft -A FORWARD -j DROP
                """)
            #expect(try await host.net("check") == "")
        }
    }

    @Test(
        .enabled("nftables of this kernel know no bridges by name") {
            let line = """
                nft add table bridge t && nft add chain bridge t c '{ type filter hook forward priority 0; }' &&
                    nft add rule bridge t c meta ibrname x accept
                """
            return try await Command.run(["unshare", "-n", "bash", "-c", line]).status == 0
        }, arguments: ["forward", "input", "output", "prerouting", "postrouting"])
    func `chains that frames of bridges go through`(hook: String) async throws {
        try await NetworkHost.with { host in
            _ = try await host.serve("one", on: "bridge")
            _ = try await host.serve("two", on: "bridge")
            let (v4, v6) = try await host.addresses(of: "two")
            try await host.must([
                "nft",
                "add table bridge theirs; add chain bridge theirs c { type filter hook \(hook) priority 0; policy drop; }",
            ])
            let isReached = {
                let answers = [
                    try await host.ask("TCP:\(v4):80", at: .inside("one")), try await host.ask("TCP:[\(v6)]:80"),
                ]
                return !answers.contains(nil)
            }
            #expect(try await !isReached())
            let found = try await host.swnet("check")
            #expect(found.status == 0 && found.output.contains("chain bridge theirs c: it drops"), "\(found)")
            try await host.net("repair", "--foreign")
            #expect(try await eventually { try await isReached() })
            #expect(try await host.net("check") == "")
            for name in ["one", "two"] { try await host.net("disconnect", "bridge", name) }
            try await host.net("rm", "bridge")
            #expect(try await !host.must(["nft", "list", "ruleset"]).contains("sw-"))
        }
    }

    @Test(arguments: ["input", "output"])
    func `chains that questions for Ethernet addresses go through`(hook: String) async throws {
        try await NetworkHost.with { host in
            try await host.must([
                "nft",
                "add table arp theirs; add chain arp theirs c { type filter hook \(hook) priority 0; policy drop; }",
            ])
            try await host.must(["ip", "netns", "add", "web"])
            let connected = try await host.swnet("connect", "bridge", "web")
            #expect(connected.status == 0 && connected.errors.contains("chain arp theirs c: it drops"), "\(connected)")
            let isReached = {
                // A reply to a question of the other side's teaches the address, too.
                try await host.must(["ip", "neighbour", "flush", "all"])
                try await host.must(["ip", "neighbour", "flush", "all"], at: .inside("web"))
                let bridge = try await host.json(["ip", "-4", "-j", "address", "show", "dev", "sw-bridge"])
                let gateway = bridge[0]["addr_info"][0]["local"].text ?? ""
                return try await host.run(["ping", "-c1", "-W1", gateway], at: .inside("web")).status == 0
            }
            #expect(try await !isReached())
            let found = try await host.swnet("check")
            #expect(found.status == 0 && found.output.contains("chain arp theirs c: it drops"), "\(found)")
            try await host.net("repair", "--foreign")
            #expect(try await isReached())
            #expect(try await host.net("check") == "")
            try await host.net("disconnect", "bridge", "web")
            try await host.net("rm", "bridge")
            #expect(try await !host.must(["nft", "list", "ruleset"]).contains("sw-"))
        }
    }

    /// What the host itself sends to sandboxes, and what they ask it.
    @Test(arguments: ["inet", "legacy"])
    func `the host's own packets`(kind: String) async throws {
        try await NetworkHost.with { host in
            _ = try await host.serve("web", on: "bridge")
            try await host.net("publish", "web", "8080:80")
            let made = try await host.shell(
                kind == "inet"
                    ? """
                    set -e; nft add table inet theirs
                    nft add chain inet theirs o '{ type filter hook output priority 0; policy drop; }'
                    nft add rule inet theirs o 'oifname { "lo", "eth0" } accept'
                    nft add chain inet theirs i '{ type filter hook input priority 0; policy drop; }'
                    nft add rule inet theirs i 'iifname "lo" accept'; nft add rule inet theirs i ct state established accept
                    nft add rule inet theirs i iifname eth0 meta l4proto ipv6-icmp accept
                    """
                    : """
                    set -e; for t in iptables-legacy ip6tables-legacy; do
                    $t -A OUTPUT -o lo -j ACCEPT; $t -A OUTPUT -o eth0 -j ACCEPT; $t -P OUTPUT DROP; done
                    """)
            try #require(made.status == 0, "\(made)")
            let (v4, _) = try await host.addresses(of: "web")
            #expect(try await host.ask("TCP:\(v4):80") == nil)
            let found = try await host.swnet("check")
            let chains =
                kind == "inet"
                ? ["inet theirs o", "inet theirs i"]
                : ["ip filter OUTPUT (iptables", "ip6 filter OUTPUT (iptables"]
            for chain in chains { #expect(found.output.contains("chain \(chain)"), "\(found)") }
            let isReached = {
                // The gateway's address is forgotten, so that it is asked for.
                try await host.must(["ip", "neighbour", "flush", "all"], at: .inside("web"))
                return try await host.run(["ping", "-c1", "-W2", "2001:db8::2"], at: .inside("web")).status == 0
            }
            #expect(try await !isReached())
            try await host.net("repair", "--foreign")
            #expect(try await host.net("check") == "")
            #expect(try await eventually { try await isReached() })
            #expect(try await host.answer("TCP:\(v4):80") != nil)
            if kind == "inet" {
                // And nothing more than before: what else they ask the host is refused.
                _ = try host.start(["socat", "TCP4-LISTEN:99,fork", "-"])
                let routes = try await host.json(["ip", "-j", "route", "show", "default"], at: .inside("web"))
                #expect(try await host.ask("TCP:\(routes[0]["gateway"].text ?? ""):99", at: .inside("web")) == nil)
            }
            try await host.net("unpublish", "web", "8080:80")
            try await host.net("disconnect", "bridge", "web")
            try await host.net("rm", "bridge")
            let left = try await host.shell("nft list ruleset; iptables-legacy-save; ip6tables-legacy-save")
            #expect(!left.output.contains("sw-"), "\(left)")
        }
    }

    /// It is theirs, and so are the rules about it.
    @Test(.enabled("this kernel has no br_netfilter") { try await Self.hasBridgeFilter() })
    func `frames on a bridge of somebody else's`() async throws {
        try await NetworkHost.with { host in
            try await host.shell(
                """
                ip link add br0 type bridge; ip link set br0 up; sysctl -qw net.bridge.bridge-nf-call-iptables=1
                nft add table inet theirs
                nft add chain inet theirs f '{ type filter hook forward priority 0; policy drop; }'
                """)
            try await host.net(
                "create", "lan", "-o", "bridge=br0", "--subnet", "10.60.0.0/24", "--gateway", "10.60.0.1")
            let words = "chain inet theirs f: it drops what it does not know, frames on bridge br0 too"
            try await host.must(["ip", "netns", "add", "one"])
            let first = try await host.swnet("connect", "lan", "one")
            #expect(first.status == 0 && first.errors.contains(words), "\(first)")
            _ = try await host.serve("two", on: "lan")
            let (v4, _) = try await host.addresses(of: "two")
            #expect(try await host.ask("TCP:\(v4):80", at: .inside("one")) == nil)
            let found = try await host.swnet("check")
            #expect(found.status == 0 && found.output.contains(words), "\(found)")
            try await host.must(["nft", "insert rule inet theirs f iifname br0 oifname br0 counter accept"])
            #expect(try await host.answer("TCP:\(v4):80", at: .inside("one")) != nil)
            #expect(try await host.net("check") == "")
        }
    }

    private static func hasBridgeFilter() async throws -> Bool {
        let line = "ip link add b type bridge && test -e /proc/sys/net/bridge/bridge-nf-call-iptables"
        return try await Command.run(["unshare", "-n", "bash", "-c", line]).status == 0
    }

    @Test func `a table that is dormant drops nothing`() async throws {
        try await NetworkHost.with { host in
            _ = try await host.serve("web", on: "bridge")
            try await host.must([
                "nft",
                """
                add table inet theirs { flags dormant; }
                add chain inet theirs f { type filter hook forward priority 10; policy drop; }
                """,
            ])
            #expect(try await host.net("check") == "")
            try await host.must(["nft", "add table inet theirs"])
            #expect(try await host.net("check").contains("chain inet theirs f"))
        }
    }

    /// What they see is not translated yet, so that no rule says what is ours: a person has to.
    @Test(arguments: ["netdev", "inet"])
    func `chains of some interfaces alone`(family: String) async throws {
        try await NetworkHost.with { host in
            _ = try await host.serve("web", on: "bridge")
            try await host.net("publish", "web", "8080:80")
            try await host.must(["ip", "link", "add", "other", "type", "bridge"])
            let make = { (name: String, devices: String) in
                _ = try await host.must([
                    "nft",
                    """
                    add table \(family) \(name)
                    add chain \(family) \(name) c { type filter hook ingress \(devices) priority 0; policy drop; }
                    """,
                ])
            }
            // One that nothing of ours comes in by.
            try await make("no", "device other")
            #expect(try await host.net("check") == "")
            // Nor has the host a way out by eth0.
            try await make("yes", "devices = { other, eth0 }")
            #expect(try await host.net("check") == "")
            try await host.must(["ip", "route", "add", "default", "via", "192.0.2.2"])
            #expect(try await host.ask("TCP:192.0.2.1:8080", at: .neighbour) == nil)
            let words =
                "it drops what it does not know at eth0, other, packets of our networks too (accept there what is for"
            let found = try await host.swnet("check")
            #expect(found.status == 0 && found.output.contains("chain \(family) yes c: \(words)"), "\(found)")
            let repaired = try await host.swnet("repair", "--foreign")
            #expect(repaired.errors.contains("chain \(family) yes c: \(words)"), "\(repaired)")
            try await host.must(["nft", "delete table \(family) yes"])
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            // And one of our own, which a packet that is traced does not come through.
            let web = try await host.json([NetworkHost.swnet, "inspect", "bridge"])[0]["sandboxes"][0]
            try await make("port", "device \(try #require(web["hostInterface"].text))")
            #expect(try await host.net("check").contains("chain \(family) port c: it drops"))
            let trace = try await host.run([NetworkHost.swnet, "trace", "--from", "web", "tcp", "192.0.2.2:9"])
            #expect(trace.output.contains("chain \(family) port c drops what it does not know"), "\(trace)")
        }
    }

    /// Many ways lead to the same chains; each is walked once, and one that cannot be opened keeps no other shut.
    @Test func `a maze, and a door that does not open`() async throws {
        try await NetworkHost.with { host in
            let chains = (1...12).reversed().map { number in
                let next = "jump c\(number + 1)\n"
                return "chain c\(number) { \(String(repeating: next, count: 4)) }"
            }
            let maze = "table inet maze { chain c13 { counter; }\n" + chains.joined(separator: "\n")
            try await host.must(["bash", "-c", "cat >/run/maze <<'END'\n\(maze)\n}\nEND\nnft -f /run/maze"])
            // A base chain of as many ways would be refused: its own rules are enough.
            try await host.must([
                "nft", "add chain inet maze f { type filter hook forward priority 5; }; add rule inet maze f jump c10",
            ])
            try await host.must([
                "nft",
                """
                add table bridge theirs
                add chain bridge theirs c { type filter hook forward priority 0; policy drop; }
                add table inet theirs
                add chain inet theirs f { type filter hook forward priority 10; policy drop; }
                """,
            ])
            _ = try await host.serve("web", on: "bridge")
            // Whether this kernel tells bridges by name or not.
            _ = try await host.swnet("repair", "--foreign")
            let list = try await host.must(["nft", "list", "chain", "inet", "theirs", "f"])
            #expect(list.contains("what our networks send"), "\(list)")
            #expect(try await !host.must(["nft", "list", "chain", "inet", "maze", "f"]).contains("sw-"))
        }
    }

    @Test func `packets between pairs of their own pass too`() async throws {
        try await NetworkHost.with { host in
            try await host.shell(Self.firewalls[0].make)
            try await host.net("create", "pairs", "-d", "ptp", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            _ = try await host.serve("web", on: "pairs")
            try await host.net("publish", "web", "8080:80")
            #expect(try await host.ask("TCP:192.0.2.1:8080", at: .neighbour) == nil)
            try await host.net("repair", "--foreign")
            try await reached(host)
        }
    }

    @Test func `a table that nobody else may touch is said`() async throws {
        try await NetworkHost.with { host in
            // Held by an open socket, as firewalld 2 does it.
            let holder = try host.start([
                "bash", "-c",
                "{ echo 'add table inet held { flags owner; }'; echo 'add chain inet held f { type filter hook forward priority 0; policy drop; }'; sleep 1000; } | nft -i",
            ])
            let isHeld = try await eventually {
                try await host.shell("nft list tables").output.contains("held")
            }
            try #require(isHeld)
            try await host.must(["ip", "netns", "add", "web"])
            #expect(try await host.swnet("connect", "bridge", "web").errors.contains("inet held f"))
            let repaired = try await host.swnet("repair", "--foreign")
            #expect(repaired.status == 1 && repaired.errors.contains("inet held f"), "\(repaired)")
            try await host.net("disconnect", "bridge", "web")
            try await host.net("rm", "bridge")
            await holder.stop()
        }
    }
}
