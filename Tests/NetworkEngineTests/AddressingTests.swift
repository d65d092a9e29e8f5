import TestSupport
import Testing

/// Where subnets and packet sizes come from, and pairs that are one network.
@Suite("subnets, packet sizes and pairs")
struct NetworkAddressingTests {
    private func prefixes(_ host: NetworkHost, _ network: String) async throws -> [String] {
        try await host.json([NetworkHost.swnet, "inspect", network])[0]["subnets"].items.compactMap {
            $0["subnet"].text
        }
    }

    /// The default network gets its subnets when it is first asked for, others may have been defined before a reboot.
    @Test(arguments: ["lab", "bridge"])
    func `a route that came before the network was made is told`(name: String) async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.net("ls")
            try await host.shell("ip link del sw-lab; nft delete table inet swnet; rm -r /run/swnet")
            for sandbox in ["web", "next"] { try await host.must(["ip", "netns", "add", sandbox]) }
            let subnet = try await #require(prefixes(host, name).first { !$0.contains(":") })
            let part = subnet.replacing(/\/.*/, with: "/25")
            try await host.must(["ip", "route", "add", part, "via", "192.0.2.2"])
            let connected = try await host.swnet("connect", name, "web")
            let words = "subnet \(subnet) of network \(name) overlaps the host's route \(part) via 192.0.2.2 dev eth0"
            #expect(connected.status == 0 && connected.errors.contains(words), "\(connected)")
            // Once.
            #expect(try await !host.swnet("connect", name, "next").errors.contains("overlaps"))
        }
    }

    /// A subnet after a comma is for when the one before it is full, and its sandboxes are of the network all the same.
    @Test func `a full subnet is followed by the next`() async throws {
        try await NetworkHost.with { host in
            try await host.net(
                "create", "lab", "--subnet", "10.44.0.0/29,10.44.1.0/29", "--subnet", "fd00:44::/64", "--ip-range",
                "10.44.0.3-10.44.0.3", "--ip-range", "10.44.0.5-10.44.0.5", "--gateway", "10.44.1.6")
            for (name, address) in [("a", "10.44.0.3"), ("b", "10.44.0.5"), ("c", "10.44.1.5"), ("d", "10.44.1.1")] {
                try await host.must(["ip", "netns", "add", name])
                // The subnet follows from an address that is asked for.
                try await host.net(["connect", "lab", name] + (name == "c" ? ["--ip", address] : []))
                _ = try await host.listen(name, ["tcp"], port: 80)
                let inside = try await host.json(
                    ["ip", "-j", "-4", "address", "show", "dev", "eth0"], at: .inside(name))
                #expect(inside[0]["addr_info"].items.map { $0["local"].text } == [address])
                let routes = try await host.json(["ip", "-j", "route", "show", "default"], at: .inside(name))
                let gateway = address.hasPrefix("10.44.0.") ? "10.44.0.1" : "10.44.1.6"
                #expect(routes.items.map { $0["gateway"].text } == [gateway])
            }
            for (from, to) in [("a", "10.44.0.5"), ("a", "10.44.1.5"), ("d", "10.44.0.3"), ("d", "10.44.1.5")] {
                #expect(try await host.answer("TCP:\(to):80", at: .inside(from)) != nil, "\(from) to \(to)")
            }
            #expect(try await host.net("check") == "")
            // What came back is had again, of the first subnet; with both full, both are named.
            try await host.net("disconnect", "lab", "b")
            try await host.net("connect", "lab", "b")
            #expect(try await host.addresses(of: "b").v4 == "10.44.0.5")
            for name in ["e", "f", "g"] {
                try await host.must(["ip", "netns", "add", name])
                try await host.net("connect", "lab", name)
            }
            try await host.must(["ip", "netns", "add", "h"])
            let full = try await host.swnet("connect", "lab", "h")
            let words =
                "lab is full: every address of 10.44.0.3-10.44.0.3 and 10.44.0.5-10.44.0.5 and 10.44.1.0/29 is taken"
            #expect(full.status == 1 && full.errors.contains(words), "\(full)")
        }
    }

    @Test(arguments: [
        (["--subnet", "10.44.0.0/24,fd00::/64"], "fd00::/64 stands in for none of its family"),
        (["--subnet", "10.44.0.0/24,10.44.0.128/25"], "10.44.0.0/24 and 10.44.0.128/25 overlap"),
        (["--subnet", "10.44.0.0/24,"], "'' for --subnet is not a subnet"),
        (["--subnet", "10.44.0.0/24,10.45.0.0/24", "--internal"], "would not reach who has one of 10.44.0.0/24"),
        (
            ["--subnet", "10.44.0.0/24,10.45.0.0/24", "--route", "10.9.0.0/16,10.45.0.9"],
            "10.45.0.0/24, of which not every sandbox has an address"
        ),
        (
            ["--subnet", "10.44.0.0/24", "--ip-range", "10.44.0.8/29", "--ip-range", "10.44.0.15-10.44.0.16"],
            "ranges 10.44.0.8-10.44.0.15 and 10.44.0.15-10.44.0.16 of 10.44.0.0/24 overlap"
        ),
    ])
    func `subnets and ranges that contradict each other are refused`(flags: [String], words: String) async throws {
        try await NetworkHost.with { host in
            let refused = try await host.swnet(["create", "lab"] + flags)
            #expect(refused.status != 0 && refused.errors.contains(words), "\(refused)")
            #expect(try await host.run(["ip", "link", "show", "sw-lab"]).status != 0)
        }
    }

    @Test func `the packet size of the way out`() async throws {
        try await NetworkHost.with { host in
            let mtu = { (name: String) in
                try await host.json(["ip", "-j", "link", "show", "dev", name])[0]["mtu"].integer
            }
            try await host.must(["ip", "link", "set", "eth0", "mtu", "1420"])
            try await host.net("create", "before", "--subnet", "10.43.0.0/24")
            #expect(try await mtu("sw-before") == 1500)
            try await host.must(["ip", "route", "add", "default", "via", "192.0.2.2"])
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            #expect(try await mtu("sw-lab") == 1420)
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web")
            let inside = try await host.json(["ip", "-j", "link", "show", "dev", "eth0"], at: .inside("web"))[0]
            #expect(inside["mtu"].integer == 1420)
            try await host.net("create", "said", "--subnet", "10.45.0.0/24", "--mtu", "1300")
            #expect(try await mtu("sw-said") == 1300)
            try await host.net(
                "create", "wide", "-d", "vxlan", "-o", "vni=7", "-o", "peers=192.0.2.9", "--subnet", "10.46.0.0/24")
            #expect(try await mtu("sw-wide") == 1370)
            #expect(try await mtu("vx-wide") == 1370)
            try await host.net(
                "create", "wide6", "-d", "vxlan", "-o", "vni=8", "-o", "peers=2001:db8::9", "--subnet", "10.47.0.0/24")
            #expect(try await mtu("sw-wide6") == 1350)
            // IPv6 works with no less than 1280.
            try await host.must(["ip", "link", "set", "eth0", "mtu", "1000"])
            try await host.net("create", "small", "--subnet", "fd00:48::/64")
            #expect(try await mtu("sw-small") == 1280)
            #expect(try await host.net("check") == "")
        }
    }

    @Test(arguments: [false, true])
    func `pairs of one network reach each other, and those of another do not`(isInternal: Bool) async throws {
        try await NetworkHost.with { host in
            let flags = isInternal ? ["--internal"] : []
            try await host.net(
                ["create", "p2p", "-d", "ptp", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64"] + flags)
            try await host.net("create", "other", "-d", "ptp", "--subnet", "10.45.0.0/24", "--subnet", "fd00:45::/64")
            try await host.net("create", "lab", "--subnet", "10.46.0.0/24")
            for (name, network) in [("a", "p2p"), ("b", "p2p"), ("c", "other"), ("d", "lab")] {
                _ = try await host.serve(name, on: network)
            }
            for (target, names) in [
                ("10.44.0.2", "a"), ("10.44.0.3", "b"), ("[fd00:44::2]", "a"), ("[fd00:44::3]", "b"),
            ] {
                let from = names == "a" ? "b" : "a"
                let address = try await host.addresses(of: from)
                let answer = try await host.answer("TCP:\(target):80", at: .inside(from))
                // Under its own address, not the host's.
                #expect(
                    answer == "\(target.hasPrefix("[") ? address.v6 : address.v4) \(names)",
                    "\(target): \(answer ?? "")")
            }
            for (from, target) in [
                ("c", "10.44.0.2"), ("c", "[fd00:44::2]"), ("d", "10.44.0.2"), ("a", "10.45.0.2"), ("a", "10.46.0.2"),
            ] {
                #expect(try await host.ask("TCP:\(target):80", at: .inside(from)) == nil, "\(from) to \(target)")
            }
            // An address of the network that is not one's own opens nothing.
            try await host.must(["ip", "address", "add", "10.44.0.77/32", "dev", "lo"], at: .inside("c"))
            #expect(try await host.ask("TCP:10.44.0.2:80,bind=10.44.0.77", at: .inside("c")) == nil)
            #expect(try await host.ask("TCP:10.44.0.2:80", at: .neighbour) == nil)
            #expect(try await host.net("check") == "")
            let end = try #require(
                try await host.json([NetworkHost.swnet, "inspect", "p2p"])[0]["sandboxes"][0]["hostInterface"].text)
            try await host.must(["ip", "route", "del", "10.44.0.2", "dev", end])
            #expect(try await host.swnet("check").output.contains("10.44.0.2"))
            try await host.net("repair")
            #expect(try await host.answer("TCP:10.44.0.2:80", at: .inside("b"))?.hasSuffix("a") == true)
        }
    }

    @Test func `pools of a person's own, and what is wrong with them`() async throws {
        try await NetworkHost.with { host in
            func write(_ text: String) async throws {
                try await host.must(["bash", "-c", "cat > /var/lib/swnet/config.json <<'EOF'\n\(text)\nEOF"])
            }
            let config = ["--config", "/var/lib/swnet/config.json"]
            try await write(
                """
                {"default-address-pools": [
                  {"base": "10.99.0.0/23", "size": 24}, {"base": "10.98.0.0/24", "size": 26},
                  {"base": "fd00:99::/48", "size": 64}]}
                """)
            var seen: [[String]] = []
            for number in 0..<6 {
                try await host.net(config + ["create", "n\(number)"])
                seen.append(try await prefixes(host, "n\(number)"))
            }
            #expect(seen[0] == ["10.99.0.0/24", "fd00:99::/64"] && seen[1] == ["10.99.1.0/24", "fd00:99:0:1::/64"])
            #expect(seen[2][0] == "10.98.0.0/26" && seen[5][0] == "10.98.0.192/26", "\(seen)")
            let full = try await host.run([NetworkHost.swnet] + config + ["create", "n6"])
            #expect(full.status == 1 && full.errors.contains("every subnet of the pools is in use"), "\(full)")
            #expect(full.errors.contains("10.99.0.0/23 in /24s") && full.errors.contains("config.json"), "\(full)")
            for (text, names) in [
                (#"{"default-address-pools": [{"base": "10.0.0.0/33", "size": 24}]}"#, "default-address-pools[0].base"),
                (#"{"pools": []}"#, "pools"), ("{\"default-address-pools\": [\n}", "line 2"), ("", "config.json"),
            ] {
                try await write(text)
                let refused = try await host.run([NetworkHost.swnet] + config + ["create", "x"])
                #expect(refused.status == 1 && refused.errors.contains(names), "\(refused)")
                #expect(
                    refused.errors.contains("/var/lib/swnet/config.json") && !refused.errors.contains("\n"),
                    "\(refused)")
            }
            let missing = try await host.run([NetworkHost.swnet, "--config", "/nowhere.json", "create", "x"])
            #expect(missing.status == 1 && missing.errors.contains("/nowhere.json"), "\(missing)")
            // Nobody who names a subnet needs it.
            try await host.net(config + ["create", "named", "--subnet", "10.77.0.0/24"])
        }
    }

    @Test func `where no large subnet is left, the default network has a small one`() async throws {
        try await NetworkHost.with { host in
            try await host.shell(
                "for net in 10.0.0.0/8 172.16.0.0/12 192.168.1.0/24; do ip route add $net via 192.0.2.2; done")
            #expect(try await host.net("ls").contains("192.168.0.0/24"))
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "bridge", "web")
            #expect(try await prefixes(host, "bridge")[0] == "192.168.0.0/24")
            try await host.must(["ip", "route", "add", "192.168.0.0/16", "via", "192.0.2.2"])
            let full = try await host.swnet("create", "lab")
            #expect(full.status == 1 && full.errors.contains("192.168.0.0/16 in /24s"), "\(full)")
        }
    }

    @Test func `pools avoid the host's routes of every table, and VPNs do not take everything`() async throws {
        try await NetworkHost.with { host in
            // Halves and quarters of everything stand for everything; the first /24s are a VPN's, in a table of its own.
            try await host.shell(
                """
                for half in 0.0.0.0/1 128.0.0.0/1 0.0.0.0/2 8.0.0.0/7; do ip route add $half via 192.0.2.2; done
                ip -6 route add ::/1 via 2001:db8::2; ip -6 route add 8000::/1 via 2001:db8::2
                ip route add 10.145.0.0/23 dev eth0 table 52
                ip route add blackhole 10.145.2.0/24 table 99
                """)
            try await host.net("create", "one")
            let first = try await prefixes(host, "one")
            #expect(first[0] == "10.145.3.0/24", "\(first)")
            try await host.net("create", "two")
            let second = try await prefixes(host, "two")
            // Both are of one random /48, which is this host's own (RFC 4193).
            let words = { (text: String) in text.split(separator: ":").prefix(3).joined(separator: ":") }
            #expect(
                words(first[1]) == words(second[1]) && first[1].hasPrefix("fd") && first[1] != second[1], "\(second)")
            #expect(first[1].hasSuffix("::/64"))
            let kept = try await host.must(["cat", "/var/lib/swnet/unique-local"])
            #expect(kept.hasSuffix("::/48") && words(kept) == words(first[1]), "\(kept)")
            let refused = try await host.swnet("create", "x", "--subnet", "10.145.1.0/24")
            #expect(refused.status == 1 && refused.errors.contains("table 52"), "\(refused)")
        }
    }
}
