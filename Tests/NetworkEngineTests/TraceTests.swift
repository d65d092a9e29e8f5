import Foundation
import TestSupport
import Testing

@Suite("trace: the way of one packet", .timeLimit(.minutes(10)))
struct TraceTests {
    /// `web` on `lab` with a server at 80 that is published as 8080.
    private func prepare(_ host: NetworkHost) async throws {
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
        _ = try await host.serve("web", on: "lab", ["tcp", "udp"])
        try await host.net("publish", "web", "8080:80", "5353:80/udp", "192.0.2.1:9090:99")
    }

    /// Traces, and returns the report; the exit status goes with the outcome, and no table of ours stays.
    private func trace(_ host: NetworkHost, _ words: String...) async throws -> JSONValue {
        let result = try await host.run([NetworkHost.swnet, "trace", "--format", "json"] + words)
        let report = try JSONValue(result.standardOutput)
        let isGood = ["answered", "passed"].contains(report["outcome"].text ?? "")
        #expect(result.status == (isGood ? 0 : 1), "\(result)")
        #expect(try await host.must(["nft", "list", "tables"]).contains("trace") == false)
        return report
    }

    private func hooks(_ report: JSONValue) -> [String] {
        report["stations"].items.map { "\($0["place"].text ?? "") \($0["hook"].text ?? "")" }
    }

    @Test(arguments: [
        ("127.0.0.1", "10.44.0.2", "10.44.0.1"), ("192.0.2.1", "10.44.0.2", "192.0.2.1"),
        ("[2001:db8::1]", "fd00:44::2", "2001:db8::1"),
    ])
    func `a published port is reached, with every translation`(asked: String, inside: String, seen: String) async throws
    {
        try await NetworkHost.with { host in
            try await prepare(host)
            let report = try await trace(host, "-t", "60", "tcp", "\(asked):8080")
            #expect(report["outcome"].text == "answered" && report["answer"]["kind"].text == "syn-ack", "\(report)")
            #expect(hooks(report) == ["host output", "host postrouting"], "\(report)")
            let left = report["stations"].items[1]["left"]
            #expect(left["destination"].text == inside && left["destinationPort"].number == 80, "\(left)")
            #expect(left["source"].text == seen, "\(left)")
            // The server has the packet's own word for it.
            let server = asked.hasPrefix("[") ? "TCP6:\(asked):8080" : "TCP:\(asked):8080"
            #expect(try await host.answer(server) == "\(seen) web")
            let rules = "\(report["stations"])"
            #expect(rules.contains("ports of all addresses") && rules.contains("@published"), "\(rules)")
            let text = try await host.net("trace", "tcp", "\(asked):8080")
            #expect(text.contains("answered: sandbox web answers") && text.contains("(socat)"), "\(text)")
        }
    }

