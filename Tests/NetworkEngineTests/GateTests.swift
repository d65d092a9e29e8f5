import TestSupport
import Testing

/// Networks between a flush of all rules, which a reload of somebody else's firewall may be, and the next command. Each
/// attack is shown to work without the gates that our interfaces have.
@Suite("while the firewall is gone")
struct GateTests {
    private static let flush = "nft flush ruleset"
    private static let open = """
        for link in $(tc -j qdisc show | jq -r '.[] | select(.kind == "clsact").dev'); do tc qdisc del dev $link clsact; done
        """

    /// Two bridges and a pair, each with a server at port 80.
    private func prepare(_ host: NetworkHost, bridgeFilter: Int) async throws {
        // With br_netfilter a bridge asks the hooks of IP about its own frames, before the gates see them.
        try await host.shell(
            """
            sysctl -qw net.bridge.bridge-nf-call-iptables=\(bridgeFilter) \
                net.bridge.bridge-nf-call-ip6tables=\(bridgeFilter)
            true
            """)
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
        try await host.net("create", "two", "--subnet", "10.45.0.0/24")
        try await host.net("create", "pairs", "-d", "ptp", "--subnet", "10.46.0.0/24", "--subnet", "fd00:46::/64")
        for (name, network) in [("web", "lab"), ("db", "two"), ("peer", "pairs")] {
            _ = try await host.serve(name, on: network)
        }
        try await host.net("publish", "web", "8080:80")
        try await host.net("publish", "peer", "8081:80")
    }

