import TestSupport
import Testing

/// Networks that the host does not route for need no table that says whose they are: their links do.
@Suite("marks of links")
struct LinkMarkTests {
    private static let other = ["--root", "/var/lib/swnet/other", "--run-root", "/run/other/long"]
    private static let links = "ip -j link | jq -c '.[] | [.ifname, .ifalias, .master]'"
    private static let state = ["bash", "-c", "\(links); nft list ruleset"]

    @Test(arguments: [[], other])
    func `one run root takes no links of another's`(first: [String]) async throws {
        try await NetworkHost.with { host in
            let second = first.isEmpty ? Self.other : []
            try await host.must(["bash", "-c", "mkdir -p /run/other; ip link add br0 type bridge; ip link set br0 up"])
            // A root without folders is a typing error to those that only look.
            if !second.isEmpty { try await host.must(["mkdir", "-p", second[1], second[3]]) }
            let words = ["create", "lan", "-d", "bridge", "--opt", "bridge=br0", "--subnet", "10.44.0.0/24"]
            for name in ["web", "new"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net(first + words)
            try await host.net(first + ["connect", "lan", "web"])
            let before = try await host.must(Self.state)
            for words in [["check"], ["repair"], ["repair", "--dry-run"], ["gc"]] {
                #expect(try await host.net(second + words) == "")
                #expect(try await host.must(Self.state) == before, "\(words)")
            }
            // Both are in use, and each cleans up what it has lost itself.
            try await host.net(second + words)
            try await host.net(second + ["connect", "lan", "new", "--ip", "10.44.0.9"])
            try await host.must(["ip", "netns", "exec", "web", "ping", "-c1", "-W5", "10.44.0.9"])
            for root in [first, second] { #expect(try await host.net(root + ["check"]) == "") }
            let place = first.isEmpty ? "/run/swnet" : "/run/other/long"
            try await host.must(["rm", "-rf", place])
            let repaired = try await host.net(first + ["repair"])
            #expect(repaired.split(separator: "\n").count == 1 && repaired.contains("and belongs to nobody"))
            #expect(try await host.net(first + ["check"]) == "")
            #expect(try await host.net(second + ["check"]) == "")
            try await host.net(second + ["disconnect", "lan", "new"])
            try await host.net(second + ["rm", "lan"])
            try await host.net(first + ["rm", "lan"])
            try await host.must(["ip", "link", "delete", "br0"])
            #expect(try await host.nothingLeft() == [])
        }
    }

    /// What guards sources is a table that all share.
    @Test(arguments: [[], other])
    func `nor the guard of its sources`(first: [String]) async throws {
        try await NetworkHost.with { host in
            let second = first.isEmpty ? Self.other : []
            try await host.must(["bash", "-c", "mkdir -p /run/other; ip link add br0 type bridge; ip link set br0 up"])
            try await host.net(
                first + [
                    "create", "lan", "-d", "bridge", "--opt", "bridge=br0", "--subnet", "10.44.0.0/24", "--antispoof",
                ])
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net(first + ["connect", "lan", "web"])
            #expect(try await host.net(first + ["check"]) == "")
            let before = try await host.must(Self.state)
            for words in [["check"], ["repair"], ["gc"]] {
                let refused = try await host.swnet(second + words)
                #expect(refused.status == 1 && refused.errors.contains("belongs to another swnet"), "\(refused)")
                #expect(try await host.must(Self.state) == before, "\(words)")
            }
            try await host.must(["nft", "flush", "ruleset"])
            try await host.net(first + ["repair"])
            #expect(try await host.net(first + ["check"]) == "")
            #expect(try await host.swnet(second + ["repair"]).status == 1)
        }
    }

    /// A rule set that was flushed takes the mark of the table with it, and the links have theirs.
    @Test func `nor a network that has lost its table`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web")
            try await host.must(["nft", "flush", "ruleset"])
            let before = try await host.must(Self.state)
            #expect(try await host.net(Self.other + ["repair"]) == "")
            #expect(try await host.must(Self.state) == before)
            try await host.net("repair")
            #expect(try await host.net("check") == "")
        }
    }
}
