import TestSupport
import Testing

/// A dry run says what the same command would do, also where others have left something that would be cleaned up first.
@Suite("dry runs", .timeLimit(.minutes(10)))
struct DryRunTests {
    private func prepare(_ host: NetworkHost) async throws {
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
        try await host.net("create", "more", "--subnet", "10.45.0.0/24")
        for name in ["web", "new"] {
            try await host.must(["ip", "netns", "add", name])
            try await host.must(["ip", "-n", name, "link", "set", "lo", "up"])
        }
        try await host.net("connect", "lab", "web", "-p", "[::1]:8080:80", "-p", "8081:80")
    }

    /// What is planned, with the names that are drawn left out.
    private func plan(_ host: NetworkHost, _ words: [String]) async throws -> String {
        let result = try await host.swnet(words + ["--dry-run"])
        #expect(result.status == 0, "\(result)")
        return result.output.replacing(try Regex("veth[0-9a-f]+"), with: "VETH")
    }

    @Test(
        .enabled(if: Products.folder.hasSuffix("debug"), "release programs have no faults"),
        arguments: [
            // The first of a sandbox, a further one, one of names that are asked for, a network.
            ["connect", "lab", "new", "-p", "[::1]:82:80"], ["connect", "more", "web", "-p", "84:80"],
            ["connect", "lab", "new", "--ifname", "uplink", "--ip", "10.44.0.9"],
            ["create", "third", "--subnet", "10.46.0.0/24"],
        ])
    func `over the same command, killed anywhere`(words: [String]) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let before = try await host.state()
            let wanted = try await plan(host, words)
            var deaths = 0
            for step in 1...60 {
                let killed = try await host.run(["env", "SWNET_FAULT=kill=\(step)", NetworkHost.swnet] + words)
                if killed.status == 0 { break }
                deaths += 1
                let told = try await plan(host, words)
                #expect(told.hasPrefix("clean up after an interrupted '") && told.hasSuffix("\n" + wanted), "\(told)")
                // It is left as it was.
                #expect(try await host.run(["test", "-s", "/run/swnet/pending"]).status == 0)
                try await host.net("repair")
                let rest = try await host.difference(from: before)
                #expect(rest == [], "step \(step)")
            }
            #expect(deaths > 1 && deaths < 60)
            #expect(try await host.net("check") == "")
        }
    }

    @Test(arguments: [
        "[::1]:8080:80", "8080:80", "[::1]:8080-8080:80", "8080-8080:80", "[::1]:8081:80", "[::1]:8070-8100:70-100",
    ])
    func `of a port that a dead sandbox's relay has`(port: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.net("connect", "lab", "new")
            let publish = ["publish", "new", port]
            // As long as it lives, it has them.
            let taken = try await host.swnet(publish + ["--dry-run"])
            #expect(taken.status == 1 && taken.output.isEmpty, "\(taken)")
            try await host.must(["ip", "netns", "delete", "web"])
            let isGone = try await eventually { try await host.swnet("check").output.contains("namespace is gone") }
            #expect(isGone)
            let told = try await plan(host, publish)
            #expect(told.hasPrefix("release web\n") && told.contains("\npublish ports of new\n"), "\(told)")
            #expect(try await host.must(["ls", "/run/swnet/relays", "/run/swnet/sandboxes"]).contains("web"))
            // A stranger is told in both.
            let script = """
                import socket
                server = socket.create_server(("::1", 8085), family=socket.AF_INET6); print(1, flush=True); input()
                """
            let stranger = try host.start(["bash", "-c", "sleep 1000 | python3 -c \"$0\"", script])
            try await stranger.waitForOutput("1")
            let refused = try await host.swnet("publish", "new", "[::1]:8085:80", "--dry-run")
            #expect(refused.status == 1 && refused.errors.contains("python3"), "\(refused)")
            await stranger.stop()
            try await host.net(publish)
            #expect(try await host.net("check") == "")
        }
    }
}
