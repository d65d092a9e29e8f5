import TestSupport
import Testing

/// Packets that no rule drops, and whose loss has a reason all the same: a trace has to name it, and what to do.
@Suite("trace: losses without a drop", .timeLimit(.minutes(10)))
struct TraceLossTests {
    private static let both = ["--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64"]

    /// `web` on `lab` with a server at 80 that is published as 8080.
    private func prepare(_ host: NetworkHost, _ flags: String...) async throws {
        try await host.net(["create", "lab"] + Self.both + flags)
        _ = try await host.serve("web", on: "lab")
        try await host.net("publish", "web", "8080:80")
    }

    private func trace(_ host: NetworkHost, _ words: String...) async throws -> JSONValue {
        try JSONValue(await host.run([NetworkHost.swnet, "trace", "--format", "json"] + words).standardOutput)
    }

    /// Waits for what the neighbour sends.
    private func outside(_ host: NetworkHost, _ words: String...) async throws -> JSONValue {
        let tracing = try host.start(
            [NetworkHost.swnet, "trace", "--timeout", "60", "--format", "json", "--in", "eth0"] + words)
        #expect(try await eventually { try await host.must(["nft", "list", "tables"]).contains("swnet-trace") })
        let ask =
            words[0] == "icmp"
            ? "ping -c 1 -W 1 \(words[1])" : "socat -u /dev/null '\(words[0]):\(words[1]),connect-timeout=1'"
        try await host.shell(ask, at: .neighbour)
        return try JSONValue(await tracing.result.standardOutput)
    }

    private func expect(
        _ report: JSONValue, _ outcome: String, _ reason: String, _ advice: String?,
        location: SourceLocation = #_sourceLocation
    ) {
        #expect(report["outcome"].text == outcome, "\(report)", sourceLocation: location)
        #expect(report["reason"].text?.contains(reason) == true, "\(report)", sourceLocation: location)
        #expect(report["advice"].text == advice, "\(report)", sourceLocation: location)
    }

