import TestSupport
import Testing

/// Packets that rules of `iptables-legacy` take away: the kernel tells nothing of them, a trace all the same.
@Suite(
    "trace: legacy firewalls", .enabled(if: Products.has("iptables-legacy"), "there is no iptables-legacy here"),
    .timeLimit(.minutes(10)))
struct LegacyTraceTests {
    /// What is made, who asks whom, and what a trace has to say. `neighbour` asks for the published port.
    static let firewalls: [(make: String, asks: String, reason: String, advice: String)] = [
        (
            "iptables-legacy -P FORWARD DROP", "neighbour",
            "chain FORWARD of table filter of iptables-legacy has the policy DROP, and no rule of it accepts this",
            "swnet repair --foreign, or: iptables-legacy -t filter -I FORWARD -o sw-lab -j ACCEPT"
        ),
        (
            "iptables-legacy -P FORWARD DROP; iptables-legacy -A FORWARD -o sw-+ -j ACCEPT", "web",
            "chain FORWARD of table filter of iptables-legacy has the policy DROP, and no rule of it accepts this",
            "swnet repair --foreign, or: iptables-legacy -t filter -I FORWARD -i sw-lab -j ACCEPT"
        ),
        (
            """
            iptables-legacy -t raw -A PREROUTING -p tcp --dport 25 -j DROP
            iptables-legacy -t raw -A PREROUTING -p tcp --dport 8080 -m comment --comment 'no web' -j DROP
            """, "neighbour", "rule 2 of chain PREROUTING of table raw of iptables-legacy drops it: no web",
            "iptables-legacy -t raw -I PREROUTING -i eth0 -p tcp --dport 8080 -j ACCEPT"
        ),
        (
            """
            iptables-legacy -N first; iptables-legacy -N kept; iptables-legacy -A first -j RETURN
            iptables-legacy -A FORWARD -j first; iptables-legacy -A FORWARD -j kept
            iptables-legacy -A kept -p tcp --dport 25 -j DROP; iptables-legacy -A kept -p tcp --dport 80 -j REJECT
            """, "neighbour", "rule 2 of chain kept of table filter of iptables-legacy rejects it",
            "iptables-legacy -t filter -I kept -o sw-lab -j ACCEPT"
        ),
        (
            "ip6tables-legacy -t mangle -P POSTROUTING DROP; iptables-legacy -P FORWARD DROP", "host6",
            "chain POSTROUTING of table mangle of ip6tables-legacy has the policy DROP, and no rule of it accepts this",
            "ip6tables-legacy -t mangle -I POSTROUTING -o sw-lab -j ACCEPT"
        ),
        (
            "iptables-legacy -P OUTPUT DROP; iptables-legacy -A OUTPUT -o lo -j ACCEPT", "host",
            "chain OUTPUT of table filter of iptables-legacy has the policy DROP, and no rule of it accepts this",
            "swnet repair --foreign, or: iptables-legacy -t filter -I OUTPUT -o sw-lab -j ACCEPT"
        ),
    ]

    private func trace(_ host: NetworkHost, _ asks: String) async throws -> JSONValue {
        let seconds = asks == "host6" ? "5" : "60"
        let words = [NetworkHost.swnet, "trace", "--format", "json", "--timeout", seconds]
        switch asks {
        case "web":
            return try JSONValue(await host.run(words + ["--from", "web", "tcp", "192.0.2.2:80"]).standardOutput)
        case "host": return try JSONValue(await host.run(words + ["tcp", "10.44.0.2:80"]).standardOutput)
        case "host6":
            return try JSONValue(await host.run(words + ["tcp", "[fd00:44::2]:80"]).standardOutput)
        default:
            let tracing = try host.start(words + ["--in", "eth0", "tcp", "192.0.2.1:8080"])
            let isArmed = try await eventually {
                try await host.must(["nft", "list", "tables"]).contains("swnet-trace")
            }
            #expect(isArmed)
            _ = try await host.ask("TCP:192.0.2.1:8080", at: .neighbour)
            return try JSONValue(await tracing.result.standardOutput)
        }
    }

    @Test(arguments: firewalls.indices)
    func `the table, the chain, the rule, and what to do`(index: Int) async throws {
        try await NetworkHost.with { host in
            let firewall = Self.firewalls[index]
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            _ = try await host.serve("web", on: "lab")
            _ = try await host.listen("n", ["tcp"], port: 80, at: .neighbour)
            try await host.net("publish", "web", "8080:80")
            let made = try await host.shell("set -e; \(firewall.make)")
            if made.status != 0 { try Test.cancel("no legacy tables in this kernel: \(made.errors)") }
            var report = try await trace(host, firewall.asks)
            #expect(report["outcome"].text == "dropped", "\(report)")
            #expect(report["reason"].text == firewall.reason, "\(report)")
            #expect(report["advice"].text == firewall.advice, "\(report)")
            // The advice is true; so is that nothing is blamed that had no packet.
            let advice = report["advice"].text ?? ""
            try await host.must(["bash", "-c", advice.split(separator: ": ").last.map(String.init) ?? "false"])
            if firewall.asks == "web" || firewall.asks == "neighbour" {
                try await host.shell("iptables-legacy -I FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT")
            }
            let passes = try await eventually {
                report = try await trace(host, firewall.asks)
                return report["outcome"].text == "answered"
            }
            #expect(passes, "\(report)")
        }
    }

    /// A policy that drops, and that this packet never met.
    @Test func `who is innocent is not blamed`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            _ = try await host.serve("web", on: "lab")
            let made = try await host.shell("iptables-legacy -P FORWARD DROP; iptables-legacy -t raw -L")
            if made.status != 0 { try Test.cancel("no legacy tables in this kernel: \(made.errors)") }
            for target in ["10.44.0.200:80", "10.44.0.2:81"] {
                let result = try await host.swnet("trace", "--timeout", "60", "tcp", target)
                #expect(result.status == 1 && !result.output.contains("policy DROP"), "\(result)")
                #expect(result.output.contains("tables of iptables-legacy (filter, raw)"), "\(result)")
            }
        }
    }
}
