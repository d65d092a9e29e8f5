import TestSupport
import Testing

/// What one endpoint is given beside its addresses: routes, parameters, names, packet sizes. `ip` and /proc say it.
@Suite("options of endpoints")
struct EndpointOptionKernelTests {
    private func refuses(
        _ host: NetworkHost, _ names: String, _ words: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let result = try await host.run([NetworkHost.swnet] + words)
        #expect(
            result.status != 0 && !result.errors.contains("\n") && result.errors.contains(names), "\(words): \(result)",
            sourceLocation: sourceLocation)
    }

    /// The default routes of a family, `gateway dev metric`, the first first.
    private func defaults(_ host: NetworkHost, _ family: String) async throws -> [String] {
        try await host.json(["ip", "-j", family, "route", "show", "default"], at: .inside("web")).items.map {
            "\($0["gateway"].text ?? "") \($0["dev"].text ?? "") \($0["metric"].integer ?? 0)"
        }.sorted { Int($0.split(separator: " ")[2]) ?? 0 < Int($1.split(separator: " ")[2]) ?? 0 }
    }

    @Test func `a default route that somebody else has made is not taken away, and is said to be that`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.shell(
                "ip netns add web; ip -n web link set lo up; ip -n web route add default dev lo")
            let refused = try await host.swnet("connect", "lab", "web")
            #expect(refused.status == 1 && refused.errors.contains("somebody else has made such a route"), "\(refused)")
            #expect(try await host.net("check") == "")
            try await host.net("connect", "lab", "web", "--metric", "7")
            let routes = try await host.must(["ip", "route", "show", "default"], at: .inside("web"))
            #expect(routes.contains("dev lo") && routes.contains("via 10.44.0.1 dev eth0 metric 7"), "\(routes)")
        }
    }

    @Test func `parameters that the kernel resets, and that nobody can read before they are set`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "fd00:44::/64")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net(
                "connect", "lab", "web", "--sysctl", "net.ipv6.conf.IFNAME.mtu=1400", "--sysctl",
                "net.ipv6.conf.IFNAME.stable_secret=2001:db8::1")
            let values = try await host.must(
                ["sysctl", "-n", "net.ipv6.conf.eth0.mtu", "net.ipv6.conf.eth0.stable_secret"], at: .inside("web"))
            #expect(values == "1400\n2001:0db8:0000:0000:0000:0000:0000:0001")
            #expect(try await host.net("check") == "")
        }
    }

    @Test func `the highest priority gives the default route, live, and ports go along`() async throws {
        try await NetworkHost.with { host in
            for (number, name) in ["a", "b", "c", "d"].enumerated() {
                try await host.net(
                    "create", name, "--subnet", "10.\(60 + number).0.0/24", "--subnet", "fd00:\(60 + number)::/64")
            }
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "b", "web", "-p", "8080:80")
            _ = try await host.listen("web", ["tcp"], port: 80)
            #expect(try await defaults(host, "-4") == ["10.61.0.1 eth0 0"])
            try await host.net("connect", "c", "web", "--gw-priority", "-5")
            #expect(try await defaults(host, "-4") == ["10.61.0.1 eth0 0", "10.62.0.1 eth1 100"])
            let planned = try await host.net("connect", "a", "web", "--gw-priority", "7", "--dry-run")
            #expect(planned.contains("eth0 of b default route with metric 100"), "\(planned)")
            try await host.net("connect", "a", "web", "--gw-priority", "7")
            #expect(try await defaults(host, "-4") == ["10.60.0.1 eth2 0", "10.61.0.1 eth0 100", "10.62.0.1 eth1 200"])
            #expect(
                try await defaults(host, "-6")
                    == ["fd00:60::1 eth2 1024", "fd00:61::1 eth0 1124", "fd00:62::1 eth1 1224"])
            #expect(try await host.net("check") == "")
            // The port leads to the address that the sandbox answers from.
            let target = try await host.json([NetworkHost.swnet, "ports", "--format", "json"])[0]["targets"][0].text
            #expect(target == "10.60.0.2")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            try await host.net("connect", "d", "web", "--metric", "50")
            #expect(try await defaults(host, "-4").prefix(2) == ["10.60.0.1 eth2 0", "10.63.0.1 eth3 50"])
            try await host.net("disconnect", "a", "web")
            #expect(try await defaults(host, "-4") == ["10.61.0.1 eth0 0", "10.63.0.1 eth3 50", "10.62.0.1 eth1 100"])
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            #expect(try await host.net("check") == "")
            try await host.must(["ip", "route", "del", "default", "dev", "eth1"], at: .inside("web"))
            #expect(try await host.swnet("check").output.contains("default route via 10.62.0.1"))
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            try await refuses(host, "metric 50", ["connect", "a", "web", "--metric", "50"])
            try await refuses(host, "contradict", ["connect", "a", "web", "--metric", "5", "--gw-priority", "5"])
            try await refuses(host, "'x' for --gw-priority", ["connect", "a", "web", "--gw-priority", "x"])
            try await refuses(host, "out of range", ["connect", "a", "web", "--metric", "0"])
            for name in ["b", "d", "c"] { try await host.net("disconnect", name, "web") }
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
        }
    }

    /// Strict filtering drops what would be answered by another interface.
    @Test(arguments: ["0", "1", "2"])
    func `two networks, whatever rp_filter is`(filter: String) async throws {
        try await NetworkHost.with { host in
            try await host.must(["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=\(filter)"])
            try await host.must(["sysctl", "-qw", "net.ipv4.conf.default.rp_filter=\(filter)"])
            try await host.net("create", "one", "--subnet", "10.44.0.0/24")
            try await host.net("create", "two", "--subnet", "10.45.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            let sysctl = ["--sysctl", "net.ipv4.conf.IFNAME.rp_filter=\(filter)"]
            try await host.net(["connect", "one", "web", "-p", "8080:80"] + sysctl)
            try await host.net(["connect", "two", "web", "--gw-priority", "1"] + sysctl)
            _ = try await host.listen("web", ["tcp"], port: 80)
            for address in ["10.44.0.2", "10.45.0.2", "127.0.0.1"] {
                let port = address.hasPrefix("127") ? 8080 : 80
                #expect(try await host.answer("TCP:\(address):\(port)")?.hasSuffix("web") == true, "\(address)")
            }
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            _ = try await host.listen("outside", ["tcp"], port: 90, at: .neighbour)
            #expect(try await host.answer("TCP:192.0.2.2:90", at: .inside("web"))?.hasSuffix("outside") == true)
        }
    }

    @Test func `static and refusing routes`() async throws {
        try await NetworkHost.with { host in
            try await host.net(
                "create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64", "--route",
                "10.8.0.0/16,10.44.0.9", "--route", "10.8.0.0/16,10.44.0.8,70", "--route", "blackhole:10.9.0.0/16",
                "--route", "prohibit:fd00:9::/64", "--route", "unreachable:10.10.0.0/16,5", "--route",
                "fd00:8::/64,fd00:44::9")
            try await host.net("create", "other", "--subnet", "10.45.0.0/24", "--route", "blackhole:10.9.0.0/16")
            try await host.must(["ip", "netns", "add", "web"])
            let planned = try await host.net("connect", "lab", "web", "--dry-run")
            #expect(planned.contains("route blackhole:10.9.0.0/16"), "\(planned)")
            try await host.net("connect", "lab", "web")
            let routes = try await host.must(["ip", "route"], at: .inside("web"))
            for line in [
                "10.8.0.0/16 via 10.44.0.9 dev eth0", "10.8.0.0/16 via 10.44.0.8 dev eth0 metric 70",
                "blackhole 10.9.0.0/16", "unreachable 10.10.0.0/16 metric 5",
            ] { #expect(routes.contains(line), "\(line) in \(routes)") }
            let routes6 = try await host.must(["ip", "-6", "route"], at: .inside("web"))
            #expect(routes6.contains("fd00:8::/64 via fd00:44::9 dev eth0"), "\(routes6)")
            #expect(routes6.contains("prohibit fd00:9::/64 dev lo"), "\(routes6)")
            try await refuses(host, "blackhole:10.9.0.0/16", ["connect", "other", "web"])
            #expect(try await host.net("check") == "")
            for line in [
                "ip route del 10.8.0.0/16 via 10.44.0.9", "ip route del blackhole 10.9.0.0/16",
                "ip -6 route del prohibit fd00:9::/64",
            ] {
                try await host.shell(line, at: .inside("web"))
                let found = try await host.swnet("check")
                #expect(found.status == 1 && found.output.contains("the route '"), "\(line): \(found)")
                try await host.net("repair")
                #expect(try await host.net("check") == "", "\(line)")
            }
            let inspected = try await host.json([NetworkHost.swnet, "inspect", "lab"])[0]
            #expect(
                inspected["routes"].items.count == 6 && inspected["sandboxes"][0]["settings"]["routes"].items.count == 6
            )
            try await host.net("disconnect", "lab", "web")
            #expect(
                try await host.must(["ip", "route", "show", "table", "all"], at: .inside("web")).contains("10.9.")
                    == false)
            #expect(try await host.must(["ip", "-6", "route"], at: .inside("web")).contains("fd00:9::") == false)
            try await host.net("connect", "other", "web")
            try await refuses(
                host, "no IPv6 subnet", ["create", "x", "--subnet", "10.46.0.0/24", "--route", "fd00:8::/64,fd00::1"])
            try await refuses(
                host, "10.46.0.0/24", ["create", "x", "--subnet", "10.46.0.0/24", "--route", "10.8.0.0/16,10.47.0.1"])
            try await refuses(host, "for --route", ["create", "x", "--route", "10.8.0.0/16"])
            // A route that somebody made in the sandbox is not ours to replace: nothing of the endpoint is left.
            try await host.must(["ip", "route", "add", "blackhole", "10.10.0.0/16", "metric", "5"], at: .inside("web"))
            try await host.net("disconnect", "other", "web")
            try await refuses(host, "10.10.0.0/16", ["connect", "lab", "web"])
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
        }
    }

    @Test func `kernel parameters of the interface, also where proc is read-only`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net(
                "connect", "lab", "web", "--ifname", "up.0", "--sysctl", "net.ipv4.conf.IFNAME.forwarding=1",
                "--sysctl",
                "net.ipv6.neigh.IFNAME.gc_stale_time=77", "--sysctl", "net.ipv4.conf.IFNAME.arp_notify=0")
            let read = { (path: String) in try await host.must(["cat", "/proc/sys/net/\(path)"], at: .inside("web")) }
            #expect(try await read("ipv4/conf/up.0/forwarding") == "1")
            #expect(try await read("ipv4/conf/default/forwarding") == "0")
            #expect(try await read("ipv6/neigh/up.0/gc_stale_time") == "77")
            // What was asked for counts, also where we would have it otherwise.
            #expect(try await read("ipv4/conf/up.0/arp_notify") == "0")
            #expect(try await host.net("check") == "")
            try await host.must(["sysctl", "-qw", "net/ipv6/neigh/up.0/gc_stale_time=60"], at: .inside("web"))
            #expect(try await host.swnet("check").output.contains("gc_stale_time is 60 instead of 77"))
            try await host.net("repair")
            #expect(try await read("ipv6/neigh/up.0/gc_stale_time") == "77")
            try await host.net("disconnect", "lab", "web")
            for (text, names) in [
                ("net.ipv4.conf.IFNAME.nope=1", "net/ipv4/conf/eth0/nope"),
                ("net.ipv4.conf.eth0.forwarding=1", "IFNAME"),
                ("net.ipv4.conf.IFNAME.forwarding=x", "nvalid argument"), ("kernel.hostname=x", "net.ipv4.conf"),
                ("net.ipv4.conf.IFNAME.a/../../../../kernel/hostname=x", "none of"),
            ] {
                try await refuses(host, names, ["connect", "lab", "web", "--sysctl", text])
                #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
            }
        }
    }

    @Test func `packet sizes and names of one endpoint`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            for name in ["web", "other"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lab", "other")
            try await host.net("connect", "lab", "web", "--mtu", "1300", "--host-ifname", "web-lab")
            let mtu = { (place: NetworkHost.Place, name: String) in
                try await host.json(["ip", "-j", "link", "show", "dev", name], at: place)[0]["mtu"].integer
            }
            // The bridge and the others keep theirs.
            #expect(try await mtu(.inside("web"), "eth0") == 1300)
            #expect(try await mtu(.host, "sw-lab") == 1500)
            #expect(try await mtu(.inside("other"), "eth0") == 1500)
            let end = try await host.json(["ip", "-j", "-d", "link", "show", "dev", "web-lab"])[0]
            #expect(end["master"].text == "sw-lab" && end["ifalias"].text == "swnet lab web")
            #expect(try await host.net("check") == "")
            try await host.must(["ip", "link", "set", "eth0", "mtu", "1400"], at: .inside("web"))
            #expect(try await host.swnet("check").output.contains("mtu 1400 instead of 1300"))
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            // Limits find their way by the host's end, whatever it is called.
            try await host.net("limit", "lab", "web", "--egress", "10mbit")
            #expect(try await host.net("check") == "")
            try await host.must(["ip", "netns", "add", "third"])
            try await refuses(host, "web-lab", ["connect", "lab", "third", "--host-ifname", "web-lab"])
            try await refuses(host, "interface's name", ["connect", "lab", "third", "--host-ifname", "a/b"])
            try await refuses(
                host, "interface's name", ["connect", "lab", "third", "--host-ifname", "0123456789abcdef"])
            try await refuses(host, "1500", ["connect", "lab", "third", "--mtu", "9000"])
            try await refuses(host, "1280", ["connect", "lab", "third", "--mtu", "1279"])
            try await host.net(
                "create", "lan", "-d", "macvlan", "-o", "parent=eth0", "--subnet", "192.0.2.0/24", "--gateway",
                "192.0.2.2")
            try await refuses(host, "macvlan", ["connect", "lan", "third", "--host-ifname", "third0"])
            try await host.net("create", "pairs", "-d", "ptp", "--subnet", "10.47.0.0/24")
            try await refuses(host, "begins with sw-", ["connect", "pairs", "third", "--host-ifname", "third0"])
            try await host.net("rm", "pairs")
            try await host.net("connect", "lan", "third", "--mtu", "1400")
            #expect(try await mtu(.inside("third"), "eth0") == 1400)
            try await host.net("disconnect", "lan", "third")
            for name in ["web", "other"] { try await host.net("disconnect", "lab", name) }
            try await host.net("rm", "lab", "lan")
            #expect(try await host.nothingLeft() == [])
        }
    }
}
