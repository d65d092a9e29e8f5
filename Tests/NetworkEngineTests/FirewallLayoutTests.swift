import TestSupport
import Testing

/// The table as a person finds it.
@Suite("the layout of the firewall")
struct FirewallLayoutTests {
    private func list(_ host: NetworkHost) async throws -> [String] {
        try await host.must(["nft", "list", "table", "inet", "swnet"]).split(
            separator: "\n", omittingEmptySubsequences: false
        ).map(String.init)
    }

    private func comment(_ host: NetworkHost) async throws -> String {
        try await list(host).first { $0.hasPrefix("\tcomment") } ?? ""
    }

    private func prepare(_ host: NetworkHost) async throws {
        try await host.net("create", "shop", "--subnet", "10.44.0.0/24")
        try await host.net("create", "lab", "--subnet", "10.45.0.0/24")
        for name in ["web", "db", "cache"] { try await host.must(["ip", "netns", "add", name]) }
        try await host.net("connect", "shop", "web", "-p", "8080:80")
        try await host.net("connect", "shop", "db", "-p", "5432:5432")
        try await host.net("connect", "lab", "cache", "-p", "6379:6379")
    }

    @Test func `two networks with three sandboxes and three ports are one screen, and named`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let lines = try await list(host)
            #expect(lines.count <= 66, "\(lines.count)")
            for word in ["\"lab\"", "\"shop\"", "\"web\"", "\"db\"", "\"cache\""] {
                #expect(lines.contains { $0.contains("comment \(word)") }, "\(word)")
            }
            // Every rule says what it is for.
            let rules = lines.drop { !$0.hasPrefix("\tchain") }.filter {
                $0.hasPrefix("\t\t") && !$0.hasPrefix("\t\ttype ")
            }
            #expect(rules.count > 10)
            for rule in rules { #expect(rule.contains(" comment \""), "\(rule)") }
            #expect(!lines.contains { $0.contains("strict") || $0.contains("published6") }, "\(lines)")
        }
    }

    @Test func `a part comes with the first who needs it, under connections that are there`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let server = try host.start(["socat", "TCP-LISTEN:80,fork,reuseaddr", "EXEC:cat"], at: .inside("web"))
            let listens = try await eventually { try await host.ask("TCP:192.0.2.1:8080", at: .neighbour) == "hello" }
            #expect(listens)
            let client = try host.start(
                [
                    "bash", "-c",
                    "exec 3<>/dev/tcp/192.0.2.1/8080; echo one >&3; head -n 1 <&3; "
                        + "until [ -e /run/go ]; do sleep 0.1; done; echo two >&3; head -n 1 <&3",
                ], at: .neighbour)
            let begun = try await eventually { client.outputSoFar.contains("one") }
            #expect(begun)
            #expect(try await !comment(host).contains("published6"))
            try await host.net("publish", "web", "127.0.0.1:99:80")
            try await host.net("create", "six", "--subnet", "fd00:46::/64", "--isolation", "strict")
            try await host.must(["ip", "netns", "add", "six"])
            try await host.net("connect", "six", "six", "-p", "90:90")
            let words = try await comment(host)
            for part in ["published4_at", "published6", "strict"] { #expect(words.contains(part), "\(words)") }
            #expect(try await host.net("check") == "")
            #expect(try await host.ask("TCP:127.0.0.1:99") == "hello")
            try await host.must(["touch", "/run/go"])
            let lives = try await eventually { client.outputSoFar.contains("two") }
            #expect(lives, "\(client.outputSoFar) \(client.errorsSoFar)")
            // With the last element the part may stay; nothing is wrong with that.
            try await host.net("disconnect", "six", "six")
            try await host.net("rm", "six")
            try await host.net("unpublish", "web", "127.0.0.1:99:80")
            #expect(try await host.net("check") == "")
            await client.stop()
            await server.stop()
        }
    }

    @Test(arguments: ["swnet layout 6", "swnet layout 70", "swnet layout 7 without anything", "somebody's"])
    func `a table of another layout is replaced by the next command`(comment: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let server = try await host.listen("web", ["tcp"], port: 80, at: .inside("web"))
            let old = try await host.shell(
                """
                nft -f - <<'END'
                delete table inet swnet
                table inet swnet {
                    comment "\(comment)"
                    map published4 { type inet_proto . inet_service : ipv4_addr . inet_service; }
                    set bridges { type ifname; elements = { "sw-lab" }; }
                    chain forward { type filter hook forward priority filter; oifname @bridges drop; }
                }
                END
                """)
            try #require(old.status == 0, "\(old)")
            #expect(try await host.swnet("check").output.contains("table inet swnet is missing, or of another layout"))
            try await host.net("publish", "db", "5433:5432")
            #expect(try await list(host).contains { $0.contains("comment \"swnet layout 7") })
            #expect(try await host.elements("published4").count == 4)
            #expect(try await host.net("check") == "")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            for one in server { await one.stop() }
        }
    }
}
