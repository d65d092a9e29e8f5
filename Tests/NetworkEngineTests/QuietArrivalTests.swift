import Foundation
import TestSupport
import Testing

/// Newcomers with IPv6 on a bridge, as the others on it hear them.
///
/// A bridge carries what a newcomer says of itself to each of its ports: with a thousand of them that is what a connect costs.
@Suite("quiet arrivals")
struct QuietArrivalTests {
    /// A network with one sandbox, which counts the reports of groups that it hears from the others.
    private func prepare(_ host: NetworkHost, _ names: [String]) async throws {
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
        for name in ["old"] + names { try await host.must(["ip", "netns", "add", name]) }
        try await host.net("connect", "lab", "old")
        // The bridge itself says it, too.
        let bridge = try await host.json(["ip", "-j", "link", "show", "dev", "sw-lab"])[0]["address"].text ?? ""
        try await host.must(
            [
                "nft",
                "add table inet t; add chain inet t c { type filter hook prerouting priority 0; }; "
                    + "add rule inet t c ether saddr != \(bridge) icmpv6 type { 131, 143 } counter",
            ], at: .inside("old"))
    }

    private func reports(_ host: NetworkHost) async throws -> Int {
        let rules = try await host.json(["nft", "-j", "list", "table", "inet", "t"], at: .inside("old"))
        return rules["nftables"].items.compactMap { $0["rule"]["expr"].items.last?["counter"]["packets"].integer }
            .reduce(0, +)
    }

    private func port(_ host: NetworkHost) async throws -> JSONValue {
        let record = try await host.json([NetworkHost.swnet, "inspect", "new"])[0]["endpoints"][0]
        let name = try #require(record["link"]["host"].text, "\(record)")
        return try await host.json(["bridge", "-j", "-d", "link", "show", "dev", name])[0]
    }

    private func parameter(_ host: NetworkHost, _ name: String) async throws -> String {
        try await host.must(["sysctl", "-n", "net.ipv6.conf.eth0.\(name)"], at: .inside("new"))
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @Test func `newcomers tell nobody which groups they listen to, and speak as usual afterwards`() async throws {
        try await NetworkHost.with { host in
            let names = (1...8).map { "new\($0)" } + ["new"]
            try await prepare(host, names)
            for name in names { try await host.net("connect", "lab", name) }
            #expect(try await parameter(host, "force_mld_version") == "0")
            #expect(try await parameter(host, "mldv1_unsolicited_report_interval") == "10000")
            #expect(try await port(host)["locked"] == .bool(false))
            try await host.must(["ping", "-6", "-c", "1", "-W", "10", "fd00:44::2"], at: .inside("new"))
            // What was to be said before would be said by the time that this is.
            let join = """
                import socket, struct, sys
                peer = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
                group = socket.inet_pton(socket.AF_INET6, "ff02::1234") + struct.pack("@I", socket.if_nametoindex("eth0"))
                peer.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
                print("joined", flush=True); sys.stdin.read()
                """
            let member = try host.start(["python3", "-c", join], at: .inside("new"))
            try await member.waitForOutput("joined")
            let isHeard = try await eventually { try await reports(host) > 0 }
            let count = try await reports(host)
            // On a busy machine the kernel may be later than we wait; each of them would say it at least once.
            #expect(isHeard && count <= 1 + names.count / 2, "\(count)")
            await member.stop()
        }
    }

    @Test func `where somebody asks for groups a newcomer is in the bridge's list at once`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host, ["new"])
            try await host.must(["ip", "link", "set", "sw-lab", "type", "bridge", "mcast_querier", "1"])
            try await host.net("connect", "lab", "new")
            let isKnown = try await eventually {
                try await host.must(["bridge", "mdb", "show", "dev", "sw-lab"]).contains("ff02::1:ff00:3")
            }
            #expect(isKnown)
            #expect(try await port(host)["locked"] == .bool(false))
            try await host.must(["ping", "-6", "-c", "1", "-W", "10", "fd00:44::3"], at: .inside("old"))
        }
    }

    /// Such a bridge does not know who asks; a router in a sandbox would not hear of a newcomer for minutes.
    @Test func `where the bridge does not listen to groups a newcomer says what it listens to`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host, ["new"])
            try await host.must(["ip", "link", "set", "sw-lab", "type", "bridge", "mcast_snooping", "0"])
            try await host.net("connect", "lab", "new")
            #expect(try await eventually { try await reports(host) > 0 })
            #expect(try await port(host)["locked"] == .bool(false))
        }
    }

    @Test(arguments: ["1", "2"])
    func `a version chosen for all interfaces to come stays`(version: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host, ["new"])
            try await host.must(
                ["sysctl", "-qw", "net.ipv6.conf.default.force_mld_version=\(version)"], at: .inside("new"))
            try await host.net("connect", "lab", "new")
            #expect(try await parameter(host, "force_mld_version") == version)
            #expect(try await parameter(host, "mldv1_unsolicited_report_interval") == "10000")
            #expect(try await port(host)["locked"] == .bool(false))
            try await host.must(["ping", "-6", "-c", "1", "-W", "10", "fd00:44::2"], at: .inside("new"))
        }
    }

    @Test func `a port of somebody else's bridge may be locked`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "link", "add", "mine", "type", "bridge"])
            try await host.must(["ip", "link", "set", "mine", "up"])
            try await host.net("create", "lab", "--opt", "bridge=mine", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "new"])
            try await host.net("connect", "lab", "new")
            let name = try await port(host)["ifname"].text ?? ""
            try await host.must(["bridge", "link", "set", "dev", name, "locked", "on"])
            #expect(try await host.net("check") == "")
            try await host.net("repair")
            #expect(try await port(host)["locked"] == .bool(true))
        }
    }

    @Test func `what somebody asks for is left alone`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host, ["new"])
            try await host.net(
                "connect", "lab", "new", "--sysctl", "net.ipv6.conf.IFNAME.force_mld_version=1")
            #expect(try await parameter(host, "force_mld_version") == "1")
            #expect(try await port(host)["locked"] == .bool(false))
        }
    }
}
