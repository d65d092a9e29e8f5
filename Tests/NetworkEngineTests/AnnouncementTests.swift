import TestSupport
import Testing

/// Who remembers an address from its last owner hears who has it now (moby issue 36069).
@Suite("announcements of new addresses")
struct EndpointAnnouncementTests {
    /// What a capture has seen so far when all of `words` are in it, or after a minute.
    private func wait(_ capture: Command, for words: [String]) async throws -> String {
        _ = try await eventually { words.allSatisfy(capture.outputSoFar.contains) }
        return capture.outputSoFar
    }

    private func capture(_ host: NetworkHost, at place: NetworkHost.Place, _ interface: String = "eth0") async throws
        -> Command
    {
        let capture = try host.start(
            ["tcpdump", "-i", interface, "-nn", "-e", "-l", "--immediate-mode", "arp or (icmp6 and ip6[40] == 136)"],
            at: place)
        let listens = try await eventually { capture.errorsSoFar.contains("listening on") }
        #expect(listens)
        return capture
    }

    /// The Ethernet address that a neighbour has for an address. The kernel's table is one for all namespaces: when other
    /// tests fill it, entries that nobody used for 5 s are dropped (`neigh_forced_gc`, net/core/neighbour.c), and who
    /// remembers nothing has to ask.
    private func owner(of address: String, on device: String, at place: NetworkHost.Place, of host: NetworkHost)
        async throws -> String?
    {
        let words = ["ip", "-j", "neigh", "show", address, "dev", device]
        if let known = try await host.json(words, at: place)[0]["lladdr"].text { return known }
        _ = try await host.run(["ping", "-c", "1", "-W", "1", address], at: place)
        return try await host.json(words, at: place)[0]["lladdr"].text
    }