    @Test(arguments: [0, 1])
    func `between a flush of all rules and the next command nothing is open`(bridgeFilter: Int) async throws {
        try await NetworkHost.with { host in
            try await prepare(host, bridgeFilter: bridgeFilter)
            let attacks: [(target: String, place: NetworkHost.Place)] = [
                ("TCP:10.44.0.2:80", .neighbour), ("TCP:[fd00:44::2]:80", .neighbour),
                ("TCP:10.46.0.2:80", .neighbour), ("TCP:[fd00:46::2]:80", .neighbour),
                ("TCP:10.44.0.2:80", .inside("db")), ("TCP:10.45.0.2:80", .inside("web")),
                ("TCP:10.45.0.2:80", .inside("peer")), ("TCP:10.46.0.2:80", .inside("db")),
            ]
            let published = ["TCP:192.0.2.1:8080", "TCP:[2001:db8::1]:8080", "TCP:192.0.2.1:8081"]
            let own = ["TCP:127.0.0.1:8080", "TCP:10.44.0.2:80", "TCP:[fd00:44::2]:80", "TCP:10.46.0.2:80"]
            for target in published { #expect(try await host.answer(target, at: .neighbour) != nil, "\(target)") }
            for target in own { #expect(try await host.answer(target) != nil, "\(target)") }
            #expect(try await host.answer("TCP:10.44.0.1:8080", at: .inside("web")) == "10.44.0.1 web")

            try await host.shell(Self.flush)
            for (target, place) in attacks {
                #expect(try await host.ask(target, at: place) == nil, "\(target) from \(place)")
            }
            // What the host itself sends, and what stays on a bridge, is nobody's concern.
            for target in own.dropFirst() { #expect(try await host.answer(target) != nil, "\(target)") }
            try await host.must(["ip", "netns", "add", "next"])
            let told = try await host.swnet("trace", "--from", "db", "tcp", "10.44.0.2:80").output
            #expect(told.contains("the table inet swnet is gone"), "\(told)")

            // The next command.
            try await host.net("connect", "lab", "next")
            #expect(try await host.net("check") == "")
            for target in published { #expect(try await host.answer(target, at: .neighbour) != nil, "\(target)") }
            for target in own { #expect(try await host.answer(target) != nil, "\(target)") }
            #expect(try await host.answer("TCP:10.44.0.2:80", at: .inside("next")) == "10.44.0.3 web")

            try await host.shell("\(Self.flush); \(Self.open)")
            for (target, place) in attacks {
                #expect(try await host.answer(target, at: place) != nil, "\(target) from \(place), without gates")
            }
        }
    }

    /// Counts what the host's own sockets get.
    private static let receiver = """
        import socket
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("0.0.0.0", 9999)); print("ready", flush=True)
        seen = set()
        while "finish" not in seen: seen.add(udp.recv(2048).decode())
        print(*sorted(seen - {"finish"}), flush=True)
        """

    /// Sends to the bridge what is for 127.0.0.1, in frames of every form that a raw socket can make.
    private static let sender = """
        import mmap, socket, struct, sys
        bridge, own = (bytes.fromhex(text.replace(":", "")) for text in sys.argv[1:3])
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); raw.bind(("eth0", 0))
        def total(data):
            number = sum(struct.unpack(f"!{len(data) // 2}H", data))
            while number >> 16: number = (number & 0xffff) + (number >> 16)
            return ~number & 0xffff
        def packet(to, word, source="10.44.0.2", options=b""):
            data = struct.pack("!HHHH", 5000, 9999, 8 + len(word), 0) + word
            size = 20 + len(options)
            head = struct.pack("!BBHHHBBH4s4s", 0x40 | size // 4, 0, size + len(data), 1, 0, 9, 17, 0,
                socket.inet_aton(source), socket.inet_aton(to)) + options
            return head[:10] + struct.pack("!H", total(head)) + head[12:] + data
        def ring(frame):
            ring = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); ring.bind(("eth0", 0))
            ring.setsockopt(263, 10, 1)
            ring.setsockopt(263, 13, struct.pack("IIII", 4096, 1, 2048, 2))
            memory = mmap.mmap(ring.fileno(), 4096)
            memory[32:32 + len(frame)] = frame
            memory[4:8] = struct.pack("I", len(frame)); memory[0:4] = struct.pack("I", 1)
            ring.send(b"")
        four, q, ad = b"\\x08\\x00", b"\\x81\\x00\\x00\\x00", b"\\x88\\xa8\\x00\\x00"
        for name, to in [("own", "10.44.0.1"), ("loopback", "127.0.0.1"), ("other", "127.9.9.9")]:
            def word(kind): return f"{name}-{kind}".encode()
            for _ in range(3):
                for kind, tags in [("plain", b""), ("tag", q), ("two", q + q), ("mixed", ad + q)]:
                    raw.send(bridge + own + tags + four + packet(to, word(kind)))
                raw.send(bridge + own + four + packet(to, word("options"), options=b"\\1" * 40))
                ring(bridge + own + four + packet(to, word("ring")))
        raw.send(bridge + own + four + packet("10.44.0.1", b"finish"))
        """

    private func received(_ host: NetworkHost, from sandbox: String) async throws -> Set<String> {
        let receiver = try host.start(["python3", "-c", Self.receiver])
        try await receiver.waitForOutput("ready")
        let bridge = try await host.json(["ip", "-j", "link", "show", "sw-lab"])[0]["address"].text ?? ""
        let own =
            try await host.json(["ip", "-j", "link", "show", "eth0"], at: .inside(sandbox))[0]["address"].text ?? ""
        try await host.must(["python3", "-c", Self.sender, bridge, own], at: .inside(sandbox))
        let result = await receiver.result
        return Set(result.output.dropFirst("ready".count).split { $0 == " " || $0 == "\n" }.map(String.init))
    }

    @Test(arguments: [0, 1])
    func `frames made to slip past the gate, while there is no table`(bridgeFilter: Int) async throws {
        try await NetworkHost.with { host in
            try await prepare(host, bridgeFilter: bridgeFilter)
            let forms = ["plain", "tag", "options", "ring"]
            let own = Set(forms.map { "own-\($0)" })
            #expect(try await received(host, from: "web").isSuperset(of: own))
            #expect(try await received(host, from: "web").allSatisfy { $0.hasPrefix("own-") })
            try await host.shell(Self.flush)
            let seen = try await received(host, from: "web")
            #expect(seen.isSuperset(of: own) && seen.allSatisfy { $0.hasPrefix("own-") }, "\(seen)")
            // Without the gate all of them get there, and so do those with two tags.
            try await host.shell(Self.open)
            let all = try await received(host, from: "web")
            let wanted = ["own", "loopback", "other"].flatMap { to in (forms + ["two", "mixed"]).map { "\(to)-\($0)" } }
            #expect(all == Set(wanted), "\(all)")
        }
    }

    /// A limit of a pair leads what comes in elsewhere, at the same place.
    @Test func `limits leave the gate where it is`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "pairs", "-d", "ptp", "--subnet", "10.46.0.0/24")
            try await host.must(["ip", "netns", "add", "peer"])
            try await host.net("connect", "pairs", "peer", "--host-ifname", "sw-peer0", "--egress", "10mbit")
            let hasGates = {
                let ways = ["ingress", "egress"].map { "tc filter show dev sw-peer0 \($0)" }
                return try await host.shell(ways.joined(separator: "; ")).output.matches(of: #/swnet-gate-1/#).count
                    == 2
            }
            for limit in ["none", "20mbit", "none"] {
                #expect(try await hasGates())
                #expect(try await host.net("check") == "")
                try await host.net("limit", "pairs", "peer", "--egress", limit)
            }
            #expect(try await hasGates())
            #expect(try await !host.must(["tc", "filter", "show", "dev", "sw-peer0", "ingress"]).contains("u32"))
            try await host.must(["tc", "qdisc", "del", "dev", "sw-peer0", "clsact"])
            #expect(try await host.swnet("check").output.contains("sw-peer0 would be open while the firewall is gone"))
            try await host.net("repair")
            #expect(try await hasGates())
            #expect(try await host.net("check") == "")
        }
    }

    /// A mark that is documented.
    @Test func `who marks a packet himself answers for it`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host, bridgeFilter: 0)
            try await host.shell(Self.flush)
            #expect(try await host.ask("TCP:10.44.0.2:80", at: .neighbour) == nil)
            let made = try await host.shell(
                """
                nft add table inet theirs
                nft add chain inet theirs after '{ type filter hook postrouting priority 0; }'
                nft add rule inet theirs after oifname '"sw-*"' meta priority set 7377:6e00
                """)
            #expect(made.status == 0, "\(made)")
            #expect(try await host.answer("TCP:10.44.0.2:80", at: .neighbour) == "192.0.2.2 web")
        }
    }

