import Addressing
import NetworkModel
import TestSupport
import Testing

/// Addresses from a real server: busybox's udhcpd in the neighbour's namespace.
@Suite("DHCP")
struct DHCPTests {
    private func serve(_ host: NetworkHost, seconds: Int = 600, first: Int = 50) async throws -> Command {
        try await host.must([
            "bash", "-c",
            """
            cat > /run/udhcpd.conf <<'EOF'
            start 192.0.2.\(first)
            end 192.0.2.\(first + 9)
            interface eth0
            lease_file /run/udhcpd.leases
            pidfile /run/udhcpd.pid
            min_lease 5
            option subnet 255.255.255.0
            option router 192.0.2.2
            option lease \(seconds)
            EOF
            touch /run/udhcpd.leases
            """,
        ])
        let server = try host.start(["busybox", "udhcpd", "-f", "/run/udhcpd.conf"], at: .neighbour)
        let listens = try await eventually {
            try await !host.run(["ss", "-Hlun", "sport = :67"], at: .neighbour).output.isEmpty
        }
        #expect(listens)
        return server
    }

    private func clients(_ host: NetworkHost) async throws -> Int {
        try await host.shell("pgrep -cf '[u]dhcpc -f'; true").output.split(separator: "\n").first.flatMap { Int($0) }
            ?? 0
    }

