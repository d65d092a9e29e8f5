import TestSupport
import Testing

/// Sandboxes that lie about who they are, with frames of their own making. A receiver counts what comes through.
@Suite("antispoof")
struct AntispoofTests {
    /// Counts the frames that arrive with a mark in them, at another endpoint and at the gateway.
    private static let receiver = """
        import socket, sys, time
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3)); raw.bind((sys.argv[1], 0))
        raw.settimeout(60); print("ready", flush=True)
        seen = set()
        while b"finish" not in seen:
            frame = raw.recv(65536); at = frame.find(b"mark:")
            if at >= 0: seen.add(frame[at + 5:].split(b";")[0])
        print(*sorted(word.decode() for word in seen), flush=True)
        """

    /// Sends one frame for each lie, and honest ones as a control.
    private static let sender = """
        import socket, struct, sys
        own, other, router = (bytes.fromhex(text.replace(":", "")) for text in sys.argv[1:4])
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); raw.bind(("eth0", 0))
        everybody = b"\\xff" * 6
        def total(data):
            data += b"\\0" * (len(data) % 2)
            number = sum(struct.unpack(f"!{len(data) // 2}H", data))
            while number >> 16: number = (number & 0xffff) + (number >> 16)
            return ~number & 0xffff
        def say(word): return b"mark:" + word + b";"
        def v4(source, word, mac=own, to=everybody):
            data = struct.pack("!HHHH", 5000, 5000, 8 + len(say(word)), 0) + say(word)
            head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 1, 0, 9, 17, 0, socket.inet_aton(source),
                socket.inet_aton("10.44.0.255"))
            head = head[:10] + struct.pack("!H", total(head)) + head[12:]
            raw.send(to + mac + b"\\x08\\x00" + head + data)
        def v6(source, word, next=17, data=None, mac=own, to=b"\\x33\\x33\\0\\0\\0\\1"):
            data = data or struct.pack("!HHHH", 5000, 5000, 8 + len(say(word)), 0xffff) + say(word)
            head = struct.pack("!IHBB", 6 << 28, len(data), next, 255) + socket.inet_pton(socket.AF_INET6, source)
            raw.send(to + mac + b"\\x86\\xdd" + head + socket.inet_pton(socket.AF_INET6, "ff02::1") + data)
        def nd(kind, source, target, word):
            option = b"\\x02\\x01" + own
            data = bytes([kind, 0, 0, 0, 0x60, 0, 0, 0]) + socket.inet_pton(socket.AF_INET6, target) + option + say(word)
            v6(source, word, 58, data)
        def arp(mac, address, word, ether=own):
            raw.send(everybody + ether + b"\\x08\\x06" + struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, mac,
                socket.inet_aton(address), b"\\0" * 6, socket.inet_aton("10.44.0.9")) + say(word))
        link = "fe80::" + socket.inet_ntop(socket.AF_INET6, b"\\0" * 8 + bytes([own[0] ^ 2]) + own[1:3] + b"\\xff\\xfe" + own[3:])[2:]
        for _ in range(3):
            v4("10.44.0.2", b"honest4"); v6("fd00:44::2", b"honest6"); v6(link, b"honestlink")
            arp(own, "10.44.0.2", b"honestarp"); nd(136, "fd00:44::2", "fd00:44::2", b"honestna")
            nd(135, "fd00:44::2", "fd00:44::3", b"honestns")
            v4("10.44.0.3", b"LIE4"); v4("192.0.2.77", b"LIEforeign4"); v4("10.44.0.1", b"LIEgateway4")
            v4("0.0.0.0", b"LIEany4"); v4("10.44.0.2", b"LIEmac4", mac=other); v4("10.44.0.3", b"LIEboth4", mac=other)
            v4("10.44.0.3", b"LIErouted4", to=router)
            v6("fd00:44::3", b"LIE6"); v6("2001:db8::77", b"LIEforeign6"); v6("fe80::1", b"LIElink6"); v6("::", b"LIEany6")
            v6("fd00:44::2", b"LIEmac6", mac=other); v6("fd00:44::3", b"LIErouted6", to=router)
            arp(own, "10.44.0.3", b"LIEarp"); arp(own, "10.44.0.1", b"LIEarpgateway"); arp(other, "10.44.0.2", b"LIEarpmac")
            arp(other, "10.44.0.3", b"LIEarpboth"); arp(other, "10.44.0.3", b"LIEarpall", ether=other)
            nd(136, "fd00:44::2", "fd00:44::3", b"LIEna"); nd(136, "fd00:44::2", "fd00:44::1", b"LIEnagateway")
            nd(136, "fd00:44::3", "fd00:44::3", b"LIEnasource"); nd(135, "fd00:44::3", "fd00:44::1", b"LIEns")
            nd(134, link, "::", b"LIErouter"); nd(137, link, "fd00:44::1", b"LIEredirect")
            raw.send(everybody + own + b"\\x88\\xb5" + say(b"LIEother"))
        v4("10.44.0.2", b"finish")
        """

