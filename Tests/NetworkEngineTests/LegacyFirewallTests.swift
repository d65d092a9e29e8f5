import TestSupport
import Testing

/// Rules of `iptables-legacy`, which nftables does not know of; that program is the oracle.
@Suite("legacy firewalls", .enabled(if: Products.has("iptables-legacy"), "there is no iptables-legacy here"))
struct LegacyFirewallTests {
    /// What each is made by, where a rule of ours is put, and how many rules it has besides.
    static let firewalls: [(make: String, door: String)] = [
        ("for t in iptables-legacy ip6tables-legacy; do $t -P FORWARD DROP; done", "FORWARD"),
        (
            """
            for t in iptables-legacy ip6tables-legacy; do $t -N other; $t -N DOCKER-USER; $t -N last
            $t -A last -j RETURN; $t -A DOCKER-USER -m comment --comment 'theirs: swnet: no' -j RETURN
            $t -A other -p tcp --dport 25 -j last; $t -A other -g last; $t -A FORWARD -j DOCKER-USER
            $t -A FORWARD -i docker0 -j ACCEPT; $t -A FORWARD -j other; $t -A OUTPUT -p udp -j last
            $t -A INPUT -i lo -j ACCEPT; $t -A FORWARD -j REJECT; done
            """, "DOCKER-USER"
        ),
    ]

    private func rules(_ host: NetworkHost) async throws -> String {
        try await host.must(["bash", "-c", "iptables-legacy -S; ip6tables-legacy -S"])
    }

    /// Whether this kernel has such tables at all: some are built without.
    private func make(_ host: NetworkHost, _ line: String) async throws -> Bool {
        let made = try await host.shell("set -e; \(line)")
        if made.status != 0 { try Test.cancel("no legacy tables in this kernel: \(made.errors)") }
        return made.status == 0
    }

    private func reached(_ host: NetworkHost) async throws {
        #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
        #expect(try await host.answer("TCP:[2001:db8::1]:8080", at: .neighbour) == "2001:db8::2 web")
        #expect(try await host.run(["ping", "-c1", "-W9", "192.0.2.2"], at: .inside("web")).status == 0)
        let (v4, v6) = try await host.addresses(of: "web")
        #expect(try await host.ask("TCP:\(v4):80", at: .neighbour) == nil)
        #expect(try await host.ask("TCP:[\(v6)]:80", at: .neighbour) == nil)
    }

    @Test(arguments: firewalls.indices)
    func `said, opened on request, closed with the last network`(index: Int) async throws {
        try await NetworkHost.with { host in
            let (line, door) = Self.firewalls[index]
            guard try await make(host, line) else { return }
            let before = try await rules(host)
            try await host.must(["ip", "netns", "add", "web"])
            let first = try await host.swnet("connect", "bridge", "web")
            let said = "chain ip filter FORWARD (iptables-legacy): it drops what it does not know"
            #expect(first.status == 0 && first.errors.contains(said), "\(first)")
            #expect(first.errors.contains("ip6tables-legacy -I \(door) -i sw-+ -j ACCEPT"), "\(first)")
            try await host.net("publish", "web", "8080:80")
            _ = try await host.listen("web", ["tcp"], port: 80)
            #expect(try await host.ask("TCP:192.0.2.1:8080", at: .neighbour) == nil)
            let found = try await host.swnet("check")
            #expect(found.status == 0 && found.output.contains(said), "\(found)")
            try await host.net("repair")
            #expect(try await rules(host) == before)

            // What was counted is still counted, and every jump leads where it led.
            try await host.shell("ping -c 3 -i 0.01 127.0.0.1")
            let counted = "iptables-legacy -L OUTPUT -nvx | awk 'NR == 1 {print ($5 >= 3)}'"
            #expect(try await host.must(["bash", "-c", counted]) == "1")
            let repaired = try await host.swnet("repair", "--foreign")
            #expect(repaired.status == 0 && repaired.output.contains(said), "\(repaired)")
            #expect(try await host.must(["bash", "-c", counted]) == "1")
            try await reached(host)
            #expect(try await host.net("check") == "")
            let ours = try await rules(host).split(separator: "\n").filter { $0.contains("\"swnet: ") }
            #expect(ours.count == 4 && ours.allSatisfy { $0.hasPrefix("-A \(door) ") }, "\(ours)")
            #expect(
                ours.first == "-A \(door) -i sw-+ -m comment --comment \"swnet: what our networks send\" -j ACCEPT")
            let without = try await rules(host).split(separator: "\n").filter { !ours.contains($0) }
            #expect(without == before.split(separator: "\n"))
            // Twice is once, and what is lost is put back.
            try await host.net("repair", "--foreign")
            #expect(try await rules(host).split(separator: "\n").filter { $0.contains("\"swnet: ") } == ours)
            try await host.must(["iptables-legacy", "-D", door, "1"])
            #expect(try await host.swnet("check").status == 1)
            try await host.net("repair")
            try await reached(host)

            try await host.net("disconnect", "bridge", "web")
            try await host.net("rm", "bridge")
            #expect(try await rules(host) == before)
        }
    }

    @Test func `what the administrator has opened is no obstacle, and nobody makes a table by asking`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "bridge", "web")
            #expect(try await host.net("check") == "")
            let tables = "cat /proc/self/net/ip_tables_names /proc/self/net/ip6_tables_names 2>/dev/null; true"
            #expect(try await host.must(["bash", "-c", tables]) == "")
            guard
                try await make(
                    host,
                    """
                    iptables-legacy -P FORWARD DROP; iptables-legacy -A FORWARD -o sw-+ -j ACCEPT
                    iptables-legacy -A FORWARD -i sw-+ -m comment --comment mine -j ACCEPT
                    iptables-legacy -P OUTPUT DROP; iptables-legacy -A OUTPUT -o sw-+ -j ACCEPT
                    ip6tables-legacy -A FORWARD -p tcp --dport 25 -j DROP
                    """)
            else { return }
            #expect(try await host.net("check") == "")
            // Another interface's is one.
            try await host.shell("iptables-legacy -R FORWARD 1 -o sw-x+ -j ACCEPT")
            #expect(try await host.swnet("check").output.contains("ip filter FORWARD (iptables-legacy)"))
            // A lock that somebody keeps is said, and nothing is written.
            let before = try await rules(host)
            let holder = try host.start(["flock", "/run/xtables.lock", "sleep", "1000"])
            let held = try await eventually { try await host.shell("flock -n /run/xtables.lock true").status != 0 }
            try #require(held)
            let refused = try await host.swnet("repair", "--foreign")
            #expect(refused.status == 1 && refused.errors.contains("/run/xtables.lock"), "\(refused)")
            await holder.stop()
            // The program inside is not of the holder's process group.
            try await host.shell("pkill -P 1 -f 'flock /run/xtables.lock'; pkill -x sleep; true")
            #expect(try await rules(host) == before)
        }
    }
}
