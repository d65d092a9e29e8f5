import Addressing
import JSONCoding
import NetworkModel
import TestSupport
import Testing

/// Addresses of IPv6 from a real server and a real router, dnsmasq in the neighbour's namespace, and what CNI makes of
/// addresses that others give.
@Suite(
    "DHCP for IPv6, routers, and CNI",
    .enabled(if: Products.has("dnsmasq", "dhcpcd"), "dnsmasq-base and dhcpcd-base are not installed"))
struct DHCPv6Tests {
    private func serve(_ host: NetworkHost, _ ranges: String...) async throws -> Command {
        let server = try host.start(
            [
                "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=eth0",
                "--bind-interfaces", "--enable-ra", "--dhcp-authoritative", "--dhcp-option=3,192.0.2.2", "--log-dhcp",
                "--dhcp-leasefile=/run/dnsmasq.leases", "--log-facility=/run/dnsmasq.log", "--user=root",
            ] + ranges.map { "--dhcp-range=\($0)" }, at: .neighbour)
        let listens = try await eventually {
            try await host.run(["grep", "-qE", "started|DHCP|RA", "/run/dnsmasq.log"]).status == 0 || server.hasEnded
        }
        try #require(listens && !server.hasEnded, "\(server.errorsSoFar)")
        return server
    }

    private func global(_ host: NetworkHost, _ space: String = "web") async throws -> [(text: String, length: Int)] {
        let link = try await host.json(["ip", "-j", "-6", "address", "show", "dev", "eth0"], at: .inside(space))[0]
        return link["addr_info"].items.filter { $0["scope"].text == "global" }.compactMap { item in
            guard let text = item["local"].text, let length = item["prefixlen"].integer else { return nil }
            return (text, length)
        }
    }

    private func clients(_ host: NetworkHost) async throws -> String {
        try await host.shell("ps -eo stat,comm | grep -v '^Z' | grep -oE 'dhcpcd|udhcpc|busybox'; true").output
    }

    @Test func `an address of each family, kept, asked for again, and given back`() async throws {
        try await NetworkHost.with { host in
            let server = try await serve(
                host, "192.0.2.50,192.0.2.59,10m", "2001:db8::100,2001:db8::1ff,64,10m")
            try await host.net("create", "lan", "-d", "macvlan", "-o", "parent=eth0", "--ipam", "dhcp,dhcp6")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lan", "web", "--mac", "02:00:00:00:00:77")
            let address = try await global(host)
            #expect(address.count == 1 && address[0].length == 128, "\(address)")
            #expect(address.first?.text.hasPrefix("2001:db8::1") == true, "\(address)")
            #expect(try await host.addresses(of: "web").v4.hasPrefix("192.0.2.5"))
            let inspected = try await host.json([NetworkHost.swnet, "inspect", "web"])[0]["endpoints"][0]
            #expect(inspected["addresses"][1].text == "\(address[0].text)/128", "\(inspected)")
            #expect(inspected["dhcp6"]["seconds"].integer == 600, "\(inspected)")
            // Only a router tells the way out.
            let route = ["ip", "-6", "route", "show", "default"]
            let hasRoute = try await eventually {
                try await host.run(route, at: .inside("web")).output.contains("via fe80")
            }
            #expect(hasRoute)
            #expect(try await host.run(["ping", "-c1", "-w60", "2001:db8::2"], at: .inside("web")).status == 0)
            #expect(try await host.net("check") == "")

            // The first of its processes is killed: the others are found and ended too.
            try await host.shell("kill -9 $(cut -d' ' -f1 /run/swnet/dhcp6/*@eth0)")
            #expect(try await host.swnet("check").output.contains("the DHCP client for IPv6 is not running"))
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            let list = "ps -C dhcpcd -o stat=,sid= | grep -v ^Z | awk '{print $2}' | sort -u | wc -l"
            let sessions = try await host.must(["bash", "-c", list])
            #expect(sessions == "1")
            #expect(try await global(host).first?.text == address[0].text)

            try await host.net("disconnect", "lan", "web")
            let released = try await eventually {
                try await host.run(["grep", "-qE", "DHCPRELEASE.*02:00:00:00:00:77", "/run/dnsmasq.log"]).status == 0
            }
            #expect(released)
            #expect(try await clients(host) == "")
            try await host.net("rm", "lan")
            #expect(try await host.nothingLeft() == [])
            await server.stop()
        }
    }