    private func mac(_ host: NetworkHost, _ interface: String, at place: NetworkHost.Place) async throws -> String {
        try await host.json(["ip", "-j", "link", "show", "dev", interface], at: place)[0]["address"].text ?? ""
    }

    /// What arrives at `peer` and at the bridge of what `web` sends.
    private func lies(_ host: NetworkHost, bridge: String, isolated: Bool = false) async throws -> [String] {
        var receivers: [Command] = []
        // Isolated ports hear nothing of each other at all.
        let places = [("eth0", NetworkHost.Place.inside("peer")), (bridge, .host)].dropFirst(isolated ? 1 : 0)
        for (interface, place) in places {
            receivers.append(try host.start(["python3", "-c", Self.receiver, interface], at: place))
            try await receivers.last?.waitForOutput("ready")
        }
        let own = try await mac(host, "eth0", at: .inside("web"))
        let other = try await mac(host, "eth0", at: .inside("peer"))
        let router = try await mac(host, bridge, at: .host)
        try await host.must(["python3", "-c", Self.sender, own, other, router], at: .inside("web"))
        var seen: [String] = []
        for receiver in receivers { seen.append(await receiver.result.lines.last ?? "") }
        return seen
    }

    private func prepare(_ host: NetworkHost, _ flags: [String]) async throws {
        try await host.net(["create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64"] + flags)
        _ = try await host.serve("web", on: "lab", ["tcp", "udp"])
        _ = try await host.serve("peer", on: "lab")
    }

    private static let honest = "finish honest4 honest6 honestarp honestlink honestna honestns"