    @Test func `a neighbour with a stale entry reaches the new owner at once`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            for name in ["old", "new", "friend"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lab", "friend")
            let address = ["--ip", "10.44.0.9", "--ip6", "fd00:44::9"]
            try await host.net(["connect", "lab", "old", "--mac", "02:00:00:00:00:77"] + address)
            for target in ["10.44.0.9", "fd00:44::9"] {
                for place in [NetworkHost.Place.inside("friend"), .host] {
                    try await host.must(["ping", "-c", "1", "-w", "30", target], at: place)
                }
            }
            try await host.net("disconnect", "lab", "old")
            // As sure as an entry can be: nothing but being told changes it.
            for target in ["10.44.0.9", "fd00:44::9"] {
                let words = [
                    "ip", "neigh", "replace", target, "lladdr", "02:00:00:00:00:77", "nud", "reachable", "dev",
                ]
                try await host.must(words + ["eth0"], at: .inside("friend"))
                try await host.must(words + ["sw-lab"])
            }
            try await host.net(["connect", "lab", "new"] + address)
            let own = try await host.json(["ip", "-j", "link", "show", "dev", "eth0"], at: .inside("new"))[0]["address"]
                .text
            for target in ["10.44.0.9", "fd00:44::9"] {
                for (place, device) in [(NetworkHost.Place.inside("friend"), "eth0"), (.host, "sw-lab")] {
                    let told = try await eventually {
                        try await owner(of: target, on: device, at: place, of: host) == own
                    }
                    #expect(told, "\(target) on \(device)")
                    #expect(try await host.run(["ping", "-c", "1", "-w", "30", target], at: place).status == 0)
                }
            }
        }
    }

    private func linkLocal(at sandbox: String, of host: NetworkHost) async throws -> [JSONValue] {
        // The others are there too, as empty objects.
        try await host.json(["ip", "-j", "address", "show", "dev", "eth0", "scope", "link"], at: .inside(sandbox))[0][
            "addr_info"
        ].items.filter { $0["local"].text != nil }
    }

    @Test func `the link-local address of a newcomer is the kernel's own`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web")
            let first = try await linkLocal(at: "web", of: host)
            #expect(first.count == 1)
            #expect(first.allSatisfy { !$0["tentative"].isTrue && !$0["nodad"].isTrue })
            try await host.shell("ip -n web link set eth0 down; ip -n web link set eth0 up")
            #expect(try await linkLocal(at: "web", of: host).map(\.["local"].text) == first.map(\.["local"].text))
        }
    }

    @Test func `who sets parameters has the link-local address that they ask for`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "fd00:44::/64")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web", "--sysctl", "net.ipv6.conf.IFNAME.addr_gen_mode=1")
            #expect(try await linkLocal(at: "web", of: host).isEmpty)
        }
    }

    @Test func `on a bridge of somebody else's, frames reach the wire`() async throws {
        try await NetworkHost.with { host in
            try await host.shell(
                "ip link add br0 type bridge; ip link set br0 up; ip link set eth0 master br0; ip addr flush dev eth0; "
                    + "ip addr add 192.0.2.1/24 dev br0")
            let forwards = try await eventually {
                try await host.run(["ping", "-c", "1", "-W", "1", "192.0.2.2"]).status == 0
            }
            #expect(forwards)
            try await host.net(
                "create", "lan", "-o", "bridge=br0", "--subnet", "192.0.2.0/24", "--gateway", "192.0.2.2", "--subnet",
                "2001:db8::/64", "--gateway", "2001:db8::2", "--ip-range", "192.0.2.100-192.0.2.110")
            try await host.must(["ip", "netns", "add", "web"])
            let seen = try await capture(host, at: .neighbour)
            try await host.net("connect", "lan", "web", "--mac", "02:00:00:00:00:77", "--ip6", "2001:db8::64")
            let words = [
                "02:00:00:00:00:77 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42: Request who-has 192.0.2.100 tell 192.0.2.100",
                "02:00:00:00:00:77 > 33:33:00:00:00:01", "neighbor advertisement, tgt is 2001:db8::64",
            ]
            let output = try await wait(seen, for: words)
            for word in words { #expect(output.contains(word), "\(word) in \(output)") }
            await seen.stop()
        }
    }

    @Test func `by a macvlan, too`() async throws {
        try await NetworkHost.with { host in
            try await host.net(
                "create", "lan", "-d", "macvlan", "-o", "parent=eth0", "--subnet", "192.0.2.0/24", "--gateway",
                "192.0.2.2", "--ip-range", "192.0.2.100-192.0.2.110")
            try await host.must(["ip", "netns", "add", "web"])
            let seen = try await capture(host, at: .neighbour)
            try await host.net("connect", "lan", "web")
            let output = try await wait(seen, for: ["Request who-has 192.0.2.100 tell 192.0.2.100"])
            #expect(output.contains("Request who-has 192.0.2.100 tell 192.0.2.100"), "\(output)")
            await seen.stop()
        }
    }

    @Test func `among a few, everybody is told of a newcomer`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            for name in ["friend", "web"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lab", "friend")
            let seen = try await capture(host, at: .inside("friend"))
            try await host.net("connect", "lab", "web", "--ip", "10.44.0.9")
            let words = ["Request who-has 10.44.0.9 tell 10.44.0.9", "neighbor advertisement, tgt is fd00:44::9"]
            let output = try await wait(seen, for: words)
            #expect(words.allSatisfy(output.contains), "\(output)")
            // It is told with the address that answers.
            let own = try await host.json(["ip", "-j", "link", "show", "dev", "eth0"], at: .inside("web"))[0]["address"]
            #expect(output.contains("\(own.text ?? "?") > ff:ff:ff:ff:ff:ff"), "\(output)")
            // The kernel takes an advertisement of one's own address for somebody else's, and complains in its log.
            let counters = try await host.must(["cat", "/proc/net/snmp6"], at: .inside("web"))
            let heard = counters.split(separator: "\n").first { $0.hasPrefix("Icmp6InNeighborAdvertisements") }
            #expect(heard?.hasSuffix("\t0") == true, "\(heard ?? "")")
            await seen.stop()
        }
    }

    @Test func `a network that spans hosts tells the others alone, and of many nobody is told what is true already`()
        async throws
    {
        try await NetworkHost.with { host in
            // Twelve addresses each: that is many.
            let subnets = (44..<56).flatMap { ["--subnet", "10.\($0).0.0/24"] }
            try await host.net(
                [
                    "create", "wide", "-d", "vxlan", "-o", "vni=42", "-o", "peers=192.0.2.2", "-o", "local=192.0.2.1",
                ] + subnets)
            try await host.shell(
                "ip link add vx0 type vxlan id 42 dstport 4789 local 192.0.2.2 remote 192.0.2.1; ip link set vx0 up",
                at: .neighbour)
            for name in ["friend", "web"] { try await host.must(["ip", "netns", "add", name]) }
            let far = try await capture(host, at: .neighbour, "vx0")
            try await host.net("connect", "wide", "friend")
            let near = try await capture(host, at: .inside("friend"))
            try await host.net("connect", "wide", "web", "--ip", "10.44.0.9")
            let words = ["Request who-has 10.44.0.2 tell 10.44.0.2", "Request who-has 10.44.0.9 tell 10.44.0.9"]
            let output = try await wait(far, for: words)
            #expect(words.allSatisfy(output.contains), "\(output)")
            #expect(output.split(separator: "\n").count { $0.contains("tell 10.44.0.2,") } == 1, "\(output)")
            // Whatever is to come has come by then: this is answered after it.
            try await host.must(["ping", "-c", "1", "-w", "30", "10.44.0.9"], at: .inside("friend"))
            _ = try await wait(near, for: ["Request who-has 10.44.0.9 tell 10.44.0.2"])
            #expect(!near.outputSoFar.contains("tell 10.44.0.9"), "\(near.outputSoFar)")
            await near.stop()
            await far.stop()
        }
    }

    @Test func `who wants all to be told of each has that, of many too`() async throws {
        try await NetworkHost.with { host in
            // Twelve addresses each: that is many.
            let subnets = (44..<56).flatMap { ["--subnet", "10.\($0).0.0/24"] } + ["--subnet", "fd00:44::/64"]
            try await host.net(["create", "lab", "--announce-all"] + subnets)
            for name in ["friend", "web"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lab", "friend")
            let seen = try await capture(host, at: .inside("friend"))
            try await host.net("connect", "lab", "web", "--ip", "10.44.0.9", "--ip6", "fd00:44::9")
            let words = [
                "Request who-has 10.44.0.9 tell 10.44.0.9", "Request who-has 10.55.0.9 tell 10.55.0.9",
                "neighbor advertisement, tgt is fd00:44::9",
            ]
            let output = try await wait(seen, for: words)
            #expect(words.allSatisfy(output.contains), "\(output)")
            await seen.stop()
        }
    }

    @Test func `a newcomer of IPv6 is not heard by its neighbours, and reached by them at once`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            for name in ["friend", "web"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lab", "friend")
            let seen = try host.start(
                ["tcpdump", "-i", "eth0", "-nn", "-e", "-l", "--immediate-mode", "ether src 02:00:00:00:00:77"],
                at: .inside("friend"))
            let listens = try await eventually { seen.errorsSoFar.contains("listening on") }
            #expect(listens)
            try await host.net("connect", "lab", "web", "--mac", "02:00:00:00:00:77", "--ip6", "fd00:44::9")
            try await host.must(["ping", "-c", "1", "-w", "30", "fd00:44::9"], at: .inside("friend"))
            // The kernel would say it again within a second of each time (RFC 3810, section 9.11).
            try await Task.sleep(for: .seconds(3))
            let reports = {
                seen.outputSoFar.split(separator: "\n").count { $0.contains("multicast listener report v2") }
            }
            // On a busy machine one may be heard, for each of its two kinds of addresses.
            #expect(reports() <= 2, "\(seen.outputSoFar)")
            let advertisements = seen.outputSoFar.split(separator: "\n").filter {
                $0.contains("> 33:33:00:00:00:01") && $0.contains("neighbor advertisement")
            }
            // The address of its own choice is told for it; nothing else is.
            #expect(advertisements.allSatisfy { $0.contains("tgt is fd00:44::9") }, "\(seen.outputSoFar)")

            // A group that a program joins later reaches it, as on any wire: what mDNS lives on.
            let group = try host.start(
                ["socat", "-u", "UDP6-RECV:5353,ipv6-join-group=[ff02::fb]:eth0,reuseaddr", "-"], at: .inside("web"))
            let heard = try await eventually {
                try await host.shell(
                    "echo hello | socat -u - UDP6-DATAGRAM:[ff02::fb%eth0]:5353", at: .inside("friend"))
                return group.outputSoFar.contains("hello")
            }
            #expect(heard, "\(group.errorsSoFar)")
            await group.stop()
            await seen.stop()
        }
    }
}