    @Test func `routers are believed where that is asked for, and nowhere else`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "own", "-d", "macvlan", "-o", "parent=eth0", "--ipam", "slaac")
            for name in ["web", "deaf"] { try await host.must(["ip", "netns", "add", name]) }
            let alone = try await host.swnet("connect", "own", "web")
            #expect(alone.status == 1 && alone.errors.contains("no router has advertised a prefix on own"), "\(alone)")
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)

            let server = try await serve(host, "2001:db8::,ra-only")
            try await host.net("connect", "own", "web")
            let address = try await global(host)
            #expect(address.count == 1 && address[0].length == 64, "\(address)")
            #expect(address.first?.text.hasPrefix("2001:db8:") == true, "\(address)")
            #expect(try await host.run(["ping", "-c1", "-w60", "2001:db8::2"], at: .inside("web")).status == 0)
            #expect(try await host.net("check") == "")
            // Somebody inside switches it off.
            try await host.must(["sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=0"], at: .inside("web"))
            #expect(try await host.swnet("check").output.contains("accept_ra"))
            try await host.net("repair")
            #expect(try await host.net("check") == "")

            try await host.net("create", "mine", "-d", "macvlan", "-o", "parent=eth0", "--subnet", "fd00:9::/64")
            try await host.net("connect", "mine", "deaf")
            #expect(try await global(host, "deaf").map(\.text) == ["fd00:9::2"])
            #expect(try await host.must(["sysctl", "-n", "net.ipv6.conf.eth0.accept_ra"], at: .inside("deaf")) == "0")
            await server.stop()
            for (network, name) in [("own", "web"), ("mine", "deaf")] {
                try await host.net("disconnect", network, name)
                try await host.net("rm", network)
            }
            #expect(try await host.nothingLeft() == [])
        }
    }

    @Test(arguments: [
        (["--ipam", "dhcp,"], "'' for --ipam"), (["--ipam", "dhcp,dhcp"], "dhcp is given twice"),
        (["--ipam", "dhcp6,other"], "'other' for --ipam"),
        (["--ipam", "none,dhcp"], "none goes together with no other"),
        (["--ipam", "slaac", "--internal"], "no way out"), (["--ipam", "dhcp6", "--subnet", "fd00::/64"], "fd00::/64"),
    ])
    func `contradictions`(words: [String], names: String) async throws {
        try await NetworkHost.with { host in
            let refused = try await host.swnet(["create", "x", "-d", "macvlan", "-o", "parent=eth0"] + words)
            #expect(refused.status != 0 && refused.errors.contains(names), "\(refused)")
        }
    }

    @Test func `CNI: ADD returns the lease, CHECK compares, DEL gives it back, GC finds orphans`() async throws {
        try await NetworkHost.with { host in
            let server = try await serve(host, "192.0.2.50,192.0.2.59,10m")
            let members = { #""driver": "macvlan", "options": {"parent": "eth0"}, "ipam": {"type": "dhcp"}"# }
            let runtime = CNIRuntime(host: host, version: "1.1.0", plugins: [CNIRuntime.swnet(members())])
            try await runtime.install()
            for name in ["web", "mate"] { try await host.must(["ip", "netns", "add", name]) }
            let added = try await runtime.add("web")
            let result = try #require(added.result, "\(added.output)")
            let address = try await host.addresses(of: "web").v4
            #expect(address.hasPrefix("192.0.2.5"))
            let text = result.text
            #expect(text.contains("\"\(address)/24\"") && text.contains("\"gateway\":\"192.0.2.2\""), "\(text)")
            #expect(text.contains("\"dst\":\"0.0.0.0/0\""), "\(text)")
            #expect(try await runtime.check("web", result).status == 0)
            try await host.must(["ip", "address", "flush", "dev", "eth0"], at: .inside("web"))
            let checked = try await runtime.check("web", result)
            #expect(checked.status != 0 && checked.output.contains(address), "\(checked)")
            // Without an address of its own the client could not tell the server that it is done.
            try await host.net("repair")
            #expect(try await eventually { try await runtime.check("web", result).status == 0 })
            #expect(try await runtime.delete("web", result).status == 0)
            #expect(try await clients(host) == "")
            let released = try await eventually {
                try await host.run(["grep", "-q", "DHCPRELEASE.*\(address)", "/run/dnsmasq.log"]).status == 0
            }
            #expect(released)
            // The namespace is gone before anybody says so.
            #expect(try await runtime.add("mate").result != nil)
            #expect(try await clients(host) != "")
            try await host.must(["ip", "netns", "del", "mate"])
            let collected = try await runtime.run(
                "GC", CNIRuntime.swnet(members()), "mate", "/run/netns/mate", "eth0", nil,
                more: ["cni.dev/valid-attachments": .array([])])
            #expect(collected.status == 0, "\(collected)")
            #expect(try await clients(host) == "")
            #expect(try await host.net("check") == "")
            // What is there contradicts what is asked for.
            var other = runtime
            other.plugins = [
                CNIRuntime.swnet(
                    #""driver": "macvlan", "options": {"parent": "eth0"}, "ipam": {"subnet": "10.9.0.0/24"}"#)
            ]
            let refused = try await other.add("web").output
            #expect(refused.status != 0 && refused.output.contains("addresses of a DHCP server"), "\(refused)")
            await server.stop()
        }
    }

    /// A server is a stranger.
    @Test func `hostile answers`() {
        func read(_ address: String, _ seconds: String = "600") -> DHCPAnswer? {
            let name = "new_dhcp6_ia_na1_ia_addr1"
            return DHCPAnswer(version6: { [name: address, "\(name)_vltime": seconds][$0] })
        }
        #expect(read("2001:db8::7")?.address.description == "2001:db8::7/128")
        #expect(read("2001:db8::7")?.lease.seconds == 600)
        for bad in ["", "::", "::1", "ff02::1", "fe80::1", "::ffff:10.0.0.1", "10.0.0.1", "2001:db8::7/64", "$(id)"] {
            #expect(read(bad) == nil, "\(bad)")
        }
        #expect(read("2001:db8::7", "99999999999999")?.lease.seconds == Int(UInt32.max))
        #expect(read("2001:db8::7", "-5")?.lease.seconds == 0)
    }
}
