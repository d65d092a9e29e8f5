import Foundation
import TestSupport
import Testing

@Suite("capture: packets of networks and sandboxes, with tcpdump as the oracle", .timeLimit(.minutes(10)))
struct CaptureTests {
    private func prepare(_ host: NetworkHost) async throws {
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
        _ = try await host.serve("web", on: "lab")
        try await host.must(["ip", "netns", "add", "mate"])
        try await host.net("connect", "lab", "mate")
    }

    /// Starts a capture and waits until it listens.
    private func capture(_ host: NetworkHost, _ words: String...) async throws -> Command {
        let capture = try host.start([NetworkHost.swnet, "capture"] + words)
        let listens = try await eventually { capture.errorsSoFar.contains("capturing on") }
        #expect(listens, "\(capture.errorsSoFar)")
        return capture
    }

    @Test func `a network's bridge shows what passes between its sandboxes, in a file that others read`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let capture = try await capture(host, "lab", "-w", "/run/lab.pcapng", "tcp port 80")
            #expect(try await host.answer("TCP:10.44.0.2:80", at: .inside("mate")) == "10.44.0.3 web")
            #expect(try await host.answer("TCP:[fd00:44::2]:80", at: .inside("mate")) == "fd00:44::3 web")
            #expect(try await host.ask("TCP:10.44.0.2:81", at: .inside("mate")) == nil)
            // What was read is written, even before the end.
            let read = ["tcpdump", "-n", "-r", "/run/lab.pcapng"]
            #expect(try await eventually { try await host.run(read).output.contains("fd00:44::3") })
            try await host.must(["bash", "-c", "kill -INT $(pidof swnet-capture)"])
            let result = await capture.result
            #expect(result.status == 0 && result.errors.contains(" packets"), "\(result)")
            let listing = try await host.must(read)
            #expect(listing.contains("10.44.0.3.") && listing.contains("10.44.0.2.80: Flags [S]"), "\(listing)")
            #expect(!listing.contains(".81:"))
            #expect(try await host.must(["stat", "-c", "%a %U", "/run/lab.pcapng"]) == "600 root")
        }
    }

    @Test func `several interfaces in one file, and words without a file`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.net("create", "second", "--subnet", "10.45.0.0/24")
            try await host.net("connect", "second", "web")
            let words = try await capture(host, "web", "-c", "4", "icmp")
            let file = try await capture(host, "web", "-w", "/run/web.pcapng", "-c", "4", "icmp")
            #expect(file.errorsSoFar.contains("eth0, eth1"))
            for address in ["10.44.0.2", "10.45.0.2"] {
                let answers = try await eventually {
                    try await host.run(["ping", "-c", "1", "-W", "5", address]).status == 0
                }
                #expect(answers)
            }
            let lines = await words.result.standardOutput.split(separator: "\n").map(String.init)
            #expect(lines.count == 4 && lines.contains { $0.contains("eth0 icmp 10.44.0.1") }, "\(lines)")
            #expect(lines.contains { $0.contains("eth1 icmp 10.45.0.1") && $0.contains("echo request") }, "\(lines)")
            #expect(await file.result.status == 0)
            // Both interfaces with their names, and times to the nanosecond.
            let listing = try await host.must(["tcpdump", "-n", "--nano", "-r", "/run/web.pcapng"])
            #expect(listing.split(separator: "\n").count == 4 && listing.contains("10.45.0.1"), "\(listing)")
            let bytes = try await host.must(["strings", "-n", "4", "/run/web.pcapng"])
            #expect(bytes.contains("eth1") && bytes.contains("web on second") && bytes.contains("icmp"), "\(bytes)")
        }
    }

    @Test func `a pipe, whose reader may go; and no privilege is left`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let pipe = try host.start([
                "bash", "-c",
                "\(NetworkHost.swnet) capture web -w - icmp | tcpdump -n -c 1 -r -; echo ${PIPESTATUS[0]}",
            ])
            let listens = try await eventually { pipe.errorsSoFar.contains("capturing on eth0") }
            #expect(listens)
            let status = try await host.shell(
                "grep -h -E '^(Uid|CapPrm|NoNewPrivs)' /proc/$(pidof swnet-capture)/status")
            #expect(status.output.contains("65534") && status.output.contains("0000000000000000"), "\(status)")
            #expect(status.output.contains("NoNewPrivs:\t1"))
            let hasEnded = try await eventually {
                try await host.run(["ping", "-c", "1", "10.44.0.2"])
                return pipe.outputSoFar.hasSuffix("\n0\n")
            }
            #expect(hasEnded && pipe.outputSoFar.contains("ICMP echo"), "\(pipe.outputSoFar) \(pipe.errorsSoFar)")
        }
    }

    /// What others send through the parent is not the network's.
    @Test(arguments: ["macvlan", "ipvlan"])
    func `a network without a bridge is seen at its sandboxes alone`(driver: String) async throws {
        try await NetworkHost.with { host in
            let probe = try await host.shell("ip link add p link eth0 type \(driver)")
            if probe.status != 0 { try Test.cancel("this kernel has no \(driver)") }
            try await host.must(["ip", "link", "del", "p"])
            try await host.net("create", "lan", "-d", driver, "-o", "parent=eth0", "--subnet", "192.0.2.0/24")
            for name in ["web", "mate", "alien"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lan", "web", "--ip", "192.0.2.50")
            try await host.net("connect", "lan", "mate", "--ip", "192.0.2.51", "--ifname", "lan0")
            // A sandbox of another network on the same parent.
            try await host.net("create", "other", "-d", driver, "-o", "parent=eth0", "--subnet", "192.0.3.0/24")
            try await host.net("connect", "other", "alien", "--ip", "192.0.3.60")
            try await host.must(["ip", "addr", "add", "192.0.3.2/24", "dev", "eth0"], at: .neighbour)
            let link = ["bash", "-c", "ip -j -d link show eth0 | jq '.[0].promiscuity'"]
            let promiscuity = try await host.must(link)
            let capture = try await capture(host, "lan", "-w", "/run/lan.pcapng", "icmp")
            // The parent is not made to listen to everything for it.
            #expect(try await host.must(link) == promiscuity)
            #expect(capture.errorsSoFar.contains("web/eth0, ") || capture.errorsSoFar.contains(", web/eth0"))
            for (place, address) in [
                (NetworkHost.Place.host, "192.0.2.2"), (.inside("alien"), "192.0.3.2"), (.inside("web"), "192.0.2.2"),
                (.inside("web"), "192.0.2.51"), (.neighbour, "192.0.2.51"),
            ] {
                let ping = try await host.run(["ping", "-c", "2", "-i", "0.2", "-W", "60", address], at: place)
                #expect(ping.status == 0, "\(ping)")
            }
            let read = ["tcpdump", "-n", "-tt", "--nano", "-r", "/run/lan.pcapng"]
            // Each of the two packets and its answer, and those between the two on both sides.
            let complete = try await eventually {
                try await host.run(read).output.split(separator: "\n").count >= 16
            }
            #expect(complete)
            try await host.must(["bash", "-c", "kill -INT $(pidof swnet-capture)"])
            #expect(await capture.result.status == 0)
            let lines = try await host.must(read).split(separator: "\n").map(String.init)
            #expect(lines.count == 16, "\(lines)")
            #expect(!lines.contains { $0.contains("192.0.2.1 ") || $0.contains("192.0.3.") }, "\(lines)")
            let times = lines.compactMap { $0.split(separator: " ").first.flatMap { Double($0) } }
            #expect(times.count == 16 && times == times.sorted())
            let names = try await host.must(["strings", "-n", "4", "/run/lan.pcapng"])
            #expect(names.contains("mate/lan0") && names.contains("web on lan"), "\(names)")
        }
    }

    @Test func `it ends when the interface goes, whatever its name is`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.must(["ip", "netns", "add", "odd"])
            try await host.net("connect", "lab", "odd", "--ifname", "a=b")
            let capture = try await capture(host, "odd")
            try await host.net("disconnect", "lab", "odd")
            let result = await capture.result
            #expect(result.status == 0 && result.errors.contains("warning: a=b"), "\(result)")
        }
    }

    @Test func `one interface: the bridge, a port, or one inside, and no other`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let port = try await host.must(["bash", "-c", "ip -j link show master sw-lab | jq -r '.[0].ifname'"])
            for (words, target, line) in [
                (["lab", "-i", "sw-lab"], "10.44.0.2", "icmp"), (["lab", "-i", port], "10.44.0.2", "icmp"),
                (["web", "-i", "lo"], "127.0.0.1", "127.0.0.1"),
            ] {
                let capture = try host.start([NetworkHost.swnet, "capture", "-c", "1"] + words + ["icmp"])
                #expect(try await eventually { capture.errorsSoFar.contains("capturing on \(words[2])") })
                let place = target == "127.0.0.1" ? NetworkHost.Place.inside("web") : .inside("mate")
                if target == "127.0.0.1" { try await host.must(["ip", "link", "set", "lo", "up"], at: place) }
                try await host.shell("ping -c 3 -i 0.2 \(target)", at: place)
                let result = await capture.result
                #expect(result.status == 0 && result.standardOutput.contains(line), "\(result)")
            }
        }
    }

    @Test(arguments: [
        (["lab", "-i", "eth0"], "network lab has no interface eth0 (it has sw-lab, veth"),
        (["lab", "-i", "nope"], "network lab has no interface nope (it has sw-lab, veth"),
        (["web", "-i", "sw-lab"], "sandbox web has no interface sw-lab (it has lo, eth0)"),
        (["pairs", "-i", "eth0"], "network pairs has no interface eth0 (it has sw-"),
        (["empty"], "nobody is on network empty yet: its bridge sw-empty comes with the first sandbox"),
        (["empty", "-i", "eth0"], "nobody is on network empty yet"),
        (["theirs"], "bridge br9 of network theirs is gone"),
        (["gone"], "bridge sw-gone of network gone is gone (swnet repair)"),
    ])
    func `an interface of somebody else's`(words: [String], says: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            for (name, subnet) in [("empty", "10.45.0.0/24"), ("gone", "10.47.0.0/24")] {
                try await host.net("create", name, "--subnet", subnet)
                try await host.must(["ip", "link", "del", "sw-\(name)"])
            }
            // As after a start of the machine.
            try await host.must(["rm", "-r", "/run/swnet/networks/empty"])
            try await host.net("create", "pairs", "-d", "ptp", "--subnet", "10.46.0.0/24")
            try await host.net("connect", "pairs", "mate")
            try await host.must(["ip", "link", "add", "br9", "type", "bridge"])
            try await host.net("create", "theirs", "--opt", "bridge=br9", "--subnet", "10.49.0.0/24")
            try await host.must(["ip", "link", "del", "br9"])
            let capture = ["timeout", "20", NetworkHost.swnet, "capture", "-c", "1", "-w", "/run/x"]
            let result = try await host.run(capture + words)
            #expect(result.status == 1 && result.errors.contains(says), "\(result)")
            #expect(try await host.run(["test", "-e", "/run/x"]).status == 1)
        }
    }

    @Test(arguments: [
        (["web", "-w", "/run/x", "tcp portt 80"], "filter 'tcp portt 80'", 64),
        (["nosuch"], "neither a network nor a sandbox", 1),
        (["web", "-i", "nosuch0"], "nosuch0", 1), (["web", "-w", "/nosuch/x"], "/nosuch/x", 1),
        (["web", "-c", "0"], "no number of packets", 64), (["web", "-c", "many"], "not a number", 64),
        (["web", "-s", "0"], "262144 bytes", 64), ([], "needs a network or a sandbox", 64),
        (["nowhere"], "no sandbox is on it", 1), (["a/../b"], "begins with '/'", 1),
    ])
    func `bad input leaves nothing`(words: [String], names: String, status: Int32) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.net("create", "nowhere", "-d", "dummy", "--ipam", "none")
            let result = try await host.run([NetworkHost.swnet, "capture"] + words)
            #expect(result.status == status && result.errors.contains(names), "\(result)")
            #expect(try await host.run(["test", "-e", "/run/x"]).status == 1)
        }
    }
}
