import TestSupport
import Testing

/// Who reaches a published port, and which address the server sees. Everything is a real connection.
@Suite("published ports")
struct PublishTests {
    @Test func `what was published is said where its name cannot be written`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            let result = try await host.shell("\(NetworkHost.swnet) connect lab web -p 80 >/dev/full")
            let port = try await host.net("ports", "-q")
            #expect(port.hasSuffix(":80/tcp"))
            #expect(result.status == 1 && result.errors.contains("web publishes \(port) now"), "\(result)")
        }
    }

    /// With and without bridged packets passing the firewall: the same answers.
    @Test func `a port that the host connects from is nobody's`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web")
            let server = try host.start(["socat", "TCP-LISTEN:77,fork", "EXEC:cat"], at: .neighbour)
            let connected = try await eventually {
                try await host.run(["socat", "-u", "OPEN:/dev/null", "TCP:192.0.2.2:77"]).status == 0
            }
            #expect(connected)
            let client = try host.start(["socat", "TCP:192.0.2.2:77,sourceport=39626", "EXEC:sleep 60"])
            let isOpen = try await eventually {
                try await host.must(["ss", "-Htn", "state", "established", "sport", "=", ":39626"]) != ""
            }
            #expect(isOpen)
            try await host.net("publish", "web", "39626:80")
            try await host.net("unpublish", "web", "39626:80")
            // And one that listens there is somebody.
            await client.stop()
            let listener = try host.start(["socat", "TCP-LISTEN:39627", "EXEC:cat"])
            let refused = try await eventually {
                try await host.swnet("publish", "web", "39627:80", "--dry-run").errors.contains("socat")
            }
            #expect(refused)
            await listener.stop()
            await server.stop()
        }
    }

    @Test(arguments: ["tcp", "udp"], [0, 1])
    func `all addresses, from everywhere`(transport: String, bridgeFilter: Int) async throws {
        try await NetworkHost.with { host in
            try await host.shell(
                """
                sysctl -qw net.bridge.bridge-nf-call-iptables=\(bridgeFilter)
                sysctl -qw net.bridge.bridge-nf-call-ip6tables=\(bridgeFilter)
                """)
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            try await host.net("create", "other", "--subnet", "10.45.0.0/24", "--subnet", "fd00:45::/64")
            _ = try await host.serve("web", on: "lab", [transport])
            for name in ["peer", "far"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lab", "peer")
            try await host.net("connect", "other", "far")
            let far = try await host.addresses(of: "far")
            try await host.net("publish", "web", "8080:80/\(transport)")
            let kind = transport.uppercased()
            let (v4, v6) = ("\(kind):192.0.2.1:8080", "\(kind):[2001:db8::1]:8080")
            #expect(try await host.answer("\(kind):127.0.0.1:8080") == "10.44.0.1 web")
            // The host's own connections: UDP to one's own address may take the bridge's as its source.
            #expect(try await host.answer(v4)?.hasSuffix("web") == true)
            #expect(try await host.answer(v6)?.hasSuffix("web") == true)
            #expect(try await host.answer(v4, at: .neighbour) == "192.0.2.2 web")
            #expect(try await host.answer(v6, at: .neighbour) == "2001:db8::2 web")
            // Itself and a neighbour through the host's address.
            for name in ["web", "peer"] {
                #expect(try await host.answer(v4, at: .inside(name)) == "10.44.0.1 web", "\(name)")
                #expect(try await host.answer(v6, at: .inside(name)) == "fd00:44::1 web", "\(name)")
            }
            // Another network: the port is published, so it may.
            #expect(try await host.answer(v4, at: .inside("far")) == "\(far.v4) web")
            #expect(try await host.answer(v6, at: .inside("far")) == "\(far.v6) web")
            // But nothing that is not published.
            #expect(try await host.ask("\(kind):10.44.0.2:80", at: .inside("far")) == nil)
            #expect(try await host.ask("\(kind):[fd00:44::2]:80", at: .inside("far")) == nil)
            #expect(try await host.answer("\(kind):10.44.0.2:80", at: .inside("peer"))?.hasSuffix("web") == true)
        }
    }

    @Test func `one address, and 127.0.0.1 alone`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "address", "add", "192.0.2.77/24", "dev", "eth0"])
            _ = try await host.serve("web", on: "bridge")
            try await host.net(
                "publish", "web", "192.0.2.77:8080:80", "127.0.0.1:9090:80", "[2001:db8::1]:7070:80")
            #expect(try await host.answer("TCP:192.0.2.77:8080", at: .neighbour) == "192.0.2.2 web")
            #expect(try await host.answer("TCP:192.0.2.77:8080")?.hasSuffix("web") == true)
            #expect(try await host.ask("TCP:192.0.2.1:8080", at: .neighbour) == nil)
            #expect(try await host.ask("TCP:127.0.0.1:8080") == nil)
            #expect(try await host.answer("TCP:127.0.0.1:9090")?.hasSuffix("web") == true)
            #expect(try await host.ask("TCP:192.0.2.1:9090") == nil)
            #expect(try await host.ask("TCP:192.0.2.1:9090", at: .neighbour) == nil)
            #expect(try await host.answer("TCP:[2001:db8::1]:7070", at: .neighbour) == "2001:db8::2 web")
            #expect(try await host.ask("TCP:192.0.2.1:7070", at: .neighbour) == nil)
            // Nobody listens: there is no process in between.
            #expect(try await host.must(["ss", "-Hltn"]).isEmpty)
            let refused = try await host.swnet("publish", "web", "203.0.113.5:81:80")
            #expect(refused.status == 1 && refused.errors.contains("203.0.113.5"), "\(refused)")
        }
    }

    @Test func `a UDP client that goes on sending reaches the port's new owner`() async throws {
        try await NetworkHost.with { host in
            let ask = "UDP:192.0.2.1:5353,sourceport=40000,reuseaddr"
            // The first packet is for nobody, and its connection must not outlive that.
            #expect(try await host.ask(ask, at: .neighbour) == nil)
            for name in ["first", "second"] {
                _ = try await host.serve(name, on: "bridge", ["udp"], port: 53)
                try await host.net("publish", name, "5353:53/udp")
                #expect(try await host.answer(ask, at: .neighbour) == "192.0.2.2 \(name)")
                try await host.net("unpublish", name, "5353:53/udp")
            }
            #expect(try await host.must(["conntrack", "-L", "-p", "udp", "--orig-port-dst", "5353"]).isEmpty)
        }
    }

    @Test func `a thousand ports are one batch, and go in one`() async throws {
        try await NetworkHost.with { host in
            _ = try await host.serve("web", on: "bridge", port: 10999)
            // Of both kinds, so that every part of the table that they need is there.
            try await host.net("publish", "web", "9000:9000", "192.0.2.1:9001:9001")
            let few = try await rules(host)
            try await host.net("unpublish", "web", "9000:9000", "192.0.2.1:9001:9001")
            try await host.net("publish", "web", "10000-10999:10000-10999")
            // Not one rule more, and none for the sandboxes that come.
            for name in ["two", "three"] {
                try await host.must(["ip", "netns", "add", name])
                try await host.net("connect", "bridge", name)
            }
            #expect(try await rules(host) == few && few > 5)
            for name in ["two", "three"] { try await host.net("disconnect", "bridge", name) }
            #expect(try await host.elements("published4").count == 1000)
            #expect(try await host.elements("published6").count == 1000)
            #expect(try await host.answer("TCP:127.0.0.1:10999")?.hasSuffix("web") == true)
            let ports = try await host.json([NetworkHost.swnet, "ports", "--format", "json"])
            #expect(ports.items.count == 1 && ports[0]["hostPorts"].text == "10000-10999", "\(ports)")
            try await host.net("unpublish", "web", "10000-10999:10000-10999")
            #expect(try await host.elements("published4").isEmpty)
            #expect(try await host.elements("published6").isEmpty)
        }
    }

    @Test func `hundreds by their own names, beside hundreds of others`() async throws {
        try await NetworkHost.with { host in
            for name in ["web", "db", "dead"] {
                try await host.must(["ip", "netns", "add", name])
                try await host.net("connect", "bridge", name)
            }
            let ports = { (ports: ClosedRange<Int>) in ports.map { "\($0):80" } }
            let publish = { (name: String, words: [String]) in try await host.swnet(["publish", name] + words) }
            try await host.net(
                ["publish", "web", "40000-40010:1-11", "127.0.0.1:50000:1", "[::1]:50001:1", "50002:1/udp"]
                    + ports(10000...10299))
            try await host.net(["publish", "db"] + ports(10300...10599))
            let before = try await host.net("ports", "-q")
            #expect(try await host.elements("published4").count == 612)
            // The first that is asked for of those that somebody has, whoever that is.
            for (taken, whose) in [
                ("10299:1", "10299/tcp is taken by web"), ("10300:1", "db publishes 10300/tcp already"),
                ("10000-10001:1-2", "10000/tcp is taken by web"),
                ("39990-40000:1-11", "40000-40010/tcp is taken by web"),
                ("40010:1", "40000-40010/tcp is taken by web"), ("50000:1", "127.0.0.1:50000/tcp is taken by web"),
                ("0.0.0.0:50000:1", "127.0.0.1:50000/tcp is taken by web"),
                ("50001:1", "[::1]:50001/tcp is taken by web"),
                ("50002:1/udp", "50002/udp is taken by web"), ("192.0.2.1:10001:1", "10001/tcp is taken by web"),
            ] {
                let result = try await publish("db", ports(20000...20099) + [taken] + ports(10100...10109))
                #expect(result.status == 1 && result.errors.contains("port '\(taken)"), "\(result)")
                #expect(result.errors.contains(whose), "\(result)")
            }
            #expect(try await host.net("ports", "-q") == before)
            #expect(try await host.elements("published4").count == 612)
            // Beside them, of the other protocol, and at other addresses of the same ports.
            let beside = [
                "39999:1", "40011:1", "192.0.2.1:50000:1", "[2001:db8::1]:50000:1", "50002:1", "50000:1/udp",
                "10000:1/udp",
            ]
            try await host.net(["publish", "db"] + beside + ports(20000...20099))
            // Its own port of ::1, and all other addresses.
            try await host.net(["publish", "web", "50001:2"] + ports(20200...20299))
            // The dead give back what they had, and so does who is in no record.
            try await host.net(["publish", "dead"] + ports(30000...30299))
            try await host.must(["ip", "netns", "del", "dead"])
            try await host.shell("echo 'tcp 30300 30300 * nobody' >>/run/swnet/ports")
            try await host.net(["publish", "db"] + ports(30000...30300))
            #expect(try await host.net("check") == "")
            let (web, db) = (300 + 11 + 2 + 1 + 100, 300 + 6 + 100 + 301)
            #expect(try await host.elements("published4").count + host.elements("published4_at").count == web + db)
        }
    }

    /// How many rules there are, in all tables.
    private func rules(_ host: NetworkHost) async throws -> Int {
        try await host.json(["nft", "-j", "list", "ruleset"])["nftables"].items.count { $0["rule"] != .null }
    }
}
