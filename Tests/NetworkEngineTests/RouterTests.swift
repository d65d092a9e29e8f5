import TestSupport
import Testing

/// Routers, and those who say that they are: whose word is taken when the host forwards.
@Suite("routers and their advertisements")
struct RouterTests {
    /// Says once a second that it is a router for everything and for a prefix (RFC 4861, section 4.2).
    private static let router = """
        import socket, struct, sys, time
        raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        address = socket.inet_pton(socket.AF_INET6, sys.argv[1])
        prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xc0, 86400, 14400, 0, address)
        print("ready", flush=True)
        while True:
            try: raw.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix, ("ff02::1", 0))
            except OSError: pass
            time.sleep(0.2)
        """

    private func routes(_ host: NetworkHost, at place: NetworkHost.Place = .host) async throws -> String {
        try await host.must(["ip", "-6", "route", "show", "proto", "ra"], at: place)
    }

    /// A kernel that forwards takes no router's word with 1, and takes it with 2 (moby pull request 50646).
    @Test(arguments: ["0", "1", "2"])
    func `a host that learnt its way out from a router goes on learning it`(value: String) async throws {
        try await NetworkHost.with { host in
            let read = { try await host.must(["sysctl", "-n", "net.ipv6.conf.eth0.accept_ra"]) }
            try await host.must(["sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=\(value)"])
            let router = try host.start(["python3", "-c", Self.router, "2001:db8:77::"], at: .neighbour)
            try await router.waitForOutput("ready")
            let learns = { try await eventually { try await routes(host).contains("default via fe80::") } }
            if value != "0" { #expect(try await learns()) }
            try await host.net("create", "lab", "--subnet", "fd00:44::/64")
            #expect(try await host.must(["sysctl", "-n", "net.ipv6.conf.all.forwarding"]) == "1")
            #expect(try await read() == (value == "0" ? "0" : "2"))
            // What it had learnt it may have forgotten by that switch; it learns it again.
            try await host.shell("ip -6 route flush proto ra")
            if value == "0" {
                #expect(try await routes(host).isEmpty)
            } else {
                #expect(try await learns())
            }
            try await host.net("rm", "lab")
            #expect(try await read() == value)
            #expect(try await host.must(["sysctl", "-n", "net.ipv6.conf.all.forwarding"]) == "0")
            await router.stop()
        }
    }

    /// CVE-2020-10749 and CVE-2020-13401: a container that says it is the router of its neighbours, or of the host.
    @Test func `a container's word that it is a router is nobody's`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            try await host.net("create", "four", "--subnet", "10.45.0.0/24")
            for name in ["rogue", "web", "four"] { try await host.must(["ip", "netns", "add", name]) }
            for name in ["rogue", "web"] { try await host.net("connect", "lab", name) }
            try await host.net("connect", "four", "four")
            try await host.net("connect", "four", "rogue")
            // Somebody who believes routers, by hand on the same bridge: it shows that the word gets through.
            try await host.shell(
                """
                ip netns add naive; ip link add byhand master sw-lab type veth peer name eth0 netns naive
                ip link set byhand up
                ip netns exec naive sysctl -qw net.ipv6.conf.eth0.accept_ra=2
                ip -n naive link set eth0 up
                """)
            let router = try host.start(["python3", "-c", Self.router, "2001:db8:66::"], at: .inside("rogue"))
            try await router.waitForOutput("ready")
            let believed = try await eventually {
                try await routes(host, at: .inside("naive")).contains("default via fe80::")
            }
            #expect(believed)
            for place in [NetworkHost.Place.inside("web"), .inside("four"), .host] {
                #expect(try await routes(host, at: place).isEmpty, "\(place)")
                let addresses = try await host.must(["ip", "-6", "address"], at: place)
                #expect(!addresses.contains("2001:db8:66"), "\(addresses)")
            }
            await router.stop()
            try await host.must(["ip", "link", "del", "byhand"])
        }
    }

    /// Somebody may have come to rely on forwarding when the last network goes; the host is no router by that.
    @Test func `what is left forwarding is left guarded`() async throws {
        try await NetworkHost.with { host in
            try await host.shell(
                """
                ip netns add far; ip link add eth1 type veth peer name eth0 netns far; ip link set eth1 up
                ip address add 198.51.100.1/24 dev eth1; ip address add 2001:db8:1::1/64 dev eth1 nodad
                ip -n far address add 198.51.100.2/24 dev eth0; ip -n far address add 2001:db8:1::2/64 dev eth0 nodad
                ip -n far link set eth0 up; ip -n far route add default via 198.51.100.1
                ip -n far route add default via 2001:db8:1::1; sysctl -qw net.ipv6.conf.eth0.accept_ra=1
                """)
            let forwards = {
                let pings = ["198.51.100.2", "2001:db8:1::2"].map { "ping -c1 -W1 \($0)" }.joined(separator: " || ")
                return try await host.run(["sh", "-c", pings], at: .neighbour).status == 0
            }
            let switches = {
                try await host.must([
                    "sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding",
                    "net.ipv6.conf.eth0.accept_ra",
                ])
            }
            let before = try await switches()
            let make = ["create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64"]
            try await host.net(make)
            #expect(try await !forwards())
            // Whoever comes now finds forwarding on.
            try await host.must(["ip", "link", "add", "tun0", "type", "bridge"])
            let planned = try await host.swnet("rm", "lab", "--dry-run")
            #expect(planned.errors.contains("stays on: tun0"), "\(planned)")
            let removed = try await host.swnet("rm", "lab")
            #expect(removed.errors.contains("forwarding of IPv4 and IPv6 stays on: tun0 came later"), "\(removed)")
            #expect(try await switches() == "1\n1\n2")
            #expect(try await !forwards())
            for verb in ["check", "repair"] {
                let told = try await host.swnet(verb)
                let words = "host: forwarding of IPv4 and IPv6 is left on for tun0 (sysctl -w net.ipv4.ip_forward=0; "
                #expect(told.status == 0 && (told.output + told.errors).contains(words), "\(told)")
            }
            // What guards is put back, and stays when another network comes and goes.
            try await host.must(["nft", "flush", "ruleset"])
            #expect(try await host.swnet("check").status == 1)
            try await host.net("repair")
            #expect(try await !forwards())
            try await host.net(make)
            #expect(try await host.net("check") == "")
            try await host.net("rm", "lab")
            #expect(try await !forwards())
            // Nobody needs it any more.
            try await host.must(["ip", "link", "del", "tun0"])
            let found = try await host.swnet("check")
            #expect(found.status == 1 && found.output.contains("forwarding of IPv4 is on for nobody"), "\(found)")
            try await host.net("repair")
            #expect(try await switches() == before)
            #expect(try await host.net("check") == "")
            #expect(try await eventually { try await host.leftovers() == ["eth1"] })
        }
    }

    /// As it is said that one ends it.
    @Test func `what is left forwarding is ended by hand`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "link", "add", "tun0", "type", "bridge"])
            try await host.net("rm", "lab")
            #expect(try await host.must(["nft", "list", "tables"]).contains("swnet"))
            try await host.must(["sysctl", "-qw", "net.ipv4.ip_forward=0"])
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            #expect(try await eventually { try await host.leftovers() == ["tun0"] })
        }
    }

    /// A read-only /proc/sys, as a host has it that is a container itself.
    @Test func `parameters that cannot be written need not be, when they are right`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            let before = try await host.leftovers()
            try await host.shell("mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys")
            let refused = try await host.swnet("create", "lab", "--subnet", "10.44.0.0/24")
            #expect(refused.status == 1 && refused.errors.contains("set sysctl net/ipv"), "\(refused)")
            #expect(refused.errors.contains("ead-only file system"), "\(refused)")
            #expect(refused.errors.split(separator: "\n").count == 1, "\(refused)")
            let clean = try await eventually { try await host.leftovers() == before }
            #expect(clean)
            try await host.must(["umount", "/proc/sys"])
            // As whoever made the container would set them; new interfaces get those of `default`.
            try await host.must([
                "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                "net.ipv6.conf.default.accept_ra=0", "net.ipv4.conf.default.route_localnet=1",
                "net.ipv6.conf.default.accept_dad=0",
            ])
            try await host.shell("mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys")
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            try await host.net("connect", "lab", "web", "-p", "8080:80")
            _ = try await host.listen("web", ["tcp"], port: 80)
            #expect(try await host.net("check") == "")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            #expect(try await host.answer("TCP:127.0.0.1:8080")?.hasSuffix("web") == true)
            try await host.net("disconnect", "lab", "web")
            try await host.net("rm", "lab")
            #expect(try await host.nothingLeft() == [])
        }
    }
}