    @Test func `a network that CNI has made goes again when no server answers`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host, "web") {
                let ipam = #""ipam": {"type": "dhcp"}"#
                $0.plugins = [CNIRuntime.swnet(#""driver": "macvlan", "options": {"parent": "eth0"}, \#(ipam)"#)]
            }
            let output = try await runtime.add("web").output
            #expect(output.errorCode == 100 && output.output.contains("no DHCP server"), "\(output)")
            #expect(try await host.nothingLeft() == [])
            #expect(try await host.shell("ls /var/lib/swnet/networks").standardOutput == "")
        }
    }

    @Test func `a macvlan gets its address, keeps it in the record, and gives it back`() async throws {
        try await NetworkHost.with { host in
            let server = try await serve(host)
            try await host.net("create", "lan", "-d", "macvlan", "-o", "parent=eth0", "--ipam", "dhcp")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lan", "web", "--mac", "02:00:00:00:00:77")
            let address = try await host.addresses(of: "web").v4
            #expect(address.hasPrefix("192.0.2.5"), "\(address)")
            let inspected = try await host.json([NetworkHost.swnet, "inspect", "lan"])[0]["sandboxes"][0]
            #expect(inspected["addresses"][0].text == "\(address)/24", "\(inspected)")
            #expect(try await host.net("hosts").contains("\(address)\tweb web.lan"))
            let route = try await host.json(["ip", "-j", "route", "show", "default"], at: .inside("web"))[0]
            #expect(route["gateway"].text == "192.0.2.2")
            #expect(try await host.run(["ping", "-c", "1", "-w", "15", "192.0.2.2"], at: .inside("web")).status == 0)
            #expect(try await host.net("check") == "")
            // Whoever ends the client, or takes the address, is seen and repaired.
            try await host.shell("ip netns pids web | xargs -r kill -9")
            let isSeen = try await eventually {
                try await host.swnet("check").output.contains("the DHCP client is not running")
            }
            #expect(isSeen)
            let seen = try host.start(
                ["tcpdump", "-i", "eth0", "-nn", "-vv", "-l", "--immediate-mode", "udp port 67"], at: .neighbour)
            let listens = try await eventually { seen.errorsSoFar.contains("listening on") }
            #expect(listens)
            try await host.net("repair")
            let asked = try await eventually { seen.outputSoFar.contains("ACK") }
            #expect(asked)
            // What was there is asked for again.
            let back = try await eventually {
                let isClean = try await host.swnet("check").output.isEmpty
                let now = try await host.addresses(of: "web").v4
                return isClean && now == address
            }
            #expect(back)
            #expect(try await clients(host) == 1)
            // The server hears that the address is free again.
            try await host.net("disconnect", "lan", "web")
            let released = try await eventually { seen.outputSoFar.contains("Release") }
            #expect(released, "\(seen.outputSoFar)")
            #expect(try await clients(host) == 0)
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
            try await host.net("rm", "lan")
            #expect(try await host.nothingLeft() == [])
            await seen.stop()
            await server.stop()
        }
    }

    @Test func `on a bridge that is there, and a renewal with another address is followed`() async throws {
        try await NetworkHost.with { host in
            try await host.shell(
                "ip link add br0 type bridge; ip link set br0 up; ip link set eth0 master br0; ip addr flush dev eth0; "
                    + "ip addr add 192.0.2.1/24 dev br0")
            let first = try await serve(host)
            try await host.net("create", "lan", "-o", "bridge=br0", "--ipam", "dhcp")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lan", "web")
            #expect(try await host.addresses(of: "web").v4.hasPrefix("192.0.2.5"))
            await first.stop()
            try await host.shell("kill $(cat /run/udhcpd.pid); rm -f /run/udhcpd.leases", at: .neighbour)
            let second = try await serve(host, first: 70)
            // SIGUSR1 has the client ask again; the new server knows nothing of the old address.
            try await host.shell("ip netns pids web | xargs -r kill -USR1")
            let moved = try await eventually {
                try await host.addresses(of: "web").v4.hasPrefix("192.0.2.7")
            }
            #expect(moved)
            let inspected = try await host.json([NetworkHost.swnet, "inspect", "lan"])[0]["sandboxes"][0]
            #expect(inspected["addresses"][0].text?.hasPrefix("192.0.2.7") == true, "\(inspected)")
            #expect(try await host.net("check") == "")
            await second.stop()
        }
    }

    @Test(arguments: ["INT", "TERM", "HUP"])
    func `who is ended while it waits takes back what it has begun`(signal: String) async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lan", "-d", "macvlan", "-o", "parent=eth0", "--ipam", "dhcp")
            try await host.must(["ip", "netns", "add", "web"])
            func connect(ending signal: String) async throws -> String {
                // With job control, or what runs in the background does not hear of SIGINT.
                try await host.shell(
                    """
                    set -m; \(NetworkHost.swnet) connect lan web & client=$!
                    until ip -n web link show eth0 2>/dev/null | grep -q UP; do sleep 0.1; done
                    sleep 0.5; kill -\(signal) $client; wait $client; echo $?
                    """
                ).output
            }
            let number = ["INT": "130", "TERM": "143", "HUP": "129"][signal] ?? ""
            #expect(try await connect(ending: signal).hasSuffix(number))
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
            #expect(try await clients(host) == 0)
            let network = try await host.json([NetworkHost.swnet, "inspect", "lan"])[0]
            #expect(network["sandboxes"].items.isEmpty, "\(network)")
            #expect(try await host.net("check") == "")
            // What cannot be held back is told, until a server answers.
            #expect(try await connect(ending: "KILL").hasSuffix("137"))
            let isTold = try await eventually {
                try await host.swnet("check").output.contains("web on lan: it has no IPv4 address")
            }
            #expect(isTold)
            try await host.net("disconnect", "lan", "web")
            #expect(try await host.net("check") == "")
        }
    }

    @Test func `without a server nothing is left, and who cannot have it is told so`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lan", "-d", "macvlan", "-o", "parent=eth0", "--ipam", "dhcp")
            try await host.must(["ip", "netns", "add", "web"])
            let alone = try await host.swnet("connect", "lan", "web")
            #expect(alone.status == 1 && alone.errors.contains("no DHCP server has answered on lan"), "\(alone)")
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
            #expect(try await clients(host) == 0)
            for (words, names) in [
                (["create", "x", "--ipam", "dhcp"], "driver bridge"),
                (["create", "x", "-d", "ptp", "--ipam", "dhcp"], "ptp"),
                (["create", "x", "-d", "ipvlan", "-o", "parent=eth0", "--ipam", "dhcp"], "ipvlan"),
                (
                    [
                        "create", "x", "-d", "macvlan", "-o", "parent=eth0", "--ipam", "dhcp", "--subnet",
                        "192.0.2.0/24",
                    ], "192.0.2.0/24"
                ),
                (["connect", "lan", "web", "--ip", "192.0.2.9"], "192.0.2.9"),
                (["create", "x", "--ipam", "other"], "'other' for --ipam"),
            ] {
                let refused = try await host.run([NetworkHost.swnet] + words)
                #expect(refused.status != 0 && refused.errors.contains(names), "\(refused)")
            }
            try await host.net("rm", "lan")
            #expect(try await host.nothingLeft() == [])
        }
    }

    /// A server is a stranger.
    @Test func `hostile answers`() {
        func read(_ variables: [String: String]) -> DHCPAnswer? { DHCPAnswer({ variables[$0] }) }
        let good = [
            "ip": "192.0.2.50", "mask": "24", "router": "192.0.2.2 192.0.2.3", "lease": "600", "serverid": "192.0.2.2",
        ]
        #expect(read(good)?.address.description == "192.0.2.50/24" && read(good)?.router?.description == "192.0.2.2")
        for (key, value) in [
            ("ip", "0.0.0.0"), ("ip", "127.0.0.1"), ("ip", "224.0.0.1"), ("ip", "255.255.255.255"), ("ip", "192.0.2.0"),
            ("ip", "x; rm -rf /"), ("mask", "0"), ("mask", "33"), ("mask", "-1"), ("mask", ""), ("ip", ""),
        ] { #expect(read(good.merging([key: value]) { $1 }) == nil, "\(key)=\(value)") }
        for value in ["0.0.0.0", "127.0.0.1", "x", "", "192.0.2.50", "224.0.0.1"] {
            #expect(read(good.merging(["router": value]) { $1 })?.router == nil, "\(value)")
        }
        #expect(read(good.merging(["lease": "99999999999999"]) { $1 })?.lease.seconds == Int(UInt32.max))
    }
}
