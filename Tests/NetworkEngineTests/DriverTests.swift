import TestSupport
import Testing

/// Every driver on real traffic. The other end of a wire is always made by iproute2, not by us.
@Suite("drivers")
struct DriverTests {
    /// Whether a socket in one place is answered from another; tries again while the link is coming up.
    private func reaches(_ host: NetworkHost, _ from: NetworkHost.Place, _ address: String) async throws -> Bool {
        try await eventually {
            try await host.run(["ping", "-c", "1", "-W", "1", address], at: from).status == 0
        }
    }

    private func refuses(
        _ host: NetworkHost, _ names: String, _ words: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let result = try await host.run([NetworkHost.swnet] + words)
        #expect(result.status != 0, "\(result)", sourceLocation: sourceLocation)
        #expect(
            !result.errors.contains("\n") && result.errors.contains(names), "\(result)", sourceLocation: sourceLocation)
    }

    @Test func `macvlan puts sandboxes on the parent's wire, and the host does not route for them`() async throws {
        try await NetworkHost.with { host in
            try await host.net(
                "create", "lan", "-d", "macvlan", "--opt", "parent=eth0", "--subnet", "192.0.2.0/24", "--gateway",
                "192.0.2.2", "--ip-range", "192.0.2.100-192.0.2.101")
            for name in ["a", "b", "c"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lan", "a")
            try await host.net("connect", "lan", "b")
            try await refuses(host, "192.0.2.100-192.0.2.101", ["connect", "lan", "c"])
            let link = try await host.json(["ip", "-j", "-d", "addr", "show", "dev", "eth0"], at: .inside("a"))[0]
            #expect(link["linkinfo"]["info_kind"].text == "macvlan" && link["ifalias"].text == "swnet lan a")
            #expect(link["linkinfo"]["info_data"]["mode"].text == "bridge")
            #expect(try await reaches(host, .inside("a"), "192.0.2.2"))
            #expect(try await reaches(host, .inside("a"), "192.0.2.101"))
            let seen = try await host.json(["ip", "-j", "neigh", "show", "192.0.2.100"], at: .neighbour)[0]
            #expect(seen["lladdr"].text == link["address"].text)
            let route = try await host.json(["ip", "-j", "route", "show", "default"], at: .inside("a"))[0]
            #expect(route["gateway"].text == "192.0.2.2")
            try await refuses(host, "lan", ["publish", "a", "80:80"])
            // Nothing of the firewall or of forwarding is touched for it.
            #expect(try await host.must(["nft", "list", "ruleset"]) == "")
            #expect(try await host.must(["sysctl", "-n", "net.ipv4.ip_forward"]) == "0")
            try await refuses(host, "a, b", ["rm", "lan"])
            try await host.net("disconnect", "lan", "a")
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("a")).items.count == 1)
            try await host.net("connect", "lan", "c")
            try await host.net("disconnect", "lan", "b")
            try await host.net("disconnect", "lan", "c")
            try await host.net("rm", "lan")
            #expect(try await host.nothingLeft() == [])
        }
    }

    @Test func `answers from published ports go by the host, or it is said that they do not`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.net("create", "a-wire", "-d", "macvlan", "-o", "parent=eth0", "--subnet", "10.9.0.0/24")
            _ = try await host.serve("web", on: "lab")
            try await host.net("publish", "web", "8080:80")
            // Its name comes first, and its default route would lead past the host.
            let joined = try await host.swnet("connect", "a-wire", "web")
            #expect(joined.status == 0 && joined.errors.isEmpty, "\(joined)")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            try await host.net("disconnect", "a-wire", "web")
            let asked = try await host.swnet("connect", "a-wire", "web", "--gw-priority", "5")
            let words = "default route goes by a-wire, which the host does not route for"
            #expect(asked.status == 0 && asked.errors.contains(words), "\(asked)")
            let check = try await host.swnet("check")
            #expect(check.status == 0 && check.output.contains(words), "\(check)")
            let published = try await host.swnet("publish", "web", "8081:80")
            #expect(published.status == 0 && published.errors.contains(words), "\(published)")
            // It is true; and the host itself, whose own address they see, is answered.
            #expect(try await host.ask("TCP:192.0.2.1:8080", at: .neighbour) == nil)
            #expect(try await host.answer("TCP:127.0.0.1:8080")?.hasSuffix("web") == true)
            try await host.net("disconnect", "lab", "web")
            try await host.net("connect", "lab", "web", "--gw-priority", "6", "-p", "8080:80")
            #expect(try await host.net("check") == "")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
        }
    }

    @Test func `the host's own addresses and packet size on a wire that it shares`() async throws {
        try await NetworkHost.with { host in
            try await host.shell("ip link add br0 type bridge; ip addr add 10.44.0.5/24 dev br0; ip link set br0 up")
            let wire = ["-d", "macvlan", "-o", "parent=eth0", "--subnet", "192.0.2.0/24", "--gateway", "192.0.2.2"]
            try await refuses(
                host, "mtu 9000 is more than the 1500 of eth0", ["create", "lan", "--mtu", "9000"] + wire)
            try await host.net(["create", "lan", "--ip-range", "192.0.2.1-192.0.2.4"] + wire)
            try await host.net(
                "create", "ours", "-o", "bridge=br0", "--subnet", "10.44.0.0/24", "--ip-range", "10.44.0.5-10.44.0.9")
            try await host.must(["ip", "netns", "add", "web"])
            try await refuses(host, "192.0.2.1 is the host's own", ["connect", "lan", "web", "--ip", "192.0.2.1"])
            try await refuses(host, "mtu 9000 is more than", ["connect", "lan", "web", "--mtu", "9000"])
            for (network, interface, address) in [("lan", "eth0", "192.0.2.3"), ("ours", "eth1", "10.44.0.6")] {
                try await host.net("connect", network, "web")
                let words = ["ip", "-j", "-4", "addr", "show", "dev", interface]
                let info = try await host.json(words, at: .inside("web"))[0]["addr_info"][0]
                #expect(info["local"].text == address, "\(info)")
            }
            let card = ["create", "card", "-d", "host-device", "-o", "device=eth0", "--subnet", "10.45.0.0/24"]
            let given = try await host.swnet(card)
            #expect(given.status == 0 && given.errors.contains("loses its 192.0.2.1/24"), "\(given)")
        }
    }

    /// What a wire's subnet does not say, the host's own way out does: its router is that of the sandboxes, and nobody's lease.
    @Test func `the router of a wire that the host shares`() async throws {
        try await NetworkHost.with { host in
            let wire = ["-d", "macvlan", "-o", "parent=eth0", "--subnet", "192.0.2.0/24"]
            let own = try await host.swnet(["create", "early"] + wire)
            let words =
                "the gateway 192.0.2.1 of network early is this host, which no sandbox of the driver macvlan reaches"
            #expect(own.status == 0 && own.errors.contains(words), "\(own)")
            try await host.net("rm", "early")
            try await host.must(["ip", "route", "add", "default", "via", "192.0.2.2"])
            let later = try await host.swnet(["create", "lan", "--ip-range", "192.0.2.1-192.0.2.3"] + wire)
            #expect(later.status == 0 && later.errors.isEmpty, "\(later)")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lan", "web")
            #expect(try await host.addresses(of: "web").v4 == "192.0.2.3")
            let routes = try await host.json(["ip", "-j", "route", "show", "default"], at: .inside("web"))
            #expect(routes.items.map { $0["gateway"].text } == ["192.0.2.2"])
            #expect(try await host.run(["ping", "-c1", "-W1", "192.0.2.2"], at: .inside("web")).status == 0)
        }
    }

    @Test func `macvlan's private mode parts sandboxes, and the others are as asked`() async throws {
        try await NetworkHost.with { host in
            for name in ["a", "b"] { try await host.must(["ip", "netns", "add", name]) }
            for mode in ["private", "vepa"] {
                try await host.net(
                    "create", mode, "-d", "macvlan", "-o", "parent=eth0", "-o", "mode=\(mode)", "--subnet",
                    "192.0.2.0/24", "--ip-range", "192.0.2.128/25")
                try await host.net("connect", mode, "a")
                try await host.net("connect", mode, "b")
                let link = try await host.json(["ip", "-j", "-d", "link", "show", "dev", "eth0"], at: .inside("a"))[0]
                #expect(link["linkinfo"]["info_data"]["mode"].text == mode)
                #expect(try await reaches(host, .inside("a"), "192.0.2.2"))
                let other = try await host.json(["ip", "-j", "addr", "show", "dev", "eth0"], at: .inside("b"))[0]
                let address = try #require(other["addr_info"][0]["local"].text)
                // There is no switch that sends back what came from the same port, which vepa counts on.
                #expect(
                    try await host.run(["ping", "-c", "1", "-W", "1", address], at: .inside("a")).status != 0, "\(mode)"
                )
                try await host.net("disconnect", mode, "a")
                try await host.net("disconnect", mode, "b")
                try await host.net("rm", mode)
            }
        }
    }

    @Test func `ptp is routed by the host, and ports can be published`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "p2p", "-d", "ptp", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            _ = try await host.serve("web", on: "p2p")
            try await host.net("publish", "web", "8080:80")
            let inside = try await host.json(["ip", "-j", "addr", "show", "dev", "eth0"], at: .inside("web"))[0]
            let lengths = inside["addr_info"].items.filter { $0["scope"].text == "global" }.map {
                $0["prefixlen"].integer
            }
            #expect(lengths == [32, 128])
            #expect(try await host.json(["ip", "-j", "link", "show", "type", "bridge"]).items.isEmpty)
            for target in ["TCP:127.0.0.1:8080", "TCP:192.0.2.1:8080", "TCP6:[2001:db8::1]:8080"] {
                #expect(try await host.answer(target)?.hasSuffix("web") == true, "\(target)")
            }
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .inside("web"))?.hasSuffix("web") == true)
            // The way out takes the host's address, and nobody comes in by an unpublished port.
            _ = try await host.listen("outside", ["tcp"], port: 81, at: .neighbour)
            #expect(try await host.answer("TCP:192.0.2.2:81", at: .inside("web"))?.contains("192.0.2.1 ") == true)
            #expect(try await host.ask("TCP:10.44.0.2:80", at: .neighbour) == nil)
            // Two sandboxes of one network have the same gateway, and reach each other through the host.
            _ = try await host.serve("other", on: "p2p")
            #expect(try await reaches(host, .inside("other"), "10.44.0.1"))
            #expect(try await host.answer("TCP:10.44.0.2:80", at: .inside("other"))?.hasSuffix("web") == true)
            // A flush of all rules is repaired by the next command, with the pair's own part.
            try await host.must(["nft", "flush", "ruleset"])
            try await host.net("unpublish", "web", "8080:80")
            try await host.net("publish", "web", "8081:80")
            #expect(try await host.answer("TCP:127.0.0.1:8081")?.hasSuffix("web") == true)
            for name in ["web", "other"] { try await host.net("disconnect", "p2p", name) }
            try await host.net("rm", "p2p")
            #expect(try await host.nothingLeft() == [])
        }
    }

    @Test func `a VXLAN leads to the same network of another host`() async throws {
        try await NetworkHost.with { host in
            // The other host is the neighbour, and iproute2 makes its end.
            let line = """
                ip link add vx type vxlan id 42 dstport 4789 local 192.0.2.2 && ip link set vx mtu 1450 up &&
                bridge fdb append 00:00:00:00:00:00 dev vx dst 192.0.2.1 && ip addr add 10.44.0.99/24 dev vx
                """
            let other = try await host.shell(line, at: .neighbour)
            try #require(other.status == 0, "\(other)")
            try await host.net(
                "create", "wide", "-d", "vxlan", "--opt", "vni=42", "--opt", "peers=192.0.2.1,192.0.2.2", "--opt",
                "local=192.0.2.1", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "wide", "web")
            #expect(try await reaches(host, .inside("web"), "10.44.0.99"))
            #expect(try await reaches(host, .neighbour, "10.44.0.2"))
            let link = try await host.json(["ip", "-j", "-d", "link", "show", "dev", "vx-wide"])[0]
            #expect(link["master"].text == "sw-wide" && link["linkinfo"]["info_data"]["id"].integer == 42)
            #expect(link["mtu"].integer == 1450)
            // The list is that of all hosts; what one sends to itself would come back as if from another.
            let table = try await host.must(["bridge", "fdb", "show", "dev", "vx-wide"])
            #expect(table.contains("dst 192.0.2.2 self permanent") && !table.contains("dst 192.0.2.1"), "\(table)")
            #expect(try await host.net("check") == "")
            // What it has learned of a machine there does not stand for it.
            try await host.must(["bridge", "fdb", "del", "00:00:00:00:00:00", "dst", "192.0.2.2", "dev", "vx-wide"])
            #expect(try await host.swnet("check").output.contains("does not send to 192.0.2.2"))
            try await host.net("repair")
            let repaired = try await host.must(["bridge", "fdb", "show", "dev", "vx-wide"])
            #expect(repaired.contains("dst 192.0.2.2 self permanent"), "\(repaired)")
            try await refuses(
                host, "vni 42 is that of network wide",
                ["create", "again", "-d", "vxlan", "-o", "vni=42", "-o", "local=192.0.2.1"])
            #expect(try await host.run(["ip", "link", "show", "sw-again"]).status != 0)
            try await host.net("disconnect", "wide", "web")
            try await host.net("rm", "wide")
            #expect(try await host.nothingLeft() == [])
        }
    }

    /// Who is on the wire is found by a multicast group, of either family.
    @Test(arguments: [("239.1.1.7", "192.0.2.2"), ("ff05::7", "2001:db8::2")])
    func `a VXLAN finds the other host by a group`(group: String, local: String) async throws {
        try await NetworkHost.with { host in
            let line = """
                ip link add vx type vxlan id 42 dstport 4789 group \(group) dev eth0 local \(local) &&
                ip link set vx mtu 1430 up && ip addr add 10.44.0.99/24 dev vx
                """
            let other = try await host.shell(line, at: .neighbour)
            try #require(other.status == 0, "\(other)")
            try await host.net(
                "create", "wide", "-d", "vxlan", "--opt", "vni=42", "--opt", "group=\(group)", "--opt", "parent=eth0",
                "--subnet", "10.44.0.0/24")
            _ = try await host.serve("web", on: "wide")
            #expect(try await reaches(host, .inside("web"), "10.44.0.99"))
            #expect(try await host.answer("TCP:10.44.0.2:80", at: .neighbour) == "10.44.0.99 web")
            let link = try await host.json(["ip", "-j", "-d", "link", "show", "dev", "vx-wide"])[0]
            let data = link["linkinfo"]["info_data"]
            #expect(data["group"].text == group || data["group6"].text == group, "\(data)")
            #expect(data["link"].text == "eth0")
            #expect(try await host.net("check") == "")
            try await host.net("disconnect", "wide", "web")
            try await host.net("rm", "wide")
            #expect(try await host.nothingLeft() == [])
        }
    }

    @Test func `an existing bridge is used and left as it was`() async throws {
        try await NetworkHost.with { host in
            try await refuses(
                host, "br0", ["create", "ours", "-o", "bridge=br0", "--subnet", "10.44.0.0/24"])
            try await refuses(
                host, "eth0", ["create", "ours", "-o", "bridge=eth0", "--subnet", "10.44.0.0/24"])
            try await host.shell("ip link add br0 type bridge; ip addr add 10.44.0.1/24 dev br0; ip link set br0 up")
            let state = { try await host.must(["ip", "-d", "addr", "show", "dev", "br0"]) }
            let settings = {
                try await host.shell("sysctl net.ipv4.conf.br0 net.ipv6.conf.br0 net.ipv4.ip_forward 2>&1").output
            }
            let before = try await settings()
            try await host.net("create", "ours", "-o", "bridge=br0", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "ours", "web")
            #expect(try await reaches(host, .inside("web"), "10.44.0.1"))
            #expect(try await settings() == before)
            #expect(try await host.must(["nft", "list", "ruleset"]) == "")
            try await host.net("disconnect", "ours", "web")
            try await host.net("rm", "ours")
            #expect(try await state().contains("10.44.0.1/24"))
        }
    }

    @Test func `a device of the host has one sandbox at a time, and comes home`() async throws {
        try await NetworkHost.with { host in
            try await host.shell(
                "ip link add nic0 type veth peer name nic1; ip addr add 10.44.0.1/24 dev nic1; ip link set nic1 up")
            try await host.net(
                "create", "card", "-d", "host-device", "-o", "device=nic0", "--subnet", "10.44.0.0/24")
            for name in ["a", "b"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "card", "a", "--ifname", "up0")
            #expect(try await reaches(host, .inside("a"), "10.44.0.1"))
            #expect(try await host.run(["ip", "link", "show", "nic0"]).status != 0)
            try await refuses(host, "a", ["connect", "card", "b"])
            try await host.net("disconnect", "card", "a")
            #expect(try await host.run(["ip", "link", "show", "nic0"]).status == 0)
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("a")).items.count == 1)
            try await host.net("connect", "card", "b")
            // It stays where it is known to be while another has its name.
            try await host.must(["ip", "link", "add", "nic0", "type", "veth", "peer", "name", "nic9"])
            try await refuses(host, "nic0 cannot come back from b", ["disconnect", "card", "b"])
            try await refuses(host, "b", ["rm", "card"])
            try await host.must(["ip", "link", "del", "nic0"])
            // It is found by its mark, whatever it is called by now, and loses it.
            try await host.shell("ip link set eth0 down; ip link set eth0 name other", at: .inside("b"))
            try await host.net("disconnect", "card", "b")
            let home = try await host.json(["ip", "-j", "link", "show", "nic0"])[0]
            #expect(home["ifname"].text == "nic0" && home["ifalias"].text ?? "" == "", "\(home)")
            // What is a port of something else is not taken away from it.
            try await host.shell("ip link add br0 type bridge; ip link set nic0 master br0")
            try await refuses(host, "br0", ["connect", "card", "a"])
            try await host.net("rm", "card")
        }
    }

    @Test func `packets smaller than those of IPv6`() async throws {
        try await NetworkHost.with { host in
            for name in ["a", "b"] { try await host.must(["ip", "netns", "add", name]) }
            for (name, flags) in [
                ("small", [] as [String]), ("wide", ["-d", "vxlan", "-o", "vni=7", "-o", "peers=192.0.2.2"]),
            ] {
                try await host.net(["create", name, "--subnet", "10.44.0.0/24", "--mtu", "1000"] + flags)
                for sandbox in ["a", "b"] { try await host.net("connect", name, sandbox) }
                let link = try await host.json(["ip", "-j", "link", "show", "dev", "eth0"], at: .inside("a"))[0]
                #expect(link["mtu"].integer == 1000)
                #expect(try await reaches(host, .inside("a"), "10.44.0.3"))
                #expect(try await host.net("check") == "")
                for sandbox in ["a", "b"] { try await host.net("disconnect", name, sandbox) }
                try await host.net("rm", name)
            }
        }
    }

    @Test func `a macvlan that has its parent to itself has the Ethernet address that is asked for`() async throws {
        try await NetworkHost.with { host in
            try await host.shell("ip link add nic0 type veth peer name nic1; ip link set nic0 up; ip link set nic1 up")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net(
                "create", "pass", "-d", "macvlan", "-o", "parent=nic0", "-o", "mode=passthru", "--subnet",
                "10.44.0.0/24")
            try await host.net("connect", "pass", "web", "--mac", "02:00:00:00:00:66")
            let link = try await host.json(["ip", "-j", "link", "show", "dev", "eth0"], at: .inside("web"))[0]
            #expect(link["address"].text == "02:00:00:00:00:66")
            #expect(try await host.net("check") == "")
        }
    }

    @Test func `an internal network on what is somebody else's is said to have no more than no way out`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "link", "add", "br0", "type", "bridge"])
            let made = try await host.swnet(
                "create", "lan", "-o", "bridge=br0", "--subnet", "10.44.0.0/24", "--internal")
            #expect(made.status == 0 && made.errors.contains("the host filters nothing on br0"), "\(made)")
        }
    }

    @Test func `parents that are missing or ports of something`() async throws {
        try await NetworkHost.with { host in
            try await refuses(
                host, "nope0", ["create", "x", "-d", "macvlan", "-o", "parent=nope0", "--subnet", "10.44.0.0/24"])
            try await refuses(
                host, "lo", ["create", "x", "-d", "macvlan", "-o", "parent=lo", "--subnet", "10.44.0.0/24"])
            try await host.shell(
                "ip link add br0 type bridge; ip link add p0 type veth peer name p1; ip link set p0 master br0")
            try await refuses(
                host, "br0", ["create", "x", "-d", "ipvlan", "-o", "parent=p0", "--subnet", "10.44.0.0/24"])
            for name in ["br0", "p0"] { try await host.must(["ip", "link", "del", name]) }
            #expect(try await host.nothingLeft() == [])
        }
    }

    @Test func `a VXLAN's own address, and a device that is to be given away`() async throws {
        try await NetworkHost.with { host in
            let wide = ["-d", "vxlan", "-o", "vni=7", "-o", "peers=192.0.2.2", "--subnet", "10.46.0.0/24"]
            for local in ["192.0.2.99", "127.0.0.9", "192.0.2.0"] {
                try await refuses(
                    host, "\(local) is no address", ["create", "wide"] + wide + ["-o", "local=\(local)"])
            }
            try await host.net(["create", "any"] + wide + ["-o", "local=0.0.0.0"])
            try await host.net("rm", "any")
            try await host.must(["ip", "address", "add", "192.0.2.77/24", "dev", "eth0"])
            try await host.net(["create", "wide"] + wide + ["-o", "local=192.0.2.77"])
            #expect(try await host.net("check") == "")
            try await host.must(["ip", "address", "delete", "192.0.2.77/24", "dev", "eth0"])
            let found = try await host.swnet("check")
            #expect(
                found.output.contains("network wide: the address 192.0.2.77 of the VXLAN vx-wide is gone"), "\(found)")
            try await host.net("rm", "wide")

            let card = ["create", "card", "--subnet", "10.44.0.0/24", "-d", "host-device", "-o"]
            try await host.shell(
                "ip link add br0 type bridge; ip link add p0 type veth peer name p1; ip link set p0 master br0")
            try await refuses(host, "interface lo is the host's loopback", card + ["device=lo"])
            try await refuses(host, "interface p0 is a port of br0", card + ["device=p0"])
            // It may come later.
            let early = try await host.swnet(card + ["device=nic0"])
            #expect(early.status == 0 && early.errors.contains("the host has no interface nic0 now"), "\(early)")
            try await host.must(["ip", "netns", "add", "web"])
            try await refuses(host, "the host's interface nic0 is gone", ["connect", "card", "web"])
            try await host.must(["ip", "link", "set", "p1", "name", "nic0"])
            try await host.net("connect", "card", "web")
            // While a sandbox has it, another network of it can be made.
            let other = try await host.swnet(
                "create", "spare", "--subnet", "10.47.0.0/24", "-d", "host-device", "-o", "device=nic0")
            #expect(other.status == 0 && other.errors.contains("no interface nic0 now"), "\(other)")
            try await host.net("disconnect", "card", "web")
            try await host.net("rm", "card", "spare")
        }
    }

    /// On a kernel that has the driver it works; on one that has not, that is what is said, and nothing is left.
    @Test(arguments: [
        ("dummy", [] as [String]), ("ipvlan", ["-o", "parent=eth0", "-o", "mode=l2"]),
        ("ipvlan", ["-o", "parent=eth0", "-o", "mode=l3"]), ("vlan", ["-o", "parent=eth0", "-o", "id=7"]),
    ])
    func `drivers that not every kernel has`(driver: String, options: [String]) async throws {
        try await NetworkHost.with { host in
            let probe = driver == "dummy" ? [] : ["link", "eth0"]
            let kind = driver == "vlan" ? ["vlan", "id", "9"] : [driver]
            let hasDriver = try await host.run(["ip", "link", "add", "probe0"] + probe + ["type"] + kind).status == 0
            if hasDriver { try await host.must(["ip", "link", "del", "probe0"]) }
            try await host.must(["ip", "netns", "add", "web"])
            let made = try await host.swnet(["create", "x", "-d", driver, "--subnet", "10.44.0.0/24"] + options)
            #expect(made.status == 0 && made.errors.contains("no links of kind \(driver)") != hasDriver, "\(made)")
            // Looking for it has made nothing.
            #expect(try await host.must(["ip", "link", "show", "type", driver]) == "")
            let result = try await host.swnet("connect", "x", "web")
            if hasDriver {
                #expect(result.status == 0, "\(result)")
                try await checkSharing(of: driver, host)
                let link = try await host.json(["ip", "-j", "-d", "link", "show", "dev", "eth0"], at: .inside("web"))[0]
                #expect(link["linkinfo"]["info_kind"].text == driver)
                try await host.net("disconnect", "x", "web")
            } else {
                #expect(result.status == 1 && result.errors.contains("no links of kind \(driver)"), "\(result)")
                let leases = try await host.must(["find", "/run/swnet/networks/x/leases", "-mindepth", "1"])
                #expect(leases == "")
            }
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
            try await host.net("rm", "x")
            #expect(try await host.nothingLeft() == [])
        }
    }

    /// What `web` has of the parent, nobody else takes or changes.
    private func checkSharing(of driver: String, _ host: NetworkHost) async throws {
        try await host.must(["ip", "netns", "add", "db"])
        switch driver {
        case "vlan": try await refuses(host, "VLAN 7 of interface eth0 is taken by web", ["connect", "x", "db"])
        case "ipvlan":
            for (name, options) in [("y", ["ipvlan", "-o", "mode=l3s"]), ("z", ["macvlan"])] {
                try await host.net(
                    ["create", name, "--subnet", "10.45.0.0/24", "-o", "parent=eth0", "-d"] + options)
                try await refuses(host, "interface eth0 is taken by web", ["connect", name, "db"])
                try await host.net("rm", name)
            }
            let link = try await host.json(["ip", "-j", "-d", "link", "show", "dev", "eth0"], at: .inside("web"))[0]
            #expect(link["linkinfo"]["info_data"]["mode"].text != "l3s")
        default: try await host.net("connect", "x", "db")
        }
        if driver == "dummy" { try await host.net("disconnect", "x", "db") }
    }

    @Test func `several subnets of a family, no addresses, and excluded ones`() async throws {
        try await NetworkHost.with { host in
            for name in ["a", "b"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net(
                "create", "many", "--subnet", "10.44.0.0/24", "--subnet", "10.45.0.0/24", "--subnet", "fd00:44::/64",
                "--exclude", "10.44.0.2", "--exclude", "10.44.0.3")
            try await host.net("connect", "many", "a", "--ip", "10.45.0.9")
            let info = try await host.json(["ip", "-j", "addr", "show", "dev", "eth0"], at: .inside("a"))[0][
                "addr_info"]
            let addresses = info.items.filter { $0["scope"].text == "global" }.compactMap { $0["local"].text }
            #expect(addresses == ["10.44.0.4", "10.45.0.9", "fd00:44::4"])
            for gateway in ["10.44.0.1", "10.45.0.1", "fd00:44::1"] {
                #expect(try await reaches(host, .inside("a"), gateway), "\(gateway)")
            }
            #expect(try await host.json(["ip", "-j", "route", "show", "default"], at: .inside("a")).items.count == 1)
            try await refuses(host, "10.45.0.9", ["connect", "many", "b", "--ip", "10.45.0.9"])
            // An excluded address is for who asks for it.
            try await host.net("connect", "many", "b", "--ip", "10.44.0.3")
            try await host.net("create", "plain", "--ipam", "none")
            try await host.net("connect", "plain", "a", "--ifname", "l2")
            let plain = try await host.json(["ip", "-j", "addr", "show", "dev", "l2"], at: .inside("a"))[0]
            #expect(plain["operstate"].text == "UP")
            #expect(plain["addr_info"].items.allSatisfy { $0["scope"].text == "link" })
            try await refuses(host, "10.1.0.1", ["connect", "plain", "b", "--ip", "10.1.0.1"])
            for name in ["a", "b"] { try await host.net("disconnect", "many", name) }
            try await host.net("disconnect", "plain", "a")
            try await host.net("rm", "many", "plain")
            #expect(try await host.nothingLeft() == [])
        }
    }
}
