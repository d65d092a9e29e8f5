import TestSupport
import Testing

@Suite("the fixture itself")
struct FixtureTests {
    @Test func `a host has a neighbour on its wire and nothing else`() async throws {
        try await TestHost.with { host in
            #expect(try await host.shell("ping -c 1 -W 2 192.0.2.2").status == 0)
            #expect(try await host.shell("ping -c 1 -W 2 2001:db8::1", at: .neighbour).status == 0)
            let links = try await host.json(["ip", "-j", "link"]).items.compactMap { $0["ifname"].text }
            #expect(links.sorted() == ["eth0", "lo"])
            #expect(try await host.must(["ls", "/run/netns"]) == "neighbour")
        }
    }

    @Test func `what a test leaves is seen`() async throws {
        await withKnownIssue {
            try await TestHost.with { host in
                try await host.must(["ip", "link", "add", "stray", "type", "bridge"])
            }
        }
        await withKnownIssue {
            try await TestHost.with { host in
                try await host.shell("setsid sleep 1000 >/dev/null 2>&1 &")
            }
        }
    }
}
