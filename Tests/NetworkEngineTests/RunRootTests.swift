import TestSupport
import Testing

/// Two run roots in one network namespace: to one, all that the other has made looks like what a crash has left.
@Suite("run roots")
struct RunRootTests {
    private static let other = ["--root", "/var/lib/swnet/other", "--run-root", "/run/other/long"]

    @Test(arguments: [[], other], ["/run/swnet", "/run/other/long"])
    func `one takes nothing of another's`(first: [String], place: String) async throws {
        guard first.isEmpty == (place == "/run/swnet") else { return }
        try await NetworkHost.with { host in
            let second = first.isEmpty ? Self.other : []
            try await host.must(["mkdir", "-p", "/run/other"])
            try await host.net(first + ["create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64"])
            for name in ["web", "new"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net(first + ["connect", "lab", "web", "-p", "8080:80"])
            _ = try await host.listen("web", ["tcp"], port: 80)
            let links = ["bash", "-c", "ip -o link; nft list ruleset; sysctl -n net.ipv4.ip_forward"]
            let before = try await host.must(links)
            for words in [
                ["check"], ["repair"], ["repair", "--dry-run"], ["gc"], ["create", "theirs"],
                ["create", "theirs", "--subnet", "10.46.0.0/24"], ["connect", "bridge", "new"],
                ["connect", "bridge", "new", "--dry-run"],
            ] {
                let refused = try await host.swnet(second + words)
                #expect(refused.status == 1 && refused.errors.contains("records are in \(place) ("), "\(refused)")
                #expect(try await host.must(links) == before, "\(words)")
            }
            for words in [["ls"], ["ports"], ["hosts"]] { try await host.net(second + words) }
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            // Named in another way it is the same.
            try await host.must(["ln", "-s", place, "/run/link"])
            #expect(try await host.net(first.prefix(2) + ["--run-root", "/run/link", "check"]) == "")
            // The table is built anew by whoever it belongs to.
            try await host.must(["nft", "flush", "chain", "inet", "swnet", "forward"])
            try await host.net(first + ["repair"])
            #expect(try await host.swnet(second + ["repair"]).status == 1)
            #expect(try await host.net(first + ["check"]) == "")
            // When nothing of it is left, the other may come.
            try await host.net(first + ["disconnect", "lab", "web"])
            try await host.net(first + ["rm", "lab"])
            try await host.net(second + ["create", "theirs", "--subnet", "10.46.0.0/24"])
            #expect(try await host.net(second + ["check"]) == "")
            let refused = try await host.swnet(first + ["check"])
            #expect(refused.status == 1 && refused.errors.contains("belongs to another swnet"), "\(refused)")
            try await host.net(second + ["rm", "theirs"])
            #expect(try await host.net(first + ["check"]) == "")
        }
    }

    /// `ip netns exec` keeps /run: the records of one network namespace met in another, they would all seem to be lost.
    @Test func `one network namespace's records are no other's`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            _ = try await host.serve("web", on: "lab")
            try await host.net("publish", "web", "8080:80")
            try await host.must(["ip", "netns", "add", "new"])
            let before = try await host.shell("nft list ruleset; ip -br link; find /run/swnet | sort").output
            for words in [
                ["repair"], ["check"], ["disconnect", "lab", "web"], ["unpublish", "web", "8080:80"], ["gc"],
                ["connect", "lab", "new"], ["rm", "lab"], ["create", "other"], ["ls"],
            ] {
                let refused = try await host.run([NetworkHost.swnet] + words, at: .neighbour)
                let told = "use /run/swnet: device or resource busy (its records are of another network namespace"
                #expect(refused.status == 1 && refused.errors.contains(told), "\(words): \(refused)")
                #expect(try await host.run(["nft", "list", "ruleset"], at: .neighbour).output == "")
            }
            #expect(try await host.shell("nft list ruleset; ip -br link; find /run/swnet | sort").output == before)
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            // A root of its own is free, and one that records nothing goes to whoever comes.
            try await host.must(["mkdir", "-p", "/run/own/run"])
            let own = [NetworkHost.swnet, "--run-root", "/run/own/run", "--root", "/run/own/lib"]
            try await host.must(own + ["create", "lab", "--subnet", "10.45.0.0/24"], at: .neighbour)
            try await host.must(own + ["rm", "lab"], at: .neighbour)
            try await host.must(own + ["create", "mine", "--subnet", "10.46.0.0/24"], at: .inside("new"))
            #expect(try await host.run(own + ["check"], at: .neighbour).status == 1)
            #expect(try await host.must(own + ["check"], at: .inside("new")) == "")
        }
    }

    /// A rule set that was flushed tells nobody's records, and interfaces are there: what is said of them is careful.
    @Test func `without a table`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web")
            try await host.must(["nft", "flush", "ruleset"])
            let refused = try await host.swnet(Self.other + ["create", "theirs", "--subnet", "10.46.0.0/24"])
            let words = "it was made by a swnet with another --run-root"
            #expect(refused.status == 1 && refused.errors.contains(words), "\(refused)")
            try await host.net("repair")
            #expect(try await host.net("check") == "")
        }
    }

    @Test func `a check makes no folders`() async throws {
        try await NetworkHost.with { host in
            let find = ["find", "/run", "/var/lib/swnet", "-path", "/run/swnet", "-prune", "-o", "-printf", "%p %T@\n"]
            let before = try await host.must(find)
            for (flags, words) in [
                (Self.other, "there is no folder /run/other/long (--run-root)"),
                (["--root", "/run/none"], "there is no folder /run/none (--root)"),
            ] {
                for line in [["check"], ["check", "-q"], ["repair", "--dry-run"]] {
                    let refused = try await host.swnet(flags + line)
                    #expect(refused.status == 1 && refused.errors.contains(words), "\(refused)")
                    #expect(try await host.must(find) == before, "\(flags + line)")
                }
            }
            // Of one that was lost, all that is left is told.
            try await host.net(Self.other + ["create", "lab", "--subnet", "10.44.0.0/24"])
            try await host.must(["rm", "-r", "/run/other"])
            let found = try await host.swnet(Self.other + ["check"])
            #expect(found.status == 1 && found.output.contains("interface sw-lab: it carries our mark"), "\(found)")
            try await host.net(Self.other + ["repair"])
            #expect(try await host.net(Self.other + ["check"]) == "")
        }
    }
}