    @Test func `without it every lie comes through`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host, [])
            let seen = try await lies(host, bridge: "sw-lab")
            #expect(seen[0].split(separator: " ").count { $0.hasPrefix("LIE") } > 20, "\(seen)")
            #expect(try await host.must(["nft", "list", "tables"]) == "table inet swnet")
        }
    }

    @Test(arguments: [[], ["--isolate-ports"]])
    func `no lie comes through, and everything that is true does`(flags: [String]) async throws {
        try await NetworkHost.with { host in
            try await prepare(host, ["--antispoof"] + flags)
            let seen = try await lies(host, bridge: "sw-lab", isolated: !flags.isEmpty)
            #expect(seen.allSatisfy { $0 == Self.honest }, "\(seen)")
        }
    }

    @Test func `real traffic is as it was, and a foreign address inside is of no use`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host, ["--antispoof"])
            try await host.net("publish", "web", "8080:80", "5353:80/udp")
            for target in ["10.44.0.2:80", "[fd00:44::2]:80", "192.0.2.1:8080", "[2001:db8::1]:8080"] {
                #expect(
                    try await host.answer("TCP:\(target)", at: .inside("peer"))?.hasSuffix("web") == true, "\(target)")
            }
            #expect(try await host.answer("UDP:192.0.2.1:5353", at: .neighbour) == "192.0.2.2 web")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            let link = try await host.shell(
                #"ip -j -6 addr show dev eth0 | jq -r '.[0].addr_info[] | select(.scope == "link") | .local'"#,
                at: .inside("web")
            ).output
            #expect(try await host.run(["ping", "-c1", "-W9", "\(link)%eth0"], at: .inside("peer")).status == 0)
            try await host.shell(
                "ip addr add 10.44.0.77/24 dev eth0; ip -6 addr add fd00:44::77/64 dev eth0 nodad", at: .inside("web"))
            let ping = ["ping", "-c1", "-W1"]
            #expect(try await host.run(ping + ["-I", "10.44.0.77", "10.44.0.1"], at: .inside("web")).status != 0)
            #expect(try await host.run(ping + ["-I", "fd00:44::77", "fd00:44::1"], at: .inside("web")).status != 0)
            #expect(try await host.run(ping + ["-I", "10.44.0.2", "10.44.0.1"], at: .inside("web")).status == 0)
            // Another Ethernet address silences it.
            try await host.shell("ip link set eth0 address 02:00:00:00:00:77", at: .inside("web"))
            #expect(try await host.run(ping + ["10.44.0.1"], at: .inside("web")).status != 0)
        }
    }

    @Test func `the table lives as long as such a network, and is checked and repaired`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "other")
            try await prepare(host, ["--antispoof"])
            let set = ["nft", "list", "set", "bridge", "swnet", "own4"]
            #expect(try await host.must(set).contains("10.44.0.3"))
            for line in [
                "nft delete table bridge swnet", "nft flush set bridge swnet own6",
                "nft flush chain bridge swnet guarded",
                "nft add element bridge swnet own4 '{ eth9 . 02:00:00:00:00:01 . 10.44.0.2 }'", "nft flush ruleset",
            ] {
                try await host.shell(line)
                let found = try await host.swnet("check")
                #expect(found.status == 1, "\(line): \(found)")
                try await host.net("repair")
                #expect(try await host.net("check") == "", "\(line)")
                #expect(try await host.answer("TCP:10.44.0.2:80", at: .inside("peer"))?.hasSuffix("web") == true)
            }
            // Whoever comes next puts back what somebody took away.
            try await host.must(["nft", "delete", "table", "bridge", "swnet"])
            _ = try await host.serve("third", on: "lab")
            #expect(try await host.must(set).contains("10.44.0.2"))
            try await host.net("disconnect", "lab", "third")
            #expect(try await !host.must(set).contains("10.44.0.4"))
            // One that is there and not in force is none.
            for table in ["inet", "bridge"] {
                try await host.must(["nft", "add", "table", table, "swnet", "{ flags dormant; }"])
                let found = try await host.swnet("check")
                #expect(found.output.contains("the table \(table) swnet is dormant"), "\(found)")
                try await host.net("repair")
                #expect(try await host.net("check") == "")
                let again = try await host.must(["nft", "list", "table", table, "swnet"])
                #expect(!again.contains("dormant"))
            }
            // Also who changes something else of the firewall, when all of it was taken.
            try await host.must(["nft", "flush", "ruleset"])
            try await host.net("publish", "web", "8099:80")
            #expect(try await host.net("check") == "")
            #expect(try await host.must(set).contains("10.44.0.3"))
            for name in ["web", "peer"] { try await host.net("disconnect", "lab", name) }
            try await host.net("rm", "lab")
            #expect(try await host.must(["nft", "list", "tables"]) == "table inet swnet")
        }
    }

    @Test func `at the ports of somebody else's bridge, whose firewall is left alone`() async throws {
        try await NetworkHost.with { host in
            try await host.shell(
                """
                ip link add br9 type bridge; ip addr add 10.44.0.1/24 dev br9; ip addr add fd00:44::1/64 dev br9 nodad
                ip link set br9 up; ip netns add theirs
                ip link add veth9 type veth peer name eth0 netns theirs; ip link set veth9 master br9 up
                ip -n theirs addr add 10.44.0.99/24 dev eth0; ip -n theirs link set eth0 up
                """)
            try await prepare(host, ["--antispoof", "--opt", "bridge=br9"])
            let seen = try await lies(host, bridge: "br9")
            #expect(seen == [Self.honest, Self.honest], "\(seen)")
            #expect(try await host.must(["nft", "list", "tables"]) == "table bridge swnet")
            // Ports that are not ours are not looked at.
            try await host.must(["ip", "-n", "theirs", "addr", "add", "10.44.0.98/24", "dev", "eth0"])
            #expect(
                try await host.run(["ping", "-c1", "-W9", "-I", "10.44.0.98", "10.44.0.1"], at: .inside("theirs"))
                    .status == 0)
            for name in ["web", "peer"] { try await host.net("disconnect", "lab", name) }
            try await host.net("rm", "lab")
            #expect(try await host.must(["nft", "list", "tables"]) == "")
        }
    }
}
