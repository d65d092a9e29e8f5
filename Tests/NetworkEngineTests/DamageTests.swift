import TestSupport
import Testing

/// Damage to a network whose maker has named nothing but its subnets, and dry runs of what makes it right.
@Suite("damage")
struct DamageTests {
    private static let hostEnd = "$(ip -j link show master sw-lab | jq -r .[0].ifname)"

    private func prepare(_ host: NetworkHost) async throws {
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
        _ = try await host.serve("web", on: "lab")
        try await host.net("publish", "web", "8080:80")
        #expect(try await host.net("check") == "")
    }

    @Test(arguments: [
        ("ip link set sw-lab mtu 1300", "network lab: the bridge sw-lab has mtu 1300 instead of 1500"),
        ("ip link set \(hostEnd) mtu 1300", "has mtu 1300 instead of 1500"),
        ("ip link set \(hostEnd) alias theirs", "does not carry the mark 'swnet lab web'"),
        // Below 1280 the kernel gives up IPv6 there.
        ("ip link set sw-lab mtu 1200", "network lab: the bridge sw-lab has mtu 1200 instead of 1500"),
        ("ip -n web link set eth0 mtu 1200", "web on lab: eth0 has mtu 1200 instead of 1500"),
        (
            "ip link set sw-lab address 02:00:00:00:00:77",
            "network lab: the bridge sw-lab has the address 02:00:00:00:00:77 instead of 02:53:0a:2c:00:01"
        ),
        ("ip link set sw-lab type bridge stp_state 1", "network lab: the bridge sw-lab runs a spanning tree"),
        (
            "ip -6 address flush dev sw-lab scope link", "network lab: the bridge sw-lab lacks its link-local address"
        ),
        ("ln -sfn nobody /run/swnet/networks/lab/leases/10.44.0.2", "the lease of 10.44.0.2 is missing"),
        ("rm -r /run/swnet/networks/lab", "network lab: its record of this boot is gone"),
        ("nft 'chain inet swnet forward { policy drop; }'", "firewall: chain forward has the policy drop"),
        (
            "nft 'add chain inet swnet extra { type filter hook forward priority 5; policy drop; }'",
            "firewall: chain extra is in our table, and nothing asks for it"
        ),
        // Another verdict under the same comment.
        (
            #"nft -j -a list chain inet swnet forward | jq -r '[.nftables[].rule | select(.)] | last"#
                + #" | "replace rule inet swnet forward handle \(.handle) accept comment \"\(.comment)\""' | nft -f -"#,
            "firewall: chain forward has other rules than it should"
        ),
        ("rm -r /run/swnet/namespaces", "sandbox web: its network namespace is not recorded as its own"),
        (
            "ln -sfn nobody /run/swnet/networks/lab/leases/10.44.0.2; rm /run/swnet/ports",
            "ports: the index does not match the records"
        ),
        ("rm /run/swnet/forwarding", "host: the record of what was switched on to forward is missing"),
        ("echo nonsense > /run/swnet/forwarding", "host: read /run/swnet/forwarding: "),
        ("echo {} > /run/swnet/forwarding", "host: read /run/swnet/forwarding: it names no family"),
        (
            "rm /run/swnet/forwarding; nft flush chain inet swnet forward",
            "host: the record of what was switched on to forward is missing"
        ),
    ])
    func `is found and repaired`(line: String, words: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let before = try await host.state()
            let broken = try await host.shell(line)
            try #require(broken.status == 0, "\(broken)")
            let found = try await host.swnet("check")
            #expect(found.status == 1 && found.output.contains(words), "\(found)")
            // A dry run tells the same and does nothing.
            let dry = try await host.swnet("repair", "--dry-run")
            #expect(dry.status == 0, "\(dry)")
            let planned = dry.output.split(separator: "\n").map { $0.replacing(/\ \([^()]*\)$/, with: "") }
            #expect(planned == found.output.split(separator: "\n").map { "would repair \($0)" })
            #expect(try await host.swnet("check").output == found.output)
            let repaired = try await host.json([NetworkHost.swnet, "repair", "--format", "json"]).items
            #expect(repaired.contains { "\($0["object"].text ?? ""): \($0["problem"].text ?? "")".contains(words) })
            #expect(repaired.allSatisfy { $0["repaired"].isTrue }, "\(repaired)")
            #expect(try await host.net("check") == "")
            #expect(try await host.difference(from: before) == [])
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            #expect(try await host.answer("TCP:[2001:db8::1]:8080", at: .neighbour) == "2001:db8::2 web")
            try await host.net("disconnect", "lab", "web")
            try await host.net("rm", "lab")
            #expect(try await host.nothingLeft() == [])
        }
    }

    /// The host goes on forwarding, and would be a router between its own interfaces without its guard.
    @Test(arguments: [
        "rm /run/swnet/forwarding", "echo {} > /run/swnet/forwarding",
        "echo '{\"guarded4\": 7}' > /run/swnet/forwarding",
    ])
    func `a host that has lost the record still guards what it forwards`(line: String) async throws {
        try await NetworkHost.with { host in
            let guarded = "nft -j list set inet swnet guarded | jq -c '[.nftables[].set | select(.) | .elem[].concat]'"
            try await prepare(host)
            let before = try await host.must(["bash", "-c", guarded])
            #expect(before.contains("eth0"))
            try await host.must(["bash", "-c", line])
            // No command stops for it, and what builds the table anew keeps the guard.
            try await host.net("create", "closed", "--internal", "--subnet", "10.45.0.0/24")
            try await host.net("rm", "closed")
            #expect(try await host.must(["bash", "-c", guarded]) == before)
            try await host.net("repair")
            #expect(try await host.must(["bash", "-c", guarded]) == before)
            // The last network takes it all away, and forwarding with it.
            try await host.must(["bash", "-c", line])
            try await host.net("disconnect", "lab", "web")
            try await host.net("rm", "lab")
            #expect(try await host.must(["sysctl", "-n", "net.ipv4.ip_forward"]) == "0")
            #expect(try await host.must(["sysctl", "-n", "net.ipv6.conf.all.forwarding"]) == "0")
            #expect(try await host.nothingLeft() == [])
        }
    }

    /// There is nothing to guard, and the host goes back to what it was all the same.
    @Test(arguments: [
        ["--subnet", "10.44.0.0/24"], ["--subnet", "fd00:44::/64"],
        ["--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64"],
    ])
    func `the record of a host without other interfaces`(subnets: [String]) async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "link", "delete", "eth0"])
            let switches = ["sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"]
            let off = try await host.must(switches)
            try await host.net(["create", "lab"] + subnets)
            let on = try await host.must(switches)
            #expect(on != off)
            #expect(try await host.net("check") == "")
            let record = try await host.must(["cat", "/run/swnet/forwarding"])
            for line in ["rm /run/swnet/forwarding", "rm /run/swnet/forwarding; nft flush chain inet swnet forward"] {
                try await host.must(["bash", "-c", line])
                let found = try await host.swnet("check")
                #expect(found.output.contains("the record of what was switched on to forward is missing"), "\(found)")
                try await host.net("repair")
                #expect(try await host.must(["cat", "/run/swnet/forwarding"]) == record)
                #expect(try await host.net("check") == "")
            }
            try await host.must(["rm", "/run/swnet/forwarding"])
            try await host.net("rm", "lab")
            #expect(try await host.must(switches) == off)
            #expect(try await host.nothingLeft() == [])
            // What an administrator has switched on is theirs.
            try await host.must(["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])
            try await host.net(["create", "lab"] + subnets)
            #expect(try await host.run(["nft", "list", "set", "inet", "swnet", "guarded"]).status != 0)
            try await host.net("rm", "lab")
            #expect(try await host.must(switches) == "1\n1")
        }
    }

    @Test func `a collection can be looked at first`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web", "-p", "8080:80")
            #expect(try await host.net("gc", "--dry-run") == "")
            try await host.must(["ip", "netns", "delete", "web"])
            let isGone = try await eventually { try await host.swnet("check").status == 1 }
            #expect(isGone)
            let dry = try await host.net("gc", "--dry-run")
            #expect(dry.contains("release web") && dry.contains("free 10.44.0.2 of lab from web"), "\(dry)")
            let plan = try await host.json([NetworkHost.swnet, "gc", "--dry-run", "--format", "json"])
            #expect(plan["operation"].text == "release web")
            #expect(try await host.elements("published4").count == 1)
            #expect(try await host.net("gc") == "web")
            #expect(try await host.elements("published4").isEmpty)
            #expect(try await host.net("check") == "")
        }
    }

    /// Whoever looks first what would be done has not asked for anything to be cleaned up.
    @Test func `a dry run leaves the dead where they are`() async throws {
        try await NetworkHost.with { host in
            // With one address to give.
            try await host.net("create", "lab", "--subnet", "10.44.0.0/30")
            for name in ["web", "next"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lab", "web", "-p", "8080:80")
            try await host.must(["ip", "netns", "delete", "web"])
            let isGone = try await eventually {
                try await host.run(["ip", "link", "show", "type", "veth"]).lines.count == 2
            }
            #expect(isGone)
            try await host.must(["ln", "-s", "nobody", "/run/swnet/networks/lab/leases/10.44.0.77"])
            let before = try await host.state()
            for (words, steps) in [
                (["connect", "lab", "next", "-p", "8080:80"], ["release web", "lease 10.44.0.2 of lab to next"]),
                (["connect", "lab", "next", "--ip", "10.44.0.2"], ["release web", "lease 10.44.0.2 of lab to next"]),
                (
                    ["connect", "lab", "next", "-p", "8080-8080:81"],
                    ["release web", "8080:81/tcp to 10.44.0.2 of next"]
                ),
                (["disconnect", "lab", "web"], ["disconnect web from lab", "forget sandbox web"]),
                (["rm", "lab"], ["release web", "lower network lab"]), (["gc"], ["release web"]),
            ] {
                let plan = try await host.net(words + ["--dry-run"])
                for step in steps { #expect(plan.contains(step), "\(words): \(plan)") }
                #expect(try await host.difference(from: before) == [], "\(words)")
            }
            // Nor what an operation left that was cut short.
            try await host.must([
                "bash", "-c",
                "\(NetworkHost.swnet) gc --dry-run --format json > /run/pending && mv /run/pending /run/swnet",
            ])
            let pending = try await host.state()
            let plan = try await host.net("connect", "lab", "next", "--dry-run")
            #expect(
                plan.contains("clean up after an interrupted 'release web'") && plan.contains("10.44.0.2"), "\(plan)")
            #expect(try await host.difference(from: pending) == [])
            try await host.net("connect", "lab", "next", "-p", "8080:80")
            #expect(try await host.addresses(of: "next").v4 == "10.44.0.2")
            try await host.net("repair")
            #expect(try await host.net("check") == "")
        }
    }

    @Test func `the chains of others, in a dry run`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.must(["nft", "add table inet theirs"])
            try await host.must([
                "nft", "add chain inet theirs f { type filter hook forward priority 0; policy drop; }",
            ])
            let before = try await host.must(["nft", "list", "ruleset"])
            let plain = try await host.swnet("repair", "--dry-run")
            #expect(plain.status == 0 && plain.output == "" && plain.errors.contains("chain inet theirs f"), "\(plain)")
            let open = try await host.swnet("repair", "--foreign", "--dry-run")
            #expect(open.output.contains("would repair chain inet theirs f") && open.errors == "", "\(open)")
            #expect(try await host.must(["nft", "list", "ruleset"]) == before)
            #expect(try await host.swnet("check").output.contains("swnet repair --foreign"))
        }
    }

    @Test func `the way between hosts`() async throws {
        try await NetworkHost.with { host in
            try await host.net(
                "create", "wide", "-d", "vxlan", "--opt", "vni=7", "--opt", "peers=192.0.2.2", "--subnet",
                "10.46.0.0/24")
            try await host.must(["ip", "link", "set", "vx-wide", "mtu", "1300"])
            let found = try await host.swnet("check")
            #expect(found.output.contains("network wide: the VXLAN vx-wide has mtu 1300 instead of 1450"), "\(found)")
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            #expect(try await host.json(["ip", "-j", "link", "show", "vx-wide"])[0]["mtu"].integer == 1450)
            // What has its name and not its mark may be somebody else's.
            try await host.must(["ip", "link", "set", "vx-wide", "alias", "theirs", "mtu", "1300"])
            let theirs = try await host.swnet("repair")
            #expect(theirs.errors.contains("the interface vx-wide is not of this network (rename"), "\(theirs)")
            #expect(try await host.json(["ip", "-j", "link", "show", "vx-wide"])[0]["mtu"].integer == 1300)
        }
    }

    /// Whatever of a sandbox is broken: nothing of ours is put on a bridge of somebody else's.
    @Test func `a bridge of somebody else's that has the name of a network's`() async throws {
        try await NetworkHost.with { host in
            for name in ["one", "two"] { _ = try await host.serve(name, on: "bridge") }
            let one = try await host.json([NetworkHost.swnet, "inspect", "bridge"])[0]["sandboxes"].items
                .first { $0["name"].text == "one" }
            let port = try #require(one?["hostInterface"].text)
            try await host.shell(
                """
                ip link set sw-bridge down; ip link set sw-bridge name mine; ip link add sw-bridge mtu 1400 type bridge
                ip link set sw-bridge up; ip link set \(port) down; ip -n one address flush dev eth0 scope global
                ip -n two link del eth0
                """)
            let repaired = try await host.swnet("repair")
            let words = "the interface sw-bridge is not of network bridge"
            #expect(repaired.status == 1 && repaired.errors.contains(words), "\(repaired)")
            #expect(try await host.must(["ip", "-o", "link", "show", "master", "sw-bridge"]) == "")
            #expect(try await host.json(["ip", "-j", "link", "show", port])[0]["mtu"].integer == 1500)
            // Nor is anything else, whoever asks.
            try await host.must(["ip", "netns", "add", "three"])
            let refused = try await host.swnet("connect", "bridge", "three")
            #expect(refused.status != 0, "\(refused)")
            #expect(try await host.must(["ip", "-o", "link", "show", "master", "sw-bridge"]) == "")
            try await host.shell("ip link del sw-bridge; ip link set mine name sw-bridge")
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            let (v4, _) = try await host.addresses(of: "two")
            #expect(try await host.answer("TCP:\(v4):80", at: .inside("one")) != nil)
        }
    }
}
