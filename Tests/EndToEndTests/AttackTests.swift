import TestSupport
import Testing

/// A neighbour on the same wire who routes what he likes through the host. Every silence has a control next to it
/// that shows that the server answers.
@Suite("attacks from the network")
struct AttackTests {
    @Test func `a port published on 127.0.0.1 is out of a neighbour's reach`() async throws {
        try await TestHost.with { host in
            // What some cluster software sets, and what makes the attack possible at all.
            try await host.must(["sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1"])
            try await host.must(
                [
                    "bash", "-ec",
                    """
                    sysctl -qw net.ipv4.conf.all.route_localnet=1
                    ip addr del 127.0.0.1/8 dev lo
                    ip route add 127.0.0.1 via 192.0.2.1 dev eth0 src 192.0.2.2
                    """,
                ], at: .neighbour)
            let control = try host.serve("TCP4-LISTEN:9999,bind=127.0.0.1,fork,reuseaddr", name: "host")
            #expect(try await host.answer("TCP:127.0.0.1:9999", at: .neighbour) == "192.0.2.2 host")
            try await host.importTools()
            try await host.detach("--name", "a", "--hostname", "a", "-p", "127.0.0.1:8080:80", "tools", "whoasks", "80")
            #expect(try await host.answer("TCP:127.0.0.1:8080")?.hasSuffix("a") == true)
            #expect(try await host.ask("TCP:127.0.0.1:8080", at: .neighbour) == nil)
            await control.stop()
            try await host.remove("a")
        }
    }

    @Test func `unpublished ports are out of a neighbour's reach, even with a route`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach(
                "--name", "a", "--hostname", "a", "-p", "8080:80", "tools", "sh", "-c",
                "whoasks 80 & whoasks 81 & whoasks 81 tcp6 & whoasks 82 udp4")
            let (v4, v6) = try await host.addresses(of: "a")
            for port in [80, 81] { #expect(try await host.answer("TCP:\(v4):\(port)")?.hasSuffix("a") == true) }
            #expect(try await host.answer("UDP:\(v4):82")?.hasSuffix("a") == true)
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour)?.hasSuffix("a") == true)
            // Published under another number is not published under its own.
            for port in [80, 81] { #expect(try await host.ask("TCP:\(v4):\(port)", at: .neighbour) == nil) }
            #expect(try await host.ask("UDP:\(v4):82", at: .neighbour) == nil)
            let address = try #require(v6)
            #expect(try await host.answer("TCP6:[\(address)]:81")?.hasSuffix("a") == true)
            #expect(try await host.ask("TCP6:[\(address)]:81", at: .neighbour) == nil)
            #expect(try await host.shell("ping -c 1 -W 1 \(v4)", at: .neighbour).status != 0)
            try await host.remove("a")
        }
    }

    @Test func `traffic that is not for this host is not captured`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach("--name", "a", "--hostname", "a", "-p", "8080:80", "tools", "whoasks", "80")
            try await host.detach("--name", "b", "tools", "sleep", "1000")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour)?.hasSuffix("a") == true)
            // Through the host to an address that is not the host's.
            #expect(try await host.ask("TCP:198.51.100.9:8080", at: .neighbour) == nil)
            // A container that asks the outside on a published port's number reaches the outside.
            let server = try host.serve("TCP4-LISTEN:8080,fork,reuseaddr", name: "outside", at: .neighbour)
            #expect(try await host.answer("TCP:192.0.2.2:8080", inside: "b") == "192.0.2.1 outside")
            #expect(try await host.answer("TCP:192.0.2.2:8080") == "192.0.2.1 outside")
            await server.stop()
            try await host.remove("a", "b")
        }
    }

    @Test func `a container cannot reach the host's loopback through the bridge`() async throws {
        try await TestHost.with { host in
            let server = try host.serve("TCP4-LISTEN:9999,bind=127.0.0.1,fork,reuseaddr", name: "host")
            try await host.importTools()
            try await host.detach("--name", "evil", "tools", "sleep", "1000")
            #expect(try await host.answer("TCP:127.0.0.1:9999") == "127.0.0.1 host")
            // What a privileged container can do to itself: 127/8 leaves by eth0, with either source address.
            let v4 = try await host.addresses(of: "evil").v4
            let route = try await host.inside(
                "evil",
                [
                    "bash", "-ec",
                    """
                    sysctl -qw net.ipv4.conf.all.route_localnet=1
                    ip addr del 127.0.0.1/8 dev lo
                    gateway=$(ip -j route show default | jq -r '.[0].gateway')
                    ip route add 127.0.0.1 via $gateway dev eth0 src \(v4)
                    """,
                ])
            #expect(route.status == 0, "\(route)")
            #expect(try await host.ask("TCP:127.0.0.1:9999", inside: "evil") == nil)
            await server.stop()
            try await host.remove("evil")
        }
    }

    @Test func `a source address of 127.0.0.0/8 from outside is dropped`() async throws {
        try await TestHost.with { host in
            try await host.must(["sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1"])
            try await host.importTools()
            try await host.detach("--name", "a", "-p", "5353:53/udp", "tools", "whoasks", "53", "udp4")
            #expect(try await host.answer("UDP:192.0.2.1:5353", at: .neighbour) != nil)
            let dump = try host.start(
                [
                    "nsenter", "-t", "\(try await host.processIdentifier(of: "a"))", "-n", "tcpdump", "-lni", "eth0",
                    "udp dst port 53",
                ])
            _ = try await eventually { dump.errorsSoFar.contains("listening") }
            try await host.must(["sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1"], at: .neighbour)
            _ = try await host.ask("UDP:192.0.2.1:5353,bind=127.0.0.1", at: .neighbour, timeout: 1)
            // The control comes after, so that its arrival shows that the first had its chance.
            #expect(try await host.answer("UDP:192.0.2.1:5353", at: .neighbour) != nil)
            let seen = try await eventually { dump.outputSoFar.contains("192.0.2.2") }
            #expect(seen, "\(dump.outputSoFar) \(dump.errorsSoFar)")
            #expect(!dump.outputSoFar.contains("IP 127."), "\(dump.outputSoFar)")
            await dump.stop()
            try await host.remove("a")
        }
    }

    @Test func `switching forwarding on does not make the host a router between its other interfaces`() async throws {
        try await TestHost.with { host in
            try await host.must([
                "bash", "-ec",
                """
                ip netns add far
                ip link add eth1 type veth peer name eth0 netns far
                ip addr add 198.51.100.1/24 dev eth1
                ip link set eth1 up
                ip -n far addr add 198.51.100.2/24 dev eth0
                ip -n far link set eth0 up
                ip -n far route add default via 198.51.100.1
                """,
            ])
            try await host.importTools()
            let far = try host.start(
                [
                    "ip", "netns", "exec", "far", "socat", "TCP4-LISTEN:80,fork,reuseaddr",
                    "SYSTEM:read question; echo far",
                ])
            try await host.detach("--name", "a", "-p", "8080:80", "tools", "whoasks", "80")
            #expect(try await host.answer("TCP:198.51.100.2:80") == "far")
            #expect(try await host.answer("TCP:198.51.100.2:80", inside: "a") == "far")
            #expect(try await host.must(["cat", "/proc/sys/net/ipv4/ip_forward"]) == "1")
            #expect(try await host.ask("TCP:198.51.100.2:80", at: .neighbour) == nil)
            await far.stop()
            try await host.remove("a")
            try await host.must(["bash", "-c", "ip link del eth1; ip netns del far"])
        }
    }
}
