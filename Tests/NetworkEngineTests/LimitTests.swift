import Foundation
import TestSupport
import Testing

/// Rates with real traffic, measured by iperf3, and what tc says of them.
@Suite("rate limits", .serialized)
struct LimitTests {
    /// Bits a second that the receiver got in three seconds.
    ///
    /// - Parameter reverse: From the sandbox to the host.
    private func measure(_ host: NetworkHost, _ address: String, reverse: Bool, _ more: [String] = []) async throws
        -> Double
    {
        let options = ["-c", address, "-t", "3", "-J", "-O", "1"] + (reverse ? ["-R"] : []) + more
        var bits = 0.0
        // A server that still has the last client says so and ends the new one.
        _ = try await eventually {
            let result = try await host.run(["iperf3"] + options)
            guard result.status == 0 else { return false }
            bits = try JSONValue(result.standardOutput)["end"]["sum_received"]["bits_per_second"].number ?? 0
            return bits > 0
        }
        return bits
    }

    private func prepare(_ host: NetworkHost, _ words: [String] = []) async throws -> String {
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
        try await host.must(["ip", "netns", "add", "web"])
        try await host.net(["connect", "lab", "web"] + words)
        try await host.must(["iperf3", "-s", "-D"], at: .inside("web"))
        let isUp = try await eventually {
            try await !host.run(["ss", "-Hltn", "sport = :5201"], at: .inside("web")).output.isEmpty
        }
        #expect(isUp)
        let inspected = try await host.json([NetworkHost.swnet, "inspect", "lab"])[0]["sandboxes"][0]
        return try #require(inspected["hostInterface"].text)
    }

    /// `tools/vm-run` is an emulator, whose clock ticks late and whose processors are slow: there only the limits are sure.
    private static let isEmulated = ProcessInfo.processInfo.environment["VM_RUN"] != nil
    /// The share of its rate that a connection reaches.
    private static let least = isEmulated ? 0.5 : 0.9
    /// What it is faster than without a limit, in bits a second.
    private static let unlimited = isEmulated ? 60e6 : 400e6

    @Test(arguments: [("20mbit", 20e6), ("2mbit", 2e6), ("200mbit", 200e6)])
    func `the rate is reached and not passed, both ways and in both families`(text: String, bits: Double) async throws {
        try await NetworkHost.with { host in
            _ = try await prepare(host, ["--egress", text, "--ingress", text])
            for (reverse, address) in [(false, "10.44.0.2"), (true, "10.44.0.2"), (true, "fd00:44::2")] {
                // Never more; and TCP's share of a full frame is 1448 of 1514 bytes, unless the machine is busy.
                var measured = 0.0
                for _ in 0..<5 where measured < bits * Self.least {
                    measured = try await measure(host, address, reverse: reverse)
                    print("\(text) \(reverse ? "from" : "to") the sandbox: \(Int(measured / 1000)) kbit/s")
                    #expect(measured < bits * 1.1)
                }
                #expect(measured >= bits * Self.least)
            }
        }
    }

    @Test func `limits change while traffic flows, and what is gone leaves nothing`() async throws {
        try await NetworkHost.with { host in
            let end = try await prepare(host)
            let limiter = "ifb" + end.dropFirst(4)
            let free = try await measure(host, "10.44.0.2", reverse: true)
            #expect(free > Self.unlimited, "\(free)")
            #expect(try await host.json(["ip", "-j", "link"]).items.allSatisfy { $0["ifname"].text != limiter })
            try await host.net("limit", "lab", "web", "--egress", "20mbit", "--ingress", "30mbit")
            #expect(try await host.net("check") == "")
            let link = try await host.json(["ip", "-j", "-d", "link", "show", "dev", limiter])[0]
            #expect(link["linkinfo"]["info_kind"].text == "ifb" && link["ifalias"].text == "swnet lab web")
            let filters = try await host.must(["tc", "filter", "show", "dev", end, "ingress"])
            #expect(filters.contains("Egress Redirect to device \(limiter)"), "\(filters)")
            // A connection that is open goes on at the new rate.
            let client = try host.start(["timeout", "60", "iperf3", "-c", "10.44.0.2", "-t", "6", "-J", "-R"])
            try await Task.sleep(for: .seconds(3))
            try await host.net("limit", "lab", "web", "--egress", "5mbit")
            let result = await client.result
            let intervals = try JSONValue(result.standardOutput)["intervals"].items.map {
                $0["sum"]["bits_per_second"].number ?? 0
            }
            #expect(intervals.count >= 6 && intervals[1] > Self.least * 17e6, "\(intervals)")
            #expect((intervals.last ?? 0) < 8e6, "\(intervals)")
            let egress = try await host.json(["tc", "-j", "qdisc", "show", "dev", limiter])[0]
            #expect(egress["kind"].text == "tbf" && egress["options"]["rate"].integer == 625_000, "\(egress)")
            let inspected = try await host.json([NetworkHost.swnet, "inspect", "lab"])[0]["sandboxes"][0]["settings"]
            #expect(inspected["egress"].text == "5mbit" && inspected["ingress"].text == "30mbit")
            try await host.net("limit", "lab", "web", "--egress", "none", "--ingress", "none")
            let gone = try await eventually { try await host.run(["ip", "link", "show", "dev", limiter]).status != 0 }
            #expect(gone)
            #expect(try await host.must(["tc", "qdisc", "show", "dev", end]).contains("noqueue"))
            #expect(try await measure(host, "10.44.0.2", reverse: true) > Self.unlimited)
            #expect(try await host.net("check") == "")
            try await host.net("limit", "lab", "web", "--egress", "1mbit")
            try await host.net("disconnect", "lab", "web")
            try await host.net("rm", "lab")
            #expect(try await host.nothingLeft() == [])
        }
    }

