import TestSupport
import Testing

/// Somebody has wiped /run/swnet, and the kernel still has everything that was made.
@Suite("lost state")
struct LostStateTests {
    private func prepare(_ host: NetworkHost) async throws {
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
        try await host.net("create", "other", "--subnet", "10.45.0.0/24")
        _ = try await host.serve("web", on: "lab")
        try await host.net("publish", "web", "8080:80")
    }

    private static let servers = "ps -eo stat,comm | grep -c '^[^Z].*aardvark-dns'"

    @Test func `networks without endpoints are taken up again`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let bridges = "ip -j link show type bridge | jq -c '[.[] | [.ifname, .ifindex]]'"
            let before = try await host.must(["bash", "-c", bridges])
            // The namespace goes, and its pair with it; what it published stays in the table.
            try await host.shell("ip netns pids web | xargs -r kill; ip netns del web")
            let isGone = try await eventually {
                try await host.run(["ip", "link", "show", "type", "veth"]).lines.count == 2
            }
            #expect(isGone)
            try await host.must(["rm", "-rf", "/run/swnet"])
            let dry = try await host.swnet("connect", "--dry-run", "lab", "neighbour")
            #expect(dry.status == 0 && dry.output.contains("raise network lab"), "\(dry)")
            #expect(try await host.elements("published4").count == 1)
            _ = try await host.serve("next", on: "lab")
            // It got the address of the one that is gone, and not its port.
            #expect(try await host.addresses(of: "next") == ("10.44.0.2", "fd00:44::2"))
            #expect(try await host.elements("published4") == [])
            #expect(try await host.ask("TCP:192.0.2.1:8080", at: .neighbour) == nil)
            #expect(try await host.must(["bash", "-c", bridges]) == before)
            #expect(try await host.net("check") == "")
            #expect(try await host.shell(Self.servers).output == "1")
            #expect(try await host.must(["nft", "list", "set", "inet", "swnet", "guarded"]).contains("eth0"))
            try await host.net("publish", "next", "8080:80")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 next")
            try await host.net("disconnect", "lab", "next")
            try await host.net("rm", "lab", "other")
            #expect(try await host.nothingLeft() == [])
            #expect(try await host.must(["sysctl", "-n", "net.ipv4.ip_forward"]) == "0")
        }
    }

    @Test func `an endpoint that nobody knows is not cut off behind its owner's back`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let end = try await host.must(["bash", "-c", "ip -j link show master sw-lab | jq -r .[0].ifname"])
            try await host.must(["ip", "netns", "add", "next"])
            try await host.must(["rm", "-rf", "/run/swnet"])
            let before = try await host.must(["nft", "list", "ruleset"])
            for words in [["connect", "lab", "next"], ["connect", "other", "next"], ["create", "third"]] {
                let refused = try await host.swnet(words)
                #expect(
                    refused.status != 0 && refused.errors.contains("interface \(end) of web is there"), "\(refused)")
                #expect(refused.errors.contains("swnet repair"), "\(refused)")
            }
            #expect(try await host.must(["nft", "list", "ruleset"]) == before)
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            let repaired = try await host.net("repair")
            #expect(repaired.contains("repaired interface \(end)"), "\(repaired)")
            #expect(try await host.net("check") == "")
            #expect(try await host.shell(Self.servers).output == "0")
            #expect(try await host.nothingLeft() == [])
            try await host.net("connect", "lab", "web", "-p", "8080:80")
            try await host.net("connect", "lab", "next")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            #expect(try await host.shell(Self.servers).output == "1")
        }
    }

    /// A record of one network is gone, and those of its endpoints are there: nobody gets an address that is in use.
    @Test func `a network alone`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.must(["rm", "-r", "/run/swnet/networks/lab"])
            _ = try await host.serve("next", on: "lab")
            #expect(try await host.addresses(of: "next") == ("10.44.0.3", "fd00:44::3"))
            #expect(try await host.net("check") == "")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
        }
    }

    /// What tells a network's bridge from others that get its name is on record as soon as the network is.
    @Test(.enabled(if: Products.folder.hasSuffix("debug"), "release programs have no faults"))
    func `a repair that is cut short when it has taken up a network`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            for moment in 1...6 {
                try await host.must(["rm", "-r", "/run/swnet/networks/lab"])
                let killed = try await host.shell("SWNET_FAULT=kill=\(moment) exec \(NetworkHost.swnet) repair")
                #expect(killed.status == 137, "moment \(moment): \(killed)")
                try await host.net("repair")
                #expect(try await host.net("check") == "")
                try await host.must(["ip", "link", "set", "sw-lab", "alias", "theirs"])
                let told = try await host.swnet("check")
                #expect(told.output.contains("sw-lab does not carry the mark"), "moment \(moment): \(told)")
                try await host.swnet("repair")
                #expect(try await host.net("check") == "", "moment \(moment)")
                let link = try await host.json(["ip", "-j", "link", "show", "sw-lab"])[0]
                #expect(link["ifalias"].text == "swnet network lab")
            }
        }
    }

    /// Who has heard of an Ethernet address of somebody's own choice hears of the next owner of the address.
    @Test func `a network with endpoints that have chosen their Ethernet addresses`() async throws {
        try await NetworkHost.with { host in
            // Twelve addresses each: of that many nobody is told what is true already.
            let subnets = (44..<56).flatMap { ["--subnet", "10.\($0).0.0/24"] }
            try await host.net(["create", "lab"] + subnets)
            for name in ["friend", "old", "new"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lab", "friend")
            try await host.net("connect", "lab", "old", "--ip", "10.44.0.9", "--mac", "02:00:00:00:00:77")
            let strangers = [
                "bash", "-c", "cd /run/swnet/networks/lab/strangers; find -type l -printf '%p %l\n' | sort",
            ]
            let before = try await host.must(strangers)
            #expect(before.contains("./10.44.0.9 02:00:00:00:00:77"))
            for line in [
                "rm -r /run/swnet/networks/lab", "rm -r /run/swnet/networks/lab/strangers",
                "rm /run/swnet/networks/lab/strangers/10.44.0.9",
                "rm -r /run/swnet/networks/lab; echo x > /run/swnet/networks/lab",
            ] {
                try await host.must(["bash", "-c", line])
                #expect(try await host.swnet("check").status == 1, "\(line)")
                try await host.net("repair")
                #expect(try await host.net("check") == "", "\(line)")
                #expect(try await host.run(strangers).output == before, "\(line)")
            }
            try await host.net("disconnect", "lab", "old")
            try await host.must([
                "ip", "-n", "friend", "neigh", "replace", "10.44.0.9", "lladdr", "02:00:00:00:00:77", "nud",
                "reachable",
                "dev", "eth0",
            ])
            try await host.net("connect", "lab", "new", "--ip", "10.44.0.9")
            #expect(
                try await host.run(["ping", "-c", "1", "-w", "30", "10.44.0.9"], at: .inside("friend")).status == 0)
            let own = try await host.json(["ip", "-j", "link", "show", "eth0"], at: .inside("new"))[0]["address"].text
            let known = try await host.json(["ip", "-j", "neigh", "show", "10.44.0.9"], at: .inside("friend"))[0]
            #expect(known["lladdr"].text == own)
        }
    }

    /// Whoever sweeps /run of empty folders finds that of a network that nobody is on.
    @Test func `the leases of a network that nobody is on`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let line = ["rmdir", "/run/swnet/networks/other/leases"]
            try await host.must(line)
            let found = try await host.swnet("check")
            #expect(found.status == 1 && found.output == "network other: its record of leases is missing", "\(found)")
            try await host.net("create", "third", "--subnet", "10.46.0.0/24")
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            try await host.must(line)
            _ = try await host.serve("next", on: "other")
            #expect(try await host.net("check") == "")
        }
    }

    /// Until a repair takes it up again, what others do takes nothing of a network whose record is gone and that is in use.
    @Test func `a network that others do not forget`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64", "--antispoof")
            try await host.net("create", "other", "--subnet", "10.45.0.0/24", "--antispoof")
            _ = try await host.serve("web", on: "lab")
            try await host.net("publish", "web", "8080:80")
            for name in ["next", "last"] { try await host.must(["ip", "netns", "add", name]) }
            let rules = ["nft", "-s", "list", "ruleset"]
            let before = try await host.must(rules).split(separator: "\n").sorted()
            for (lines, isSame) in [
                (["nft flush ruleset", "$0 connect other next", "$0 disconnect other next"], true),
                (["$0 connect other next -p 81:80", "nft flush ruleset", "$0 unpublish next 81:80"], false),
                (["$0 disconnect other next", "$0 rm other"], false),
            ] {
                try await host.must(["rm", "-r", "/run/swnet/networks/lab"])
                try await host.must(["bash", "-ec", lines.joined(separator: "; "), NetworkHost.swnet])
                let now = try await host.must(rules).split(separator: "\n").sorted()
                if isSame { #expect(now == before, "\(lines): \(now.difference(from: before))") }
                #expect(now.contains { $0.contains("\"sw-lab\" . \"sw-lab\"") }, "\(lines): \(now)")
                #expect(now.contains { $0.contains("table bridge swnet") }, "\(lines): \(now)")
                #expect(try await host.must(["sysctl", "-n", "net.ipv4.ip_forward"]) == "1")
                #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
                #expect(try await host.ask("TCP:10.44.0.2:80", at: .neighbour) == nil)
                try await host.net("repair")
                #expect(try await host.net("check") == "", "\(lines)")
                #expect(try await host.must(rules).split(separator: "\n").sorted() == now, "\(lines)")
            }
            try await host.net("disconnect", "lab", "web")
            try await host.net("rm", "lab")
            #expect(try await host.nothingLeft() == [])
            #expect(try await host.must(["sysctl", "-n", "net.ipv4.ip_forward"]) == "0")
        }
    }
}