    /// What shapes traffic gives packets a priority too, as `iptables -j CLASSIFY` does.
    @Test(arguments: [0, 1])
    func `priorities of others close nothing`(bridgeFilter: Int) async throws {
        try await NetworkHost.with { host in
            try await prepare(host, bridgeFilter: bridgeFilter)
            for (hook, place) in [("prerouting", -150), ("forward", 10), ("postrouting", -150)] {
                let made = try await host.shell(
                    """
                    nft add table inet theirs
                    nft add chain inet theirs \(hook) '{ type filter hook \(hook) priority \(place); }'
                    nft add rule inet theirs \(hook) meta priority set 1:20
                    """)
                #expect(made.status == 0, "\(made)")
                if hook == "prerouting" && bridgeFilter == 1 {
                    try await host.shell("nft flush chain inet theirs prerouting")
                }
            }
            _ = try await host.listen("them", ["tcp"], port: 25, at: .neighbour)
            for target in ["TCP:192.0.2.1:8080", "TCP:[2001:db8::1]:8080", "TCP:192.0.2.1:8081"] {
                #expect(try await host.answer(target, at: .neighbour) != nil, "\(target)")
            }
            #expect(try await host.answer("TCP:127.0.0.1:8080") != nil)
            #expect(try await host.answer("TCP:192.0.2.2:25", at: .inside("web")) == "192.0.2.1 them")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .inside("db")) != nil)
            #expect(try await host.answer("TCP:10.44.0.1:8080", at: .inside("web")) == "10.44.0.1 web")
        }
    }

    /// What others have put where a gate would be is theirs; it is said.
    @Test(arguments: [
        "tc filter del dev sw-lab ingress; tc filter add dev sw-lab ingress pref 1 u32 match u32 0 0 flowid 1:1",
        "tc filter add dev sw-lab egress pref 1 protocol all bpf da bytecode '1,6 0 0 0'",
        """
        tc qdisc del dev sw-lab clsact; tc qdisc add dev sw-lab ingress
        tc filter add dev sw-lab ingress pref 5 u32 match u32 0 0 flowid 1:1
        """,
    ])
    func `filters of others stay`(line: String) async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            _ = try await host.serve("web", on: "lab")
            try await host.must(["bash", "-c", line])
            let show = "tc qdisc show dev sw-lab; tc filter show dev sw-lab ingress; tc filter show dev sw-lab egress"
            let before = try await host.shell(show).output
            let repaired = try await host.swnet("repair")
            #expect(repaired.status == 1 && repaired.errors.contains("make room at pref 1"), "\(repaired)")
            #expect(try await host.shell(show).output == before)
            try await host.must(["bash", "-c", "tc qdisc del dev sw-lab ingress || tc qdisc del dev sw-lab clsact"])
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            #expect(try await host.shell(show).output.matches(of: #/swnet-gate-1/#).count == 2)
        }
    }

    /// As after an update of the program: the next command builds the table and the gates.
    @Test func `a table of an older layout takes gates along`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host, bridgeFilter: 0)
            let made = try await host.shell(
                """
                (echo delete table inet swnet; nft list table inet swnet | sed 's/comment "swnet layout [0-9]*/comment "swnet layout 1/') \
                    >/run/older && nft -f /run/older; \(Self.open)
                """)
            #expect(made.status == 0, "\(made)")
            #expect(try await host.swnet("check").output.contains("would be open"))
            try await host.net("publish", "web", "9090:80")
            #expect(try await host.net("check") == "")
        }
    }

    /// Behind a pair that a container runtime has asked for, the plugin bandwidth needs the one place for a hook.
    @Test(.enabled(if: CNIRuntime.hasPlugins, "containernetworking-plugins and iptables are not installed"))
    func `the plugin bandwidth behind a pair`() async throws {
        try await NetworkHost.with { host in
            let own = CNIRuntime.swnet(#""driver": "ptp", "ipam": {"subnet": "10.44.0.0/24"}"#)
            var runtime = try await CNIRuntime.prepare(host, "web") { $0.plugins = [own] }
            runtime.plugins.append(
                #""type": "bandwidth", "ingressRate": 8000000, "ingressBurst": 800000, "egressRate": 8000000, "#
                    + #""egressBurst": 800000"#)
            let (added, output) = try await runtime.add("web")
            let result = try #require(added, "\(output)")
            #expect(try await host.net("check") == "")
            #expect(try await runtime.delete("web", result).status == 0)
        }
    }
}
