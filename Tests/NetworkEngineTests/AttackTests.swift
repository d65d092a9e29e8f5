import TestSupport
import Testing

/// A neighbour on the same wire who routes what he likes through the host. Next to every silence there is a control
/// that shows that the server answers.
@Suite("attacks from the network")
struct AttackTests {
    @Test func `unpublished ports, with a route`() async throws {
        try await NetworkHost.with { host in
            _ = try await host.serve("web", on: "bridge", ["tcp", "udp"])
            let (v4, v6) = try await host.addresses(of: "web")
            try await host.net("publish", "web", "8080:80")
            for target in ["TCP:\(v4):80", "TCP:[\(v6)]:80", "UDP:\(v4):80", "UDP:[\(v6)]:80"] {
                #expect(try await host.answer(target)?.hasSuffix("web") == true, "\(target)")
                #expect(try await host.ask(target, at: .neighbour) == nil, "\(target)")
            }
            #expect(try await host.run(["ping", "-c1", "-W1", v4], at: .neighbour).status != 0)
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
        }
    }

    @Test func `127.0.0.1 of the host, with a route and a forged source`() async throws {
        try await NetworkHost.with { host in
            _ = try await host.serve("web", on: "bridge")
            try await host.net("publish", "web", "127.0.0.1:8080:80")
            // What some cluster software sets, and what makes the attack possible at all.
            try await host.shell(
                "sysctl -qw net.ipv4.conf.all.route_localnet=1; sysctl -qw net.ipv4.conf.eth0.rp_filter=0")
            try await host.shell(
                """
                sysctl -qw net.ipv4.conf.all.route_localnet=1
                ip address del 127.0.0.1/8 dev lo
                ip route add 127.0.0.1 via 192.0.2.1 dev eth0 src 192.0.2.2
                """, at: .neighbour)
            #expect(try await host.answer("TCP:127.0.0.1:8080")?.hasSuffix("web") == true)
            #expect(try await host.ask("TCP:127.0.0.1:8080", at: .neighbour) == nil)
            // A container reaches the host's loopback no more than its own.
            _ = try await host.listen("host", ["tcp"], port: 9999, at: .host)
            try await host.shell(
                """
                sysctl -qw net.ipv4.conf.all.route_localnet=1
                ip address del 127.0.0.1/8 dev lo
                ip route add 127.0.0.1 via 10.144.0.1 dev eth0
                """, at: .inside("web"))
            #expect(try await host.answer("TCP:127.0.0.1:9999") != nil)
            #expect(try await host.ask("TCP:127.0.0.1:9999", at: .inside("web")) == nil)
        }
    }

    /// A VXLAN has no key: who reaches its port is on the network.
    @Test func `a sandbox that plays another host of a network`() async throws {
        try await NetworkHost.with { host in
            try await host.net(
                "create", "wide", "-d", "vxlan", "--opt", "vni=42", "--opt", "peers=192.0.2.2", "--subnet",
                "10.51.0.0/24")
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            _ = try await host.serve("web", on: "wide")
            try await host.must(["ip", "netns", "add", "evil"])
            try await host.net("connect", "lab", "evil")
            func join(_ host: NetworkHost, _ remote: String, _ address: String, at place: NetworkHost.Place)
                async throws
            {
                let made = try await host.shell(
                    """
                    ip link add vx9 type vxlan id 42 remote \(remote) dstport 4789 dev eth0
                    ip address add \(address)/24 dev vx9; ip link set vx9 mtu 1400 up
                    """, at: place)
                #expect(made.status == 0, "\(made)")
            }
            try await join(host, "192.0.2.1", "10.51.0.98", at: .neighbour)
            try await join(host, "10.44.0.1", "10.51.0.99", at: .inside("evil"))
            #expect(try await host.answer("TCP:10.51.0.2:80", at: .neighbour) == "10.51.0.98 web")
            #expect(try await host.ask("TCP:10.51.0.2:80", at: .inside("evil")) == nil)
            // Another one at the same port comes and goes.
            try await host.net("create", "more", "-d", "vxlan", "--opt", "vni=43", "--subnet", "10.52.0.0/24")
            try await host.must(["ip", "netns", "add", "two"])
            try await host.net("connect", "more", "two")
            try await host.net("disconnect", "more", "two")
            try await host.net("rm", "more")
            #expect(try await host.net("check") == "")
            #expect(try await host.ask("TCP:10.51.0.2:80", at: .inside("evil")) == nil)
            try await host.must(["nft", "flush", "set", "inet", "swnet", "tunnels"])
            #expect(try await host.answer("TCP:10.51.0.2:80", at: .inside("evil")) == "10.51.0.99 web")
            try await host.net("repair")
            #expect(try await host.ask("TCP:10.51.0.2:80", at: .inside("evil")) == nil)
        }
    }

