import TestSupport
import Testing

/// What is taken down is taken down from the outside in, and to the end.
@Suite("taking down")
struct TeardownTests {
    private func prepare(_ host: NetworkHost) async throws {
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
        try await host.must(["ip", "netns", "add", "web"])
        try await host.net("connect", "lab", "web", "-p", "8080:80")
    }

    /// A link that goes first would leave ports that lead to whoever gets its address next.
    @Test(
        .enabled(if: Products.folder.hasSuffix("debug"), "release programs have no faults"),
        arguments: ["disconnect lab web", "gc"])
    func `the firewall is the first to go and the link the last`(line: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let end = try await host.json(["ip", "-j", "link", "show", "master", "sw-lab"])[0]["ifname"].text ?? ""
            // A sandbox that is gone as far as swnet can tell, and whose interface lives.
            if line == "gc" { try await host.shell("mount --bind /proc/1/ns/net /run/netns/web") }
            // Moment 2 is right after the first step.
            let killed = try await host.shell("SWNET_FAULT=kill=2 exec \(NetworkHost.swnet) \(line)")
            #expect(killed.status == 137, "\(killed)")
            #expect(try await host.elements("published4").isEmpty)
            #expect(try await host.elements("published6").isEmpty)
            #expect(try await host.json(["ip", "-j", "link", "show", "dev", end])[0]["ifname"].text == end)
            // The leases are there until the link has gone: nobody else gets the address of one that lives.
            #expect(try await host.must(["ls", "/run/swnet/networks/lab/leases"]).contains("10.44.0.2"))
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            #expect(try await host.must(["ls", "/run/swnet/networks/lab/leases"]).isEmpty)
        }
    }

    @Test func `every error is told, and the rest is done all the same`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            // Nothing of it can be removed: two steps fail, one for each address.
            let leases = "/run/swnet/networks/lab/leases"
            try await host.shell("mount --bind \(leases) \(leases) && mount -o remount,bind,ro \(leases)")
            let failed = try await host.swnet("disconnect", "lab", "web")
            #expect(failed.status == 1 && failed.errors.split(separator: "\n").count == 1, "\(failed)")
            for word in ["10.44.0.2", "fd00:44::2", "ead-only file system"] {
                #expect(failed.errors.contains(word), "\(word): \(failed)")
            }
            #expect(try await host.elements("published4").isEmpty)
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
            #expect(try await !host.net("ports").contains("8080"))
            try await host.must(["umount", leases])
            // What it could not let go of is nobody's, and the next who looks sees to it.
            #expect(try await host.swnet("check").output.contains("the lease of 10.44.0.2 is nobody's"))
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            try await host.net("rm", "lab")
            #expect(try await host.nothingLeft() == [])
        }
    }

    /// Whoever is in a sandbox may do with its interfaces what they like: it is not what somebody leaves by.
    @Test(arguments: [
        "ip -n web route flush dev eth1", "ip -n web link set eth1 down",
        "ip -n web route add default via 10.45.0.77 dev eth1",
        "ip netns exec web sysctl -qw net.ipv6.conf.eth1.disable_ipv6=1",
    ])
    func `what stays of a sandbox keeps nobody from leaving`(line: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.net("create", "next", "--subnet", "10.45.0.0/24", "--subnet", "fd00:45::/64")
            try await host.net("connect", "next", "web")
            // The first of them has the default route; the kernel has no room for another of its metric.
            let broken = try await host.shell(line.replacing("add default", with: "replace default"))
            try #require(broken.status == 0, "\(broken)")
            let left = try await host.swnet("disconnect", "lab", "web")
            #expect(left.status == 0, "\(left)")
            #expect(try await host.run(["ip", "link", "show", "eth0"], at: .inside("web")).status != 0)
            #expect(try await !host.net("ls").contains("web on lab"))
            if !line.contains("77") {
                #expect(
                    left.errors.contains("warning: disconnect web from lab: done, but not the default route"), "\(left)"
                )
            }
            let repaired = try await host.swnet("repair")
            #expect(repaired.status == 0, "\(repaired)")
            #expect(try await host.net("check") == "")
            let routes = try await host.must(["ip", "route", "show", "default"], at: .inside("web"))
            #expect(routes.contains("default via 10.45.0.1 dev eth1"), "\(routes)")
        }
    }

    @Test func `twice is once`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.net("disconnect", "lab", "web")
            let again = try await host.swnet("disconnect", "lab", "web")
            #expect(again.status == 1 && again.errors.contains("web is connected to no network"), "\(again)")
            // Half of it is gone already: the other half goes.
            try await host.net("connect", "lab", "web", "-p", "8080:80")
            try await host.shell(
                """
                nft flush map inet swnet published4; rm /run/swnet/networks/lab/leases/10.44.0.*
                ip link del $(ip -j link show master sw-lab | jq -r .[0].ifname)
                """)
            try await host.net("disconnect", "lab", "web")
            #expect(try await host.net("check") == "")
            try await host.net("rm", "lab")
            #expect(try await host.nothingLeft() == [])
        }
    }
}