    @Test func `forwarding is off for one interface, or for a family`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.net("create", "pairs", "-d", "ptp", "--subnet", "10.46.0.0/24")
            try await host.must(["ip", "netns", "add", "end"])
            try await host.net("connect", "pairs", "end")
            let pair = try await host.must(["bash", "-c", "ip -j route get 10.46.0.2 | jq -r '.[0].dev'"])
            for name in ["eth0", "sw-lab", pair] {
                let switched = "net/ipv4/conf/\(name)/forwarding"
                try await host.must(["sysctl", "-qw", "\(switched)=0"])
                let report =
                    switch name {
                    case "eth0": try await outside(host, "tcp", "192.0.2.1:8080")
                    case "sw-lab": try await trace(host, "-t", "2", "--from", "web", "icmp", "192.0.2.2")
                    default: try await trace(host, "-t", "2", "--from", "end", "icmp", "192.0.2.2")
                    }
                expect(report, "lost", "forwarding of IPv4 is off on \(name)", "sysctl -w \(switched)=1")
                // The advice is true.
                try await host.must(["bash", "-c", report["advice"].text ?? "false"])
                if name == "eth0" { #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) != nil) }
            }
            let all = "net/ipv6/conf/all/forwarding"
            try await host.must(["sysctl", "-qw", "\(all)=0"])
            let report = try await outside(host, "tcp", "[2001:db8::1]:8080")
            expect(report, "lost", "this host does not forward IPv6", "swnet repair, or sysctl -w \(all)=1")
        }
    }

    /// Where there are chains that frames of bridges go through, a packet that the bridge hands up passes an input of those.
    @Test func `a bridge's input is not the host's`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host, "--antispoof")
            try await host.must(["sysctl", "-qw", "net.ipv4.ip_forward=0"])
            let report = try await trace(host, "-t", "2", "--from", "web", "icmp", "192.0.2.2")
            expect(
                report, "lost", "this host does not forward IPv4", "swnet repair, or sysctl -w net/ipv4/ip_forward=1")
        }
    }

    /// Connection tracking has seen the answer by then, and that is all that who waits for a packet knows.
    @Test func `what is against the answer to somebody's packet`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let switched = "net/ipv4/conf/sw-lab/forwarding"
            try await host.must(["sysctl", "-qw", "\(switched)=0"])
            var report = try await outside(host, "tcp", "192.0.2.1:8080")
            expect(
                report, "lost", "the answer came, and forwarding of IPv4 is off on sw-lab", "sysctl -w \(switched)=1")
            try await host.must(["sysctl", "-qw", "\(switched)=1"])
            try await host.must(["ip", "rule", "add", "from", "10.44.0.0/24", "blackhole", "priority", "77"])
            report = try await outside(host, "tcp", "192.0.2.1:8080")
            expect(
                report, "lost",
                "the answer came, and routing rule 77 (from 10.44.0.0/24 blackhole) drops it without a word",
                "ip rule delete priority 77, if it is not meant for this")
        }
    }

    @Test(arguments: [
        ("blackhole", "lost", "drops it without a word"),
        ("unreachable", "refused", "makes its destination unreachable"),
        ("prohibit", "refused", "prohibits it"),
    ])
    func `rules of the routing policy, and routes`(action: String, outcome: String, verb: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            for (option, source, target) in [
                ("-4", "10.44.0.0/24", "192.0.2.2"), ("-6", "fd00:44::/64", "2001:db8::2"),
            ] {
                let delete = "ip\(option == "-6" ? " -6" : "")"
                try await host.must(["ip", option, "rule", "add", "from", source, action, "priority", "77"])
                var report = try await trace(host, "-t", "2", "--from", "web", "icmp", target)
                // A rule against all that comes from here is one against the message that says so, too, with IPv6.
                expect(
                    report, option == "-6" ? "lost" : outcome, "routing rule 77 (from \(source) \(action)) \(verb)",
                    "\(delete) rule delete priority 77, if it is not meant for this")
                if option == "-4" && action == "blackhole" {
                    // The way there is free, and the way back is not.
                    report = try await trace(host, "-t", "2", "--from", "neighbour", "tcp", "192.0.2.1:8080")
                    expect(
                        report, "lost", "the answer came, and routing rule 77",
                        "ip rule delete priority 77, if it is not meant for this")
                }
                try await host.must(["ip", option, "rule", "delete", "priority", "77"])
                try await host.must(["ip", option, "route", "add", action, target])
                report = try await trace(host, "-t", "2", "--from", "web", "icmp", target)
                let length = option == "-6" ? 128 : 32
                expect(
                    report, outcome, "the route '\(action) \(target)/\(length)' \(verb)",
                    "\(delete) route delete \(action) \(target)/\(length), if it is not meant for this")
            }
        }
    }

    @Test func `the firewall does not know of a published port`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.must(["nft", "delete", "element", "inet", "swnet", "published4", "{ tcp . 8080 }"])
            let lacks = "the table inet swnet has no element that leads port 8080 to sandbox web"
            expect(try await trace(host, "tcp", "127.0.0.1:8080"), "refused", lacks, "swnet repair")
            expect(try await outside(host, "tcp", "192.0.2.1:8080"), "lost", lacks, "swnet repair")
            try await host.must(["nft", "delete", "table", "inet", "swnet"])
            let missing = "the table inet swnet, which leads port 8080 to sandbox web, is missing"
            expect(try await trace(host, "tcp", "127.0.0.1:8080"), "refused", missing, "swnet repair")
            expect(try await trace(host, "tcp", "[2001:db8::1]:8080"), "refused", missing, "swnet repair")
            expect(try await outside(host, "tcp", "192.0.2.1:8080"), "lost", missing, "swnet repair")
            // Whoever takes it meanwhile is not who was meant.
            _ = try await host.listen("host", ["tcp"], port: 8080, at: .host)
            expect(try await trace(host, "-t", "60", "tcp", "192.0.2.1:8080"), "answered", missing, "swnet repair")
            // The advice is true.
            try await host.net("repair")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            let report = try await trace(host, "-t", "60", "tcp", "127.0.0.1:8080")
            #expect(report["reason"].text == "sandbox web answers", "\(report)")
        }
    }

    @Test func `a published port is not asked at the sandbox's own address`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.net("create", "other", "--subnet", "10.46.0.0/24")
            try await host.must(["ip", "netns", "add", "peer"])
            try await host.net("connect", "other", "peer")
            let reached = "port 80 of web is published, and reached by this host's address and port, not by its own"
            for (address, own) in [("10.44.0.2", "192.0.2.1"), ("[fd00:44::2]", "[2001:db8::1]")] {
                expect(try await outside(host, "tcp", "\(address):80"), "dropped", reached, "ask \(own):8080")
            }
            var report = try await trace(host, "-t", "60", "--from", "peer", "tcp", "10.44.0.2:80")
            expect(report, "dropped", "peer is on network other", "swnet connect lab peer, or ask 10.46.0.1:8080")
            #expect(try await host.answer("TCP:10.46.0.1:8080", at: .inside("peer")) != nil)
            // The same number on both sides is no reason to take the one for the other.
            try await host.net("unpublish", "web", "8080:80")
            try await host.net("publish", "web", "80:80")
            report = try await outside(host, "tcp", "10.44.0.2:80")
            expect(report, "dropped", reached, "ask 192.0.2.1:80")
        }
    }

    @Test(arguments: ["0", "1"])
    func `isolated ports, asked by a published port`(filtering: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host, "--isolate-ports")
            try await host.must(["ip", "netns", "add", "one"])
            try await host.net("connect", "lab", "one")
            // Where this kernel has no such parameter, it is as with 0.
            try await host.shell("sysctl -qw net.bridge.bridge-nf-call-iptables=\(filtering)")
            let apart = "network lab keeps its sandboxes apart (--isolate-ports): one does not reach web"
            for address in ["192.0.2.1:8080", "10.44.0.2:80"] {
                let report = try await trace(host, "-t", "2", "--from", "one", "tcp", address)
                expect(report, report["outcome"].text == "dropped" ? "dropped" : "lost", apart, nil)
            }
        }
    }

    /// What a sandbox asks a neighbour by a published port the host routes, though it ends on the same bridge.
    @Test func `a published port of a neighbour, and forwarding is off`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.must(["ip", "netns", "add", "one"])
            try await host.net("connect", "lab", "one")
            try await host.shell("sysctl -qw net.bridge.bridge-nf-call-iptables=0")
            try await host.must(["sysctl", "-qw", "net.ipv4.ip_forward=0"])
            let report = try await trace(host, "-t", "2", "--from", "one", "tcp", "192.0.2.1:8080")
            expect(
                report, "lost", "this host does not forward IPv4", "swnet repair, or sysctl -w net/ipv4/ip_forward=1")
        }
    }
}