    @Test func `what only passes through is not captured`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "beyond"])
            try await host.shell(
                """
                ip link add eth1 type veth peer name eth0 netns beyond
                ip address add 198.51.100.1/24 dev eth1; ip address add 2001:db8:51::1/64 dev eth1 nodad
                ip link set eth1 up
                ip -n beyond address add 198.51.100.9/24 dev eth0; ip -n beyond link set eth0 up
                ip -n beyond address add 2001:db8:51::9/64 dev eth0 nodad
                ip -n beyond route add default via 198.51.100.1
                ip -n beyond route add default via 2001:db8:51::1
                sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
                """)
            _ = try await host.listen("beyond", ["tcp", "udp"], port: 8080)
            _ = try await host.serve("web", on: "bridge")
            try await host.net("publish", "web", "8080:80", "8080:80/udp")
            // The host was a router before, and stays one, and a port of its own takes nothing from that.
            for kind in ["TCP", "UDP"] {
                let (v4, v6) = ("\(kind):198.51.100.9:8080", "\(kind):[2001:db8:51::9]:8080")
                #expect(try await host.answer(v4, at: .neighbour) == "192.0.2.2 beyond", "\(kind)")
                #expect(try await host.answer(v4, at: .inside("web")) == "198.51.100.1 beyond", "\(kind)")
                #expect(try await host.answer(v4) == "198.51.100.1 beyond", "\(kind)")
                #expect(try await host.answer(v6, at: .neighbour) == "2001:db8::2 beyond", "\(kind)")
                #expect(try await host.answer(v6, at: .inside("web")) == "2001:db8:51::1 beyond", "\(kind)")
                #expect(try await host.answer(v6) == "2001:db8:51::1 beyond", "\(kind)")
            }
        }
    }

    @Test func `forwarding for containers makes no router of the host`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "beyond"])
            try await host.shell(
                """
                ip link add eth1 type veth peer name eth0 netns beyond
                ip address add 198.51.100.1/24 dev eth1; ip link set eth1 up
                ip -n beyond address add 198.51.100.9/24 dev eth0; ip -n beyond link set eth0 up
                ip -n beyond route add default via 198.51.100.1
                """)
            _ = try await host.listen("beyond", ["tcp"], port: 80)
            try await host.must(["ip", "netns", "add", "web"])
            let said = try await host.swnet("connect", "bridge", "web")
            #expect(
                said.status == 0 && said.errors.contains("forwarding") && said.errors.contains("eth0, eth1"), "\(said)")
            #expect(try await host.must(["sysctl", "-n", "net.ipv4.ip_forward"]) == "1")
            #expect(try await host.ask("TCP:198.51.100.9:80", at: .neighbour) == nil)
            #expect(try await host.answer("TCP:198.51.100.9:80", at: .inside("web")) == "198.51.100.1 beyond")
            // It is said once, and taken back with the last network.
            try await host.must(["ip", "netns", "add", "two"])
            #expect(try await host.swnet("connect", "bridge", "two").errors.isEmpty)
            try await host.net("disconnect", "bridge", "web")
            try await host.net("disconnect", "bridge", "two")
            try await host.net("rm", "bridge")
            #expect(try await host.must(["sysctl", "-n", "net.ipv4.ip_forward"]) == "0")
            #expect(try await host.must(["sysctl", "-n", "net.ipv6.conf.all.forwarding"]) == "0")
        }
    }
}
