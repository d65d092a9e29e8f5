import TestSupport
import Testing

@Suite("networks and endpoints")
struct NetworkTests {
    @Test func `the way out is masqueraded, and another network is out of reach`() async throws {
        try await NetworkHost.with { host in
            _ = try await host.listen("outside", ["tcp", "udp"], port: 80, at: .neighbour)
            try await host.net("create", "red")
            try await host.net("create", "blue")
            _ = try await host.serve("a", on: "red")
            _ = try await host.serve("b", on: "blue")
            for target in ["TCP:192.0.2.2:80", "UDP:192.0.2.2:80"] {
                #expect(try await host.answer(target, at: .inside("a")) == "192.0.2.1 outside", "\(target)")
            }
            #expect(try await host.answer("TCP:[2001:db8::2]:80", at: .inside("a")) == "2001:db8::1 outside")
            let b = try await host.addresses(of: "b")
            for target in ["TCP:\(b.v4):80", "TCP:[\(b.v6)]:80"] {
                #expect(try await host.answer(target)?.hasSuffix("b") == true)
                #expect(try await host.ask(target, at: .inside("a")) == nil)
            }
            #expect(try await host.run(["ping", "-c1", "-W1", b.v4], at: .inside("a")).status != 0)
        }
    }

    @Test func `an internal network has no way out and none in`() async throws {
        try await NetworkHost.with { host in
            _ = try await host.listen("outside", ["tcp"], port: 80, at: .neighbour)
            try await host.net("create", "closed", "--internal", "--subnet", "10.44.0.0/24")
            _ = try await host.serve("a", on: "closed")
            try await host.must(["ip", "netns", "add", "b"])
            try await host.net("connect", "closed", "b")
            #expect(try await host.answer("TCP:10.44.0.2:80", at: .inside("b"))?.hasSuffix("a") == true)
            // Even when it makes itself a route.
            try await host.must(["ip", "route", "add", "default", "via", "10.44.0.1"], at: .inside("b"))
            #expect(try await host.ask("TCP:192.0.2.2:80", at: .inside("b")) == nil)
            #expect(try await host.ask("TCP:10.44.0.2:80", at: .neighbour) == nil)
            let refused = try await host.swnet("publish", "a", "8080:80")
            #expect(refused.status == 1 && refused.errors.contains("internal"), "\(refused)")
        }
    }