    @Test func `datagrams and echo requests`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            // The server's child may end before it has answered; the next packet has another.
            var report = JSONValue.null
            let answers = try await eventually {
                report = try await trace(host, "udp", "127.0.0.1:5353")
                return report["outcome"].text == "answered"
            }
            #expect(answers && report["answer"]["kind"].text == "data", "\(report)")
            for address in ["10.44.0.2", "fd00:44::2"] {
                report = try await trace(host, "-t", "60", "icmp", address)
                #expect(report["answer"]["kind"].text == "echo-reply", "\(report)")
            }
            report = try await trace(host, "-t", "60", "udp", "10.44.0.2:81")
            #expect(report["outcome"].text == "refused" && report["reason"].text?.contains("nobody listens") == true)
            #expect(report["answer"]["message"].text == "port unreachable", "\(report)")
        }
    }

    @Test func `nobody listens, or not there`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            var report = try await trace(host, "-t", "60", "tcp", "192.0.2.1:9090")
            #expect(report["outcome"].text == "refused", "\(report)")
            #expect(
                report["reason"].text?.contains("sandbox web refused the connection: nobody listens on tcp port 99")
                    == true)
            let server = try host.start(["socat", "TCP4-LISTEN:99,bind=127.0.0.1,fork", "-"], at: .inside("web"))
            let isUp = try await eventually {
                try await !host.run(["ss", "-Hltn", "sport = :99"], at: .inside("web")).output.isEmpty
            }
            #expect(isUp)
            report = try await trace(host, "-t", "60", "tcp", "192.0.2.1:9090")
            #expect(report["reason"].text?.contains("listens on 127.0.0.1 alone") == true, "\(report)")
            await server.stop()
            report = try await trace(host, "tcp", "127.0.0.1:7777")
            #expect(report["advice"].text?.contains("swnet publish SANDBOX 7777:PORT") == true, "\(report)")
            report = try await trace(host, "tcp", "127.0.0.1:9090")
            #expect(report["advice"].text?.contains("192.0.2.1:9090:99/tcp only") == true, "\(report)")
            report = try await trace(host, "-t", "60", "tcp", "10.44.0.200:80")
            #expect(report["reason"].text?.contains("nobody answers for 10.44.0.200 on sw-lab") == true, "\(report)")
            report = try await trace(host, "tcp", "203.0.113.1:80")
            #expect(
                report["outcome"].text == "unsent" && report["reason"].text?.contains("no route") == true, "\(report)")
        }
    }

    @Test func `from a sandbox: out, to another network, to an internal one`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.net("create", "closed", "--internal", "--subnet", "10.45.0.0/24")
            try await host.net("create", "other", "--subnet", "10.46.0.0/24")
            _ = try await host.serve("db", on: "closed")
            _ = try await host.serve("peer", on: "other")
            _ = try await host.listen("n", ["tcp"], port: 80, at: .neighbour)
            var report = try await trace(host, "-t", "60", "--from", "web", "tcp", "192.0.2.2:80")
            #expect(report["outcome"].text == "answered", "\(report)")
            #expect(hooks(report) == ["host prerouting", "host forward", "host postrouting"], "\(report)")
            #expect(report["stations"].items[2]["left"]["source"].text == "192.0.2.1", "\(report)")
            report = try await trace(host, "-t", "60", "--from", "peer", "tcp", "10.44.0.2:80")
            #expect(report["outcome"].text == "dropped", "\(report)")
            #expect(report["reason"].text?.contains("peer is on network other and web on lab") == true, "\(report)")
            #expect(report["advice"].text?.contains("swnet connect lab peer") == true, "\(report)")
            report = try await trace(host, "--from", "web", "tcp", "10.45.0.2:80")
            #expect(report["reason"].text?.contains("network closed of db is internal") == true, "\(report)")
            report = try await trace(host, "--from", "db", "tcp", "192.0.2.2:80")
            #expect(
                report["outcome"].text == "unsent" && report["advice"].text?.contains("internal") == true, "\(report)")
            // The advice is true.
            try await host.net("connect", "lab", "peer")
            report = try await trace(host, "-t", "60", "--from", "peer", "tcp", "10.44.0.2:80")
            #expect(report["outcome"].text == "answered", "\(report)")
            // By the host's address a neighbour on the same network answers through the host.
            report = try await trace(host, "-t", "60", "--from", "web", "tcp", "192.0.2.1:8080")
            #expect(report["outcome"].text == "answered", "\(report)")
        }
    }

    @Test func `from outside: it waits, and tells what became of somebody's packet`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            func outside(_ address: String) async throws -> JSONValue {
                let tracing = try host.start(
                    [NetworkHost.swnet, "trace", "--in", "eth0", "--timeout", "60", "--format", "json", "tcp", address])
                let isArmed = try await eventually {
                    try await host.must(["nft", "list", "tables"]).contains("swnet-trace")
                }
                #expect(isArmed)
                _ = try await host.ask("TCP:\(address)", at: .neighbour)
                return try JSONValue(await tracing.result.standardOutput)
            }
            var report = try await outside("192.0.2.1:8080")
            #expect(report["outcome"].text == "answered" && report["packet"]["source"].text == "192.0.2.2", "\(report)")
            #expect(hooks(report) == ["host prerouting", "host forward", "host postrouting"], "\(report)")
            report = try await outside("10.44.0.2:80")
            #expect(report["outcome"].text == "dropped" && report["advice"].text == "ask 192.0.2.1:8080", "\(report)")
            report = try await outside("10.44.0.2:81")
            #expect(
                report["outcome"].text == "dropped" && report["advice"].text == "swnet publish web 81:81", "\(report)")
            // A firewall of somebody else's.
            try await host.must(["nft", "add table ip filter"])
            try await host.must([
                "nft", "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }",
            ])
            report = try await outside("192.0.2.1:8080")
            #expect(report["reason"].text?.contains("chain ip filter FORWARD has the policy drop") == true, "\(report)")
            #expect(
                report["advice"].text == "swnet repair --foreign, or iptables -I FORWARD -o sw-lab -j ACCEPT",
                "\(report)")
            // Nobody is told to trust the interface that strangers come in by.
            report = try await trace(host, "-t", "60", "--from", "web", "tcp", "192.0.2.2:81")
            #expect(
                report["advice"].text == "swnet repair --foreign, or iptables -I FORWARD -i sw-lab -j ACCEPT",
                "\(report)")
            try await host.must(["nft", "add rule ip filter FORWARD iifname sw-lab accept"])
            report = try await trace(host, "-t", "60", "--from", "web", "tcp", "192.0.2.2:81")
            #expect(
                report["reason"].text?.contains("the answer came, and chain ip filter FORWARD") == true, "\(report)")
            #expect(
                report["advice"].text == "swnet repair --foreign, or iptables -I FORWARD -o sw-lab -j ACCEPT",
                "\(report)")
            try await host.must(["nft", "add rule ip filter FORWARD tcp dport 80 reject comment \"no web here\""])
            report = try await outside("192.0.2.1:8080")
            #expect(report["reason"].text?.contains("rejects it: no web here") == true, "\(report)")
            let none = try await host.swnet("trace", "--in", "eth0", "--timeout", "1", "tcp", "192.0.2.1:1")
            #expect(none.status == 1 && none.output.contains("no packet came by eth0 in 1 seconds"), "\(none)")
        }
    }

    @Test func `damage inside a sandbox is named`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.must(
                [
                    "nft",
                    "add table inet own; add chain inet own in { type filter hook input priority 0; }; "
                        + "add rule inet own in tcp dport 80 drop comment \"go away\"",
                ], at: .inside("web"))
            var report = try await trace(host, "tcp", "192.0.2.1:8080")
            #expect(
                report["reason"].text?.contains("chain inet own in of sandbox web drops it: go away") == true,
                "\(report)")
            try await host.must(["nft", "flush", "ruleset"], at: .inside("web"))
            try await host.must(["ip", "route", "del", "default"], at: .inside("web"))
            report = try await trace(host, "tcp", "192.0.2.1:8080")
            #expect(report["reason"].text == "web has no route back to 192.0.2.1", "\(report)")
            try await host.must(["ip", "link", "set", "eth0", "down"], at: .inside("web"))
            report = try await trace(host, "tcp", "192.0.2.1:8080")
            #expect(report["reason"].text == "interface eth0 of web is down", "\(report)")
            try await host.net("repair")
            // The bridge, and the host's table of neighbours, notice in their own time that its port is up.
            let isBack = try await eventually {
                report = try await trace(host, "tcp", "192.0.2.1:8080")
                return report["outcome"].text == "answered"
            }
            #expect(isBack, "\(report)")
            try await host.must(["sysctl", "-qw", "net.ipv4.ip_forward=0"])
            report = try await trace(host, "--from", "web", "tcp", "192.0.2.2:80")
            #expect(report["reason"].text?.contains("does not forward") == true, "\(report)")
        }
    }

    /// Frames between sandboxes of one network pass the host's own hooks only with br_netfilter.
    @Test(arguments: ["0", "1"])
    func `chains that frames of bridges go through`(filtering: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.must(["ip", "netns", "add", "one"])
            try await host.net("connect", "lab", "one")
            // Where this kernel has no such parameter, it is as with 0.
            try await host.shell("sysctl -qw net.bridge.bridge-nf-call-iptables=\(filtering)")
            try await host.shell("sysctl -qw net.bridge.bridge-nf-call-ip6tables=\(filtering)")
            for (hook, rule, words) in [
                ("forward", "ip protocol tcp drop", "chain bridge theirs c drops it: ip protocol tcp drop"),
                ("forward", "ip protocol icmp accept", "chain bridge theirs c has the policy drop"),
                ("prerouting", "ip protocol icmp accept", "chain bridge theirs c has the policy drop"),
                ("postrouting", "ip protocol icmp accept", "chain bridge theirs c has the policy drop"),
            ] {
                let policy = rule.hasSuffix("accept") ? "drop" : "accept"
                try await host.must([
                    "nft",
                    """
                    add table bridge theirs
                    add chain bridge theirs c { type filter hook \(hook) priority 0; policy \(policy); }
                    add rule bridge theirs c \(rule)
                    add rule bridge theirs c ether type arp accept
                    """,
                ])
                let report = try await trace(host, "-t", "20", "--from", "one", "tcp", "10.44.0.2:80")
                #expect(
                    report["outcome"].text == "dropped" && report["reason"].text?.contains(words) == true, "\(report)")
                #expect(hooks(report).last == "host bridge \(hook)", "\(report)")
                #expect(report["advice"].text?.contains("bridge theirs c") == true, "\(report)")
                try await host.must(["nft", "delete", "table", "bridge", "theirs"])
            }
            // And one that lets it pass is told, too.
            try await host.must([
                "nft", "add table bridge theirs; add chain bridge theirs c { type filter hook forward priority 0; }",
            ])
            let report = try await trace(host, "-t", "60", "--from", "one", "tcp", "10.44.0.2:80")
            #expect(report["outcome"].text == "answered" && hooks(report).contains("host bridge forward"), "\(report)")
        }
    }

    @Test func `a chain that another has led to is named`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.must([
                "nft",
                """
                add table inet theirs
                add chain inet theirs inner
                add rule inet theirs inner tcp dport 80 drop
                add chain inet theirs f { type filter hook forward priority 10; }
                add rule inet theirs f jump inner
                """,
            ])
            let report = try await trace(host, "--from", "neighbour", "tcp", "192.0.2.1:8080")
            #expect(
                report["reason"].text?.hasPrefix("chain inet theirs f > inner drops it: tcp dport 80") == true,
                "\(report)")
        }
    }

    @Test func `what a relay carries`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.net("publish", "web", "[::1]:7070:80", "[::1]:7071:81", "[::1]:7072:81/udp")
            let report = try await trace(host, "-t", "60", "tcp", "[::1]:7070")
            #expect(report["reason"].text == "the relay to sandbox web answers", "\(report)")
            let places = "\(report["destination"])"
            #expect(places.contains("the relay carries it to [fd00:44::2]:80 of sandbox web"), "\(places)")
            #expect(places.contains("tcp port 80 there: process"), "\(places)")
            let refused = try await trace(host, "-t", "60", "tcp", "[::1]:7071")
            #expect(refused["outcome"].text == "refused", "\(refused)")
            #expect(refused["reason"].text?.contains("nobody listens on [fd00:44::2]:81 in web") == true, "\(refused)")
            let unheard = try await trace(host, "-t", "9", "udp", "[::1]:7072")
            #expect(unheard["outcome"].text == "refused", "\(unheard)")
            // And when it is gone.
            try await host.must([
                "bash", "-c", "pkill -9 -x swnet-relay; while ss -Hltn | grep -q :7070; do sleep 0.1; done",
            ])
            let gone = try await trace(host, "-t", "9", "tcp", "[::1]:7070")
            #expect(gone["reason"].text?.contains("to web is not running") == true, "\(gone)")
            #expect(gone["advice"].text == "swnet repair", "\(gone)")
        }
    }

    @Test func `who waits behind a translation hears of the answer`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let (v4, _) = try await host.addresses(of: "web")
            let tracing = try host.start([NetworkHost.swnet, "trace", "--wait", "-t", "60", "tcp", "\(v4):80"])
            let tables = { try await host.must(["nft", "list", "tables"]) }
            #expect(try await eventually { try await tables().contains("swnet-trace") })
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            let result = await tracing.result
            #expect(result.status == 0 && result.output.contains("answered: sandbox web answers"), "\(result)")
        }
    }

    @Test func `a trace that is killed leaves nothing, and its table is nobody else's`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let tracing = try host.start([
                NetworkHost.swnet, "trace", "--wait", "--timeout", "600", "tcp", "192.0.2.1:8080",
            ])
            let tables = { try await host.must(["nft", "list", "tables"]) }
            #expect(try await eventually { try await tables().contains("swnet-trace") })
            // Others can neither flush nor delete it, and their own rules work on.
            try await host.must(["nft", "flush", "ruleset"])
            #expect(try await tables().contains("swnet-trace"))
            await tracing.stop()
            #expect(try await eventually { try await !tables().contains("swnet-trace") })
        }
    }

    @Test(arguments: [
        (["tcp", "127.0.0.1"], "port is missing"), (["sctp", "127.0.0.1:1"], "not known"), (["tcp"], "needs"),
        (["--from", "nosuch", "tcp", "127.0.0.1:1"], "no sandbox named nosuch"),
        (["--from", "a\u{1b}[2J", "tcp", "127.0.0.1:1"], "\\x1b"),
        (["--in", "nosuch0", "tcp", "127.0.0.1:1"], "no interface nosuch0"),
        (["--in", "eth0", "--from", "web", "tcp", "127.0.0.1:1"], "exclude each other"),
        (["--timeout", "0", "tcp", "127.0.0.1:1"], "1 to 86400"),
        (["--timeout", "x", "tcp", "127.0.0.1:1"], "not a number"),
        (["--in", "a/b", "tcp", "127.0.0.1:1"], "not an interface's name"),
        (["--format", "xml", "tcp", "127.0.0.1:1"], "unknown format"),
    ])
    func `bad input`(words: [String], names: String) async throws {
        try await NetworkHost.with { host in
            let result = try await host.run([NetworkHost.swnet, "trace"] + words)
            #expect(result.status != 0 && result.errors.contains(names), "\(result)")
            #expect(result.errors.split(separator: "\n").count == 1, "\(result)")
            #expect(try await host.run(["nft", "list", "tables"]).output == "")
        }
    }
}