    @Test func `its owner cannot take a limit away, and who breaks it is repaired`() async throws {
        try await NetworkHost.with { host in
            let end = try await prepare(host, ["--egress", "20mbit", "--ingress", "20mbit,64kb"])
            let limiter = "ifb" + end.dropFirst(4)
            // The sandbox has every right over its own interface.
            try await host.shell(
                "tc qdisc del dev eth0 root; tc qdisc replace dev eth0 root pfifo; tc qdisc add dev eth0 clsact",
                at: .inside("web"))
            #expect(try await measure(host, "10.44.0.2", reverse: true) < 22e6)
            for line in [
                "ip link del \(limiter)", "tc qdisc del dev \(end) clsact", "tc qdisc del dev \(end) root",
                "tc qdisc replace dev \(limiter) root tbf rate 1gbit burst 1mb limit 2mb",
                "ip link set \(limiter) down",
                "tc qdisc replace dev \(end) root pfifo",
            ] {
                let broken = try await host.shell(line)
                #expect(broken.status == 0, "\(broken)")
                let found = try await host.swnet("check")
                #expect(
                    found.status == 1 && found.output.contains("20mbit") || found.output.contains(limiter),
                    "\(line): \(found)")
                let repaired = try await host.swnet("repair")
                #expect(repaired.status == 0, "\(repaired)")
                #expect(try await host.net("check") == "", "\(line)")
            }
            #expect(try await measure(host, "10.44.0.2", reverse: true) < 22e6)
            #expect(try await measure(host, "10.44.0.2", reverse: false) < 22e6)
        }
    }

    @Test func `an end that nobody announced takes the limiting interface along`() async throws {
        try await NetworkHost.with { host in
            _ = try await prepare(host, ["--egress", "20mbit"])
            try await host.shell("ip netns pids web | xargs -r kill -9; ip netns del web")
            let gone = try await eventually { try await host.swnet("check").output.contains("namespace is gone") }
            #expect(gone)
            let late = try await host.swnet("limit", "lab", "web", "--egress", "10mbit")
            #expect(late.status == 1 && late.errors.contains("web: its network namespace is gone"), "\(late)")
            try await host.net("gc")
            try await host.net("rm", "lab")
            #expect(try await host.nothingLeft() == [])
            // One that no record knows, but that has our mark, is a crash's.
            try await host.must(["ip", "link", "add", "ifb00000000", "type", "ifb"])
            try await host.must(["ip", "link", "set", "ifb00000000", "alias", "swnet lab web"])
            try await host.net("gc")
            #expect(try await host.nothingLeft() == [])
        }
    }

    @Test func `whoever is killed while it changes a limit leaves one that is whole`() async throws {
        try await NetworkHost.with { host in
            _ = try await prepare(host)
            for round in 1...20 {
                let line = """
                    \(NetworkHost.swnet) limit lab web --egress \(round)mbit --ingress \(round % 2 == 0 ? "none" : "5mbit") &
                    sleep 0.0\(round * 7 % 20); kill -9 $!; wait; true
                    """
                try await host.shell(line)
                // The next command takes back what was begun, or it was done.
                #expect(try await host.net("check") == "", "round \(round)")
            }
            try await host.net("disconnect", "lab", "web")
            try await host.net("rm", "lab")
            #expect(try await host.nothingLeft() == [])
        }
    }

    @Test func `bad limits`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.net(
                "create", "lan", "-d", "macvlan", "-o", "parent=eth0", "--subnet", "192.0.2.0/24", "--gateway",
                "192.0.2.2")
            try await host.must(["ip", "netns", "add", "web"])
            for (words, names) in [
                (["connect", "lab", "web", "--egress", "fast"], "'fast' for --egress"),
                (["connect", "lab", "web", "--egress", "10"], "'10' for --egress"),
                (["connect", "lab", "web", "--ingress", "1mbit,100b"], "100 bytes"),
                (["connect", "lan", "web", "--ingress", "1mbit"], "macvlan"),
                (["limit", "lab", "web", "--ingress", "1mbit"], "web"), (["limit", "lab", "web"], "--egress"),
            ] {
                let result = try await host.run([NetworkHost.swnet] + words)
                #expect(result.status != 0 && result.errors.contains(names), "\(result)")
            }
            // The name of the limiting interface is somebody else's: nothing is left.
            try await host.must(["ip", "link", "add", "ifb0badcafe", "type", "ifb"])
            let taken = try await host.swnet(
                "connect", "lab", "web", "--egress", "1mbit", "--host-ifname", "veth0badcafe")
            #expect(taken.status == 0, "\(taken)")
            #expect(
                try await host.json(["ip", "-j", "link", "show", "dev", "ifb0badcafe"])[0]["ifalias"].text
                    == "swnet lab web")
            try await host.net("disconnect", "lab", "web")
            try await host.shell("ip link add ifb0badcafe type ifb; ip link set ifb0badcafe alias theirs")
            let refused = try await host.swnet(
                "connect", "lab", "web", "--egress", "1mbit", "--host-ifname", "veth0badcafe")
            #expect(refused.status == 1 && refused.errors.contains("ifb0badcafe"), "\(refused)")
            #expect(try await host.run(["ip", "link", "show", "veth0badcafe"]).status != 0)
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
            let planned = try await host.net("connect", "lab", "web", "--egress", "1mbit", "--dry-run")
            #expect(planned.contains("sends at most 1mbit"), "\(planned)")
        }
    }
}