    @Test func `the kernel has what was asked for, and our listing says the same`() async throws {
        try await NetworkHost.with { host in
            try await host.net(
                "create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64", "--gateway", "10.44.0.254",
                "--mtu", "1400")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net(
                "connect", "lab", "web", "--ip", "10.44.0.9", "--ip6", "fd00:44::99", "--mac", "02:00:00:00:00:09",
                "--ifname", "up0")
            let link = try await host.json(["ip", "-j", "-d", "address", "show", "dev", "up0"], at: .inside("web"))[0]
            #expect(link["address"].text == "02:00:00:00:00:09" && link["mtu"].integer == 1400)
            #expect(link["operstate"].text == "UP" && link["linkinfo"]["info_kind"].text == "veth")
            let addresses = link["addr_info"].items.compactMap { $0["local"].text }
            #expect(addresses.contains("10.44.0.9") && addresses.contains("fd00:44::99"))
            let routes = try await host.json(["ip", "-j", "route"], at: .inside("web")).items
            #expect(routes.contains { $0["dst"].text == "default" && $0["gateway"].text == "10.44.0.254" })
            let routes6 = try await host.json(["ip", "-6", "-j", "route"], at: .inside("web")).items
            #expect(routes6.contains { $0["dst"].text == "default" && $0["gateway"].text == "fd00:44::1" })
            #expect(
                try await host.must(["sysctl", "-n", "net.ipv6.conf.up0.accept_ra"], at: .inside("web")) == "0")
            let bridge = try await host.json(["ip", "-j", "-d", "address", "show", "dev", "sw-lab"])[0]
            #expect(bridge["mtu"].integer == 1400 && bridge["ifalias"].text == "swnet network lab")
            let inspected = try await host.json([NetworkHost.swnet, "inspect", "lab"])[0]
            #expect(inspected["sandboxes"][0]["mac"].text == "02:00:00:00:00:09", "\(inspected)")
            let end = inspected["sandboxes"][0]["hostInterface"].text ?? ""
            let port = try await host.json(["ip", "-j", "-d", "link", "show", "dev", end])[0]
            #expect(port["master"].text == "sw-lab" && port["ifalias"].text == "swnet lab web")
            #expect(port["linkinfo"]["info_slave_data"]["hairpin"].isTrue, "\(port)")
        }
    }

    @Test func `two networks at once, one default route, and the other takes over`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "one", "--subnet", "10.44.0.0/24")
            try await host.net("create", "two", "--subnet", "10.45.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "one", "web")
            // A path of the same namespace is the same sandbox.
            try await host.net("connect", "two", "/run/netns/web", "-p", "8080:80")
            let ways = { try await host.must(["ip", "route", "get", "192.0.2.2"], at: .inside("web")) }
            #expect(try await ways().contains("dev eth0"))
            let target = {
                try await host.json([NetworkHost.swnet, "ports", "--format", "json"])[0]["targets"][0].text
            }
            #expect(try await target() == "10.44.0.2")
            try await host.net("disconnect", "one", "web")
            #expect(try await ways().contains("dev eth1"))
            // The port goes on leading to the sandbox.
            #expect(try await target() == "10.45.0.2")
            #expect(try await host.elements("published4").joined().contains("10.45.0.2"))
            // Among equals the first name goes first, whoever came first, and the port goes with it.
            try await host.net("connect", "one", "web")
            #expect(try await ways().contains("dev eth0"))
            #expect(try await target()?.hasPrefix("10.44.0.") == true)
            try await host.net("disconnect", "two", "web")
            try await host.net("disconnect", "one", "web")
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
        }
    }

    @Test func `a dry run prints the steps and changes nothing`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            let state = """
                ip -o link | cut -d: -f1-2; ip -n web -o link | cut -d: -f1-2; nft list ruleset; sysctl net.ipv4.ip_forward
                find /run/swnet /var/lib/swnet -type f ! -name lock -exec cat {} +; true
                """
            func dry(_ expected: String..., words: [String]) async throws {
                let before = try await host.must(["bash", "-c", state])
                let plan = try await host.net(words + ["--dry-run"])
                for text in expected { #expect(plan.contains(text), "\(plan)") }
                let json = try JSONValue(await host.net(words + ["--dry-run", "--format", "json"]))
                #expect(json["operation"].text.map(plan.hasPrefix) == true, "\(json)")
                #expect(json["steps"].items.count == plan.split(separator: "\n").count - 1)
                #expect(try await host.must(["bash", "-c", state]) == before)
            }
            try await dry("raise network lab", words: ["create", "lab", "--subnet", "10.44.0.0/24"])
            try await dry("lease 10.144.0.2", "attach web", words: ["connect", "bridge", "web", "-p", "8080:80"])
            try await host.net("connect", "bridge", "web", "-p", "8080:80")
            try await dry("8081:80", words: ["publish", "web", "8081:80"])
            try await dry("remove published 8080:80/tcp", words: ["unpublish", "web", "8080:80"])
            try await dry("detach web", "forget sandbox web", words: ["disconnect", "bridge", "web"])
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await dry("lower network lab", words: ["rm", "lab"])
            // Whoever brings nothing for the firewall still needs it.
            try await host.must(["ip", "netns", "add", "two"])
            let isServed = try await host.run(["test", "-x", "/usr/lib/podman/aardvark-dns"]).status == 0
            try await dry(
                "make the firewall's table unless it is there\n",
                "record sandbox two\(isServed ? ", and its names on lab" : "")", words: ["connect", "lab", "two"])
            // What would be refused is refused.
            let refused = try await host.swnet("rm", "bridge", "--dry-run")
            #expect(refused.status == 1 && refused.errors.contains("web"), "\(refused)")
        }
    }

    @Test func `SCTP ports are elements like the others`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "bridge", "web", "-p", "9999:99/sctp", "-p", "9999:98")
            let map = try await host.must(["nft", "list", "map", "inet", "swnet", "published4"])
            #expect(map.contains("sctp . 9999") && map.contains("10.144.0.2 . 99"), "\(map)")
            #expect(map.contains("tcp . 9999") && map.contains("10.144.0.2 . 98"), "\(map)")
            let taken = try await host.swnet("publish", "web", "9999:1/sctp")
            #expect(taken.status == 1 && taken.errors.contains("9999/sctp"), "\(taken)")
            try await host.net("unpublish", "web", "9999:99/sctp")
            #expect(try await host.elements("published4").count == 1)
        }
    }

    @Test func `nothing is left when the last network goes`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            _ = try await host.serve("web", on: "lab")
            try await host.net("connect", "bridge", "web")
            try await host.net("publish", "web", "8080:80", "53:53/udp")
            let refused = try await host.swnet("rm", "lab")
            #expect(refused.status == 1 && refused.errors.contains("web"), "\(refused)")
            try await host.net("disconnect", "lab", "web")
            try await host.net("disconnect", "bridge", "web")
            try await host.net("rm", "lab", "bridge")
            #expect(try await host.nothingLeft() == [])
            #expect(try await host.must(["sysctl", "-n", "net.ipv4.ip_forward"]) == "0")
        }
    }

    @Test func `addresses of the dead are taken over, and a full network says so`() async throws {
        try await NetworkHost.with { host in
            // Four addresses less the gateway and the one that is left.
            try await host.net("create", "tiny", "--subnet", "10.44.0.0/29")
            for round in 0..<12 {
                try await host.must(["ip", "netns", "add", "s\(round)"])
                try await host.net("connect", "tiny", "s\(round)", "-p", "8080:80")
                try await host.must(["ip", "netns", "del", "s\(round)"])
            }
            for number in 0..<5 {
                try await host.must(["ip", "netns", "add", "t\(number)"])
                try await host.net("connect", "tiny", "t\(number)")
            }
            try await host.must(["ip", "netns", "add", "late"])
            let full = try await host.swnet("connect", "tiny", "late")
            #expect(full.status == 1 && full.errors.contains("tiny") && full.errors.contains("full"), "\(full)")
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("late")).items.count == 1)
        }
    }

    /// The kernel says EXFULL, "exchange full", and not of what.
    @Test func `a bridge that has all its ports is named`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web")
            try await host.must(["ip", "netns", "add", "late"])
            // Both ends of a pair are ports: 1,022 besides the sandbox's.
            let pairs = (0..<511).map {
                "link add a\($0) master sw-lab type veth peer name b\($0)\nlink set b\($0) master sw-lab\n"
            }
            let made = try await host.shell("ip -batch - <<'END'\n\(pairs.joined())END")
            #expect(made.status == 0, "\(made)")
            let full = try await host.swnet("connect", "lab", "late")
            #expect(full.status == 1, "\(full)")
            #expect(full.errors.contains("bridge sw-lab has as many ports as a bridge can have, 1023"), "\(full)")
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("late")).items.count == 1)
            // With one port less there is room.
            try await host.must(["ip", "link", "set", "b0", "nomaster"])
            try await host.net("connect", "lab", "late")
            #expect(try await host.swnet("check").status == 0)
        }
    }

    /// A bridge is known by its index, so that nobody has to be asked about it: another of its name has another.
    @Test func `a bridge that others put in the place of ours is not taken for it`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            for name in ["web", "db", "late"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lab", "web")
            try await host.shell("ip link del sw-lab && ip link add sw-lab type bridge && ip link set sw-lab up")
            let refused = try await host.run([NetworkHost.swnet, "connect", "lab", "db"])
            #expect(refused.status == 1)
            #expect(
                refused.standardError.contains("an interface sw-lab exists that is not of this network"), "\(refused)")
            #expect(try await host.json(["ip", "-j", "link", "show", "master", "sw-lab"]).items.isEmpty)
            #expect(!(try await host.must(["ip", "-n", "db", "link"]).contains("eth0")))
            // Ours again, under another index: by the next connect that needs it, and by a repair.
            try await host.must(["ip", "link", "del", "sw-lab"])
            try await host.net("connect", "lab", "db")
            try await host.must(["ping", "-c", "1", "-w", "30", "10.44.0.1"], at: .inside("db"))
            try await host.must(["ip", "link", "del", "sw-lab"])
            try await host.net("repair")
            try await host.net("connect", "lab", "late")
            let ports = try await host.json(["ip", "-j", "link", "show", "master", "sw-lab"])
            #expect(ports.items.count == 3)
            try await host.must(["ping", "-c", "1", "-w", "30", "10.44.0.1"], at: .inside("late"))
        }
    }

    @Test func `refusals name the value and leave nothing`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            for name in ["web", "two"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lab", "web", "--ip", "10.44.0.9", "-p", "8080:80")
            let listener = try await host.listen("host", ["tcp"], port: 7777, at: .host)
            let before = try await host.leftovers()
            let refusals: [([String], String)] = [
                (["create", "lab"], "lab exists"),
                (["create", "bad", "--subnet", "10.44.0.128/25"], "overlaps network lab"),
                (["create", "bad", "--subnet", "192.0.2.0/25"], "192.0.2.0/24"),
                (["create", "host"], "reserved"),
                (["connect", "none", "two"], "mode"),
                (["connect", "lab", "pid:1"], "host's own"),
                (["connect", "lab", "/etc/passwd"], "/etc/passwd"),
                (["connect", "lab", "nobody"], "nobody"),
                (["connect", "nowhere", "two"], "nowhere"),
                (["connect", "lab", "two", "--ip", "10.44.0.9"], "taken by web"),
                (["connect", "lab", "two", "--ip", "10.44.0.1"], "gateway"),
                (["connect", "lab", "two", "--ip", "10.44.1.1"], "outside"),
                (["connect", "lab", "two", "--ip6", "fd00::1"], "no IPv6 subnet"),
                (["connect", "lab", "two", "--ifname", "lo"], "lo"),
                (["connect", "lab", "two", "--ifname", "sixteencharacter"], "sixteencharacter"),
                (["connect", "lab", "two", "--mac", "01:00:5e:00:00:01"], "01:00:5e:00:00:01"),
                (["connect", "lab", "two", "-p", "8080:80"], "taken by web"),
                (["connect", "lab", "two", "-p", "127.0.0.1:8080:80"], "taken by web"),
                (["connect", "lab", "two", "-p", "8000-8100:8000-8100"], "taken by web"),
                (["connect", "lab", "two", "-p", "7777:80"], "socat"),
                (["connect", "lab", "two", "-p", "7000-8000:7000-8000"], "7777/tcp is taken by process"),
                (["connect", "lab", "two", "-p", "[2001:db8::1]:80:80"], "no IPv6 address"),
                (["connect", "lab", "two", "-p", "203.0.113.1:80:80"], "203.0.113.1"),
                (["publish", "two", "80:80"], "two"),
                (["publish", "web", "81:80", "81:81"], "twice"),
                (["unpublish", "web", "81:80"], "81:80"),
                (["disconnect", "lab", "two"], "two"),
                (["disconnect", "bridge", "web"], "lab"),
                (["rm", "nowhere"], "nowhere"),
                (["rm", "lab"], "web"),
                (["nonsense"], "nonsense"),
            ]
            for (words, complaint) in refusals {
                let result = try await host.run([NetworkHost.swnet] + words)
                #expect(result.status != 0 && result.status < 126, "\(result)")
                #expect(result.errors.contains(complaint), "'\(complaint)' is missing: \(result)")
                #expect(result.errors.split(separator: "\n").count == 1 && !result.errors.hasSuffix("."), "\(result)")
                #expect(result.errors.hasPrefix("swnet: "), "\(result)")
            }
            #expect(try await host.leftovers() == before)
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("two")).items.count == 1)
            for server in listener { await server.stop() }
        }
    }
}
