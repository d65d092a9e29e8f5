import TestSupport
import Testing

/// What passes between networks, and between the endpoints of one.
@Suite("isolation")
struct IsolationTests {
    /// Two networks of both families, `a` with the sandbox `web` that serves and publishes, `b` with `far`.
    private func prepare(_ host: NetworkHost, _ a: [String], _ b: [String]) async throws {
        try await host.net(["create", "a", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64"] + a)
        try await host.net(["create", "b", "--subnet", "10.45.0.0/24", "--subnet", "fd00:45::/64"] + b)
        _ = try await host.serve("web", on: "a")
        try await host.must(["ip", "netns", "add", "near"])
        try await host.net("connect", "a", "near")
        _ = try await host.serve("far", on: "b")
        try await host.net("publish", "web", "8080:80")
        try await host.net("publish", "far", "9090:80")
        #expect(try await host.net("check") == "")
        // Whatever the mode: inside of the network, from outside, and out.
        #expect(try await host.answer("TCP:10.44.0.2:80", at: .inside("near")) == "10.44.0.3 web")
        #expect(try await host.answer("TCP:192.0.2.1:8080", at: .inside("near")) == "10.44.0.1 web")
        #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
        #expect(try await host.answer("TCP:[2001:db8::1]:8080", at: .neighbour) == "2001:db8::2 web")
        #expect(try await host.answer("TCP:127.0.0.1:9090")?.hasSuffix("far") == true)
        #expect(try await host.run(["ping", "-c1", "-W9", "192.0.2.2"], at: .inside("web")).status == 0)
    }

    /// What answers to each of some questions; patient when they should be answered.
    private func answers(
        _ host: NetworkHost, _ questions: [(target: String, from: String)], expected: Bool
    ) async throws -> [String?] {
        var answers: [String?] = []
        for (target, name) in questions {
            let place = NetworkHost.Place.inside(name)
            answers.append(
                expected ? try await host.answer(target, at: place) : try await host.ask(target, at: place))
        }
        return answers
    }

    private func published(_ host: NetworkHost, expected: Bool) async throws -> [String?] {
        try await answers(
            host,
            [
                ("TCP:192.0.2.1:8080", "far"), ("TCP:[2001:db8::1]:8080", "far"), ("TCP:192.0.2.1:9090", "web"),
            ], expected: expected)
    }

    private func direct(_ host: NetworkHost, expected: Bool) async throws -> [String?] {
        try await answers(
            host, [("TCP:10.44.0.2:80", "far"), ("TCP:[fd00:44::2]:80", "far"), ("TCP:10.45.0.2:80", "web")],
            expected: expected)
    }

    private let none: [String?] = [nil, nil, nil]

    @Test(arguments: [[], ["--isolation", "on"]])
    func `on: published ports and nothing else`(flags: [String]) async throws {
        try await NetworkHost.with { host in
            try await prepare(host, flags, ["--isolation", "off"])
            #expect(try await published(host, expected: true) == ["10.45.0.2 web", "fd00:45::2 web", "10.44.0.2 far"])
            #expect(try await direct(host, expected: false) == none)
        }
    }

    @Test func `off: two that are both off reach each other under their own addresses, and nobody else does`()
        async throws
    {
        try await NetworkHost.with { host in
            try await prepare(host, ["--isolation", "off"], ["--isolation", "off"])
            let seen = try await direct(host, expected: true) + published(host, expected: true)
            let wanted = ["10.45.0.2 web", "fd00:45::2 web", "10.44.0.2 far"]
            #expect(seen == wanted + wanted, "\(seen)")
            #expect(try await host.ask("TCP:10.44.0.2:80", at: .neighbour) == nil)
            #expect(try await host.ask("TCP:[fd00:44::2]:80", at: .neighbour) == nil)
            // A third that is not off.
            try await host.net("create", "c", "--subnet", "10.46.0.0/24")
            try await host.must(["ip", "netns", "add", "third"])
            try await host.net("connect", "c", "third")
            #expect(try await host.ask("TCP:10.44.0.2:80", at: .inside("third")) == nil)
            let json = try await host.json([NetworkHost.swnet, "inspect", "a"])[0]
            #expect(json["isolation"].text == "off", "\(json)")
        }
    }

    @Test func `strict: nothing from or to another network`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host, ["--isolation", "strict"], ["--isolation", "off"])
            #expect(try await published(host, expected: false) == none)
            #expect(try await direct(host, expected: false) == none)
            #expect(try await host.shell("ping -c1 -W1 10.45.0.2", at: .inside("web")).status != 0)
        }
    }

    @Test(arguments: [0, 1])
    func `isolated ports reach the gateway and the world, and not each other`(bridgeFilter: Int) async throws {
        try await NetworkHost.with { host in
            try await host.shell(
                """
                sysctl -qw net.bridge.bridge-nf-call-iptables=\(bridgeFilter)
                sysctl -qw net.bridge.bridge-nf-call-ip6tables=\(bridgeFilter)
                """)
            try await host.net(
                "create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64", "--isolate-ports")
            _ = try await host.serve("web", on: "lab")
            try await host.must(["ip", "netns", "add", "peer"])
            try await host.net("connect", "lab", "peer")
            try await host.net("publish", "web", "8080:80")
            _ = try await host.listen("host", ["tcp"], port: 7070, at: .host)
            #expect(try await host.answer("TCP:10.44.0.2:80")?.hasSuffix("web") == true)
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            #expect(try await host.answer("TCP:10.44.0.1:7070", at: .inside("peer")) == "10.44.0.3 host")
            #expect(try await host.run(["ping", "-c1", "-W9", "192.0.2.2"], at: .inside("peer")).status == 0)
            for target in ["10.44.0.2:80", "[fd00:44::2]:80", "192.0.2.1:8080", "[2001:db8::1]:8080"] {
                #expect(try await host.ask("TCP:\(target)", at: .inside("peer")) == nil, "\(target)")
                // Itself it reaches, where a bridge does not keep frames for the port that they came by.
                let own = try await bridgeFilter == 0 ? host.answer("TCP:\(target)", at: .inside("web")) : "web"
                #expect(own?.hasSuffix("web") == true, "\(target)")
            }
            try await host.net("publish", "peer", "9090:80")
            #expect(try await host.ask("TCP:192.0.2.1:9090", at: .inside("web")) == nil)
            let facts = try await host.must(["nft", "list", "set", "inet", "swnet", "itself4"])
            #expect(facts.contains("10.44.0.2 . 10.44.0.2") && facts.contains("10.44.0.3 . 10.44.0.3"), "\(facts)")
            // Not even through the gateway by a route, or to the other's Ethernet address.
            try await host.shell(
                """
                ip route add 10.44.0.2 via 10.44.0.1
                ip neigh replace 10.44.0.2 lladdr 02:53:0a:2c:00:02 dev eth0
                """, at: .inside("peer"))
            #expect(try await host.ask("TCP:10.44.0.2:80", at: .inside("peer")) == nil)
            // What somebody undoes is seen and mended.
            let port = try await host.must(["bash", "-c", "ip -j link show master sw-lab | jq -r .[0].ifname"])
            try await host.must(["bridge", "link", "set", "dev", port, "isolated", "off"])
            #expect(try await host.swnet("check").output.contains("not isolated"))
            try await host.net("repair")
            let told = try await host.json(["bridge", "-j", "-d", "link", "show", "dev", port])[0]
            #expect(told["isolated"].isTrue && told["hairpin"].isTrue, "\(told)")
        }
    }

    /// Neither in the other's name: what is for itself alone is told by more than an address, which anybody can forge.
    @Test(arguments: [
        ("10.44.0.1", "10.44.0.2/32", "TCP:192.0.2.1:8080,bind=10.44.0.2"),
        ("fd00:44::1", "fd00:44::2/128 nodad", "TCP:[2001:db8::1]:8080,bind=[fd00:44::2]"),
    ])
    func `nobody reaches an isolated port in its own name`(
        gateway: String, address: String, call: String
    ) async throws {
        try await NetworkHost.with { host in
            try await host.shell(
                "sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0")
            try await host.net(
                "create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64", "--isolate-ports")
            for name in ["web", "peer"] {
                try await host.must(["ip", "netns", "add", name])
                try await host.net("connect", "lab", name)
                // Neighbours know each other: a question in the other's name would lead the answers to whoever asked.
                try await host.must(["ping", "-c1", "-W9", gateway], at: .inside(name))
            }
            try await host.net("publish", "web", "8080:80")
            let count = "nft add table inet t; nft 'add chain inet t c { type filter hook prerouting priority 0; }'; "
            try await host.shell(count + "nft add rule inet t c tcp dport 80 counter", at: .inside("web"))
            let ask = "socat -u OPEN:/dev/null '\(call),connect-timeout=1'"
            let packets = { try await host.must(["nft", "list", "table", "inet", "t"], at: .inside("web")) }
            try await host.shell("ip addr add \(address) dev eth0; \(ask)", at: .inside("peer"))
            #expect(try await packets().contains("packets 0 "))
            // Nor with the other's Ethernet address: then the bridge takes the other for here.
            let link = try await host.json(["ip", "-j", "link", "show", "eth0"], at: .inside("web"))[0]
            let mac = try #require(link["address"].text)
            try await host.shell(
                "ip link set eth0 address \(mac); ip addr add \(address) dev eth0; \(ask)", at: .inside("peer"))
            #expect(try await packets().contains("packets 0 "))
            try await host.shell(ask, at: .inside("web"))
            #expect(try await !packets().contains("packets 0 "), "the way to itself")
            // What nft lists it can read again, and it is the same.
            try await host.must(["bash", "-c", "nft list ruleset > /run/saved; nft flush ruleset; nft -f /run/saved"])
            let differences = try await host.swnet("check").output
            #expect(!differences.contains("firewall"), "\(differences)")
        }
    }

    @Test func `isolated ports do not reach each other on another host either`() async throws {
        try await NetworkHost.with { host in
            // With it the firewall would drop them as well; a kernel that has not loaded it does not.
            try await host.shell(
                "[ ! -e /proc/sys/net/bridge ] || sysctl -qw net.bridge.bridge-nf-call-iptables=0")
            try await host.net(
                "create", "wide", "-d", "vxlan", "--opt", "vni=7", "--opt", "peers=192.0.2.2", "--subnet",
                "10.44.0.0/24", "--isolate-ports")
            try await host.shell(
                """
                ip link add vx type vxlan id 7 dstport 4789 remote 192.0.2.1; ip addr add 10.44.0.99/24 dev vx
                ip link set vx up
                """, at: .neighbour)
            _ = try await host.serve("web", on: "wide")
            let ping = ["ping", "-c1", "-W2"]
            #expect(try await host.run(ping + ["10.44.0.2"], at: .neighbour).status != 0)
            #expect(try await host.run(ping + ["10.44.0.1"], at: .neighbour).status == 0)
            #expect(try await host.answer("TCP:10.44.0.2:80")?.hasSuffix("web") == true)
            try await host.must(["bridge", "link", "set", "dev", "vx-wide", "isolated", "off"])
            let reached = try await eventually { try await host.run(ping + ["10.44.0.2"], at: .neighbour).status == 0 }
            #expect(reached)
            #expect(try await host.swnet("check").output.contains("not isolated"))
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            #expect(try await host.run(ping + ["10.44.0.2"], at: .neighbour).status != 0)
        }
    }

    @Test func `isolated ports of a bridge that is somebody else's`() async throws {
        try await NetworkHost.with { host in
            try await host.shell("ip link add br9 type bridge; ip addr add 10.49.0.1/24 dev br9; ip link set br9 up")
            try await host.net("create", "theirs", "--opt", "bridge=br9", "--subnet", "10.49.0.0/24", "--isolate-ports")
            _ = try await host.serve("web", on: "theirs")
            try await host.must(["ip", "netns", "add", "peer"])
            try await host.net("connect", "theirs", "peer")
            #expect(try await host.answer("TCP:10.49.0.2:80")?.hasSuffix("web") == true)
            #expect(try await host.ask("TCP:10.49.0.2:80", at: .inside("peer")) == nil)
            #expect(try await host.must(["nft", "list", "tables"]) == "")
            #expect(try await host.net("check") == "")
        }
    }

    @Test func `connections go out under the address that was asked for`() async throws {
        try await NetworkHost.with { host in
            try await host.shell(
                "ip addr add 192.0.2.25/24 dev eth0; ip addr add 2001:db8::25/64 dev eth0 nodad; sleep 0.1")
            try await host.net(
                "create", "mail", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64", "--source", "192.0.2.25",
                "--source", "2001:db8::25")
            try await host.net("create", "lab", "--subnet", "10.45.0.0/24")
            _ = try await host.serve("web", on: "mail")
            try await host.must(["ip", "netns", "add", "other"])
            try await host.net("connect", "lab", "other")
            _ = try await host.listen("them", ["tcp", "udp"], port: 25, at: .neighbour)
            for kind in ["TCP", "UDP"] {
                #expect(try await host.answer("\(kind):192.0.2.2:25", at: .inside("web")) == "192.0.2.25 them")
                #expect(try await host.answer("\(kind):[2001:db8::2]:25", at: .inside("web")) == "2001:db8::25 them")
            }
            #expect(try await host.answer("TCP:192.0.2.2:25", at: .inside("other")) == "192.0.2.1 them")
            // Ports are published as ever.
            try await host.net("publish", "web", "8080:80")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            #expect(try await host.net("check") == "")
            try await host.must(["nft", "flush", "map", "inet", "swnet", "source4"])
            #expect(try await host.swnet("check").output.contains("source"))
            try await host.net("repair")
            #expect(try await host.answer("TCP:192.0.2.2:25", at: .inside("web")) == "192.0.2.25 them")
            let wrong = try await host.swnet("create", "x", "--source", "192.0.2.99")
            #expect(wrong.status == 1 && wrong.errors.contains("192.0.2.99 is no address of this host"), "\(wrong)")
        }
    }

    @Test func `connections go out under the sandbox's own address where that was asked for`() async throws {
        try await NetworkHost.with { host in
            try await host.net(
                "create", "plain", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64", "--source", "none")
            try await host.net("create", "pairs", "-d", "ptp", "--subnet", "10.45.0.0/24", "--source", "none")
            _ = try await host.serve("web", on: "plain")
            _ = try await host.serve("peer", on: "pairs")
            _ = try await host.listen("them", ["tcp", "udp"], port: 25, at: .neighbour)
            for kind in ["TCP", "UDP"] {
                #expect(try await host.answer("\(kind):192.0.2.2:25", at: .inside("web")) == "10.44.0.2 them")
                #expect(try await host.answer("\(kind):[2001:db8::2]:25", at: .inside("web")) == "fd00:44::2 them")
                #expect(try await host.answer("\(kind):192.0.2.2:25", at: .inside("peer")) == "10.45.0.2 them")
            }
            // No more is open by that, and ports are published as ever, also to neighbours of the same network.
            #expect(try await host.ask("TCP:10.44.0.2:80", at: .neighbour) == nil)
            try await host.net("publish", "web", "8080:80")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            #expect(try await host.answer("TCP:127.0.0.1:8080") == "10.44.0.1 web")
            _ = try await host.serve("db", on: "plain")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .inside("db")) == "10.44.0.1 web")
            #expect(try await host.net("check") == "")
            try await host.must(["nft", "flush", "set", "inet", "swnet", "plain"])
            #expect(try await host.swnet("check").output.contains("plain lacks plain bridge sw-plain"))
            try await host.net("repair")
            #expect(try await host.answer("TCP:192.0.2.2:25", at: .inside("web")) == "10.44.0.2 them")
        }
    }

    @Test(arguments: [
        (["--isolation", "often"], "'often'"), (["--isolation", "off", "--internal"], "contradicts"),
        (["-d", "dummy", "--isolation", "strict"], "does not route"), (["-d", "ptp", "--isolate-ports"], "ptp"),
        (["-d", "ptp", "--announce-all"], "nobody has neighbours"),
        (["-d", "macvlan", "--opt", "parent=eth0", "--ipam", "none", "--antispoof"], "macvlan"),
        (["--opt", "bridge=eth0", "--ipam", "none", "--antispoof"], "--ipam none"),
        (["--source", "192.0.2.1", "--internal"], "translates nothing"), (["--source", "127.0.0.1"], "127.0.0.1"),
        (["--source", "192.0.2.1", "--source", "192.0.2.3"], "two sources"),
        (["--source", "192.0.2.1", "--subnet", "fd00:44::/64"], "no IPv4 subnet"),
        (["--source", "none", "--internal"], "translates nothing"),
        (["--source", "none", "-d", "dummy"], "translates nothing"),
        (["--source", "none", "--source", "192.0.2.1"], "contradict each other"),
    ])
    func `what cannot be, and why`(flags: [String], names: String) async throws {
        try await NetworkHost.with { host in
            let refused = try await host.run([NetworkHost.swnet, "create", "lab"] + flags)
            #expect(refused.status != 0 && refused.errors.contains(names), "\(refused)")
            #expect(try await host.nothingLeft() == [])
        }
    }
}
