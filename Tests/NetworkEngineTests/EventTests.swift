import Foundation
import TestSupport
import Testing

@Suite("events and watch: what happens, and what others do", .timeLimit(.minutes(10)))
struct EventTests {
    /// Waits until a program has printed a text.
    private func waits(_ command: Command, for text: String) async throws -> Bool {
        try await eventually { command.outputSoFar.contains(text) }
    }

    /// Starts `swnet events` and waits until it hears: a network that is made for the purpose is told.
    private func listen(_ host: NetworkHost) async throws -> Command {
        let events = try host.start([NetworkHost.swnet, "events", "--format", "json"])
        let hears = try await eventually {
            try await host.net("create", "probe", "-d", "dummy", "--ipam", "none")
            try await host.net("rm", "probe")
            return events.outputSoFar.contains("network-removed")
        }
        #expect(hears)
        return events
    }

    private func lines(_ text: String) throws -> [JSONValue] {
        try text.split(separator: "\n").map { try JSONValue(String($0)) }
    }

    @Test func `what swnet does is told in order, and a signal ends it with success`() async throws {
        try await NetworkHost.with { host in
            let events = try await listen(host)
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            #expect(try await waits(events, for: "\"network\":\"lab\""))
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web")
            #expect(try await waits(events, for: "\"connected\""))
            try await host.net("publish", "web", "8080:80")
            #expect(try await waits(events, for: "\"published\""))
            try await host.net("disconnect", "lab", "web")
            #expect(try await waits(events, for: "\"disconnected\""))
            try await host.net("rm", "lab")
            #expect(try await eventually { try lines(events.outputSoFar).last?["event"].text == "network-removed" })
            try await host.must(["bash", "-c", "kill -TERM $(pidof swnet)"])
            let result = await events.result
            #expect(result.status == 0, "\(result)")
            let told = try lines(result.standardOutput).filter { $0["network"].text != "probe" }
            #expect(
                told.compactMap { $0["event"].text } == [
                    "network-created", "connected", "published", "unpublished", "disconnected", "network-removed",
                ], "\(told)")
            #expect(told.allSatisfy { $0["time"].text?.hasSuffix("Z") == true })
            #expect(told[1]["sandbox"].text == "web" && told[1]["addresses"].items.first?.text == "10.44.0.2/24")
            #expect(told[2]["port"].text == "8080:80/tcp")
        }
    }

    /// From one look to the next a network, or a place on one, may be another of the same name.
    @Test func `what is made anew between two looks is told`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web")
            let events = try await listen(host)
            let told = { try lines(events.outputSoFar).filter { $0["network"].text != "probe" } }
            // By its words: others of its name, that nobody waits for, may have ended already.
            let stop = { (signal: String, state: String) in
                let line = """
                    p=$(pgrep -xf '[^ ]*/swnet events --format json'); kill -\(signal) $p
                    until grep -q '^State:.\(state)' /proc/$p/status; do :; done
                    """
                let stopped = try await host.shell(line)
                #expect(stopped.status == 0, "\(stopped)")
            }
            try await stop("STOP", "T")
            try await host.net("disconnect", "lab", "web")
            try await host.net("connect", "lab", "web")
            try await stop("CONT", "[SR]")
            #expect(try await eventually { try told().count == 2 })
            #expect(try told().compactMap { $0["event"].text } == ["disconnected", "connected"])
            #expect(try told().compactMap { $0["addresses"].items.first?.text } == ["10.44.0.2/24", "10.44.0.3/24"])
            try await stop("STOP", "T")
            try await host.net("disconnect", "lab", "web")
            try await host.net("rm", "lab")
            try await host.net("create", "lab", "--subnet", "10.45.0.0/24")
            try await host.net("connect", "lab", "web")
            try await stop("CONT", "[SR]")
            #expect(try await eventually { try told().count == 6 })
            let kinds = try told().dropFirst(2).compactMap { $0["event"].text }
            #expect(kinds == ["disconnected", "network-removed", "network-created", "connected"])
        }
    }

    @Test func `what others do is told, with who did it`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web")
            let events = try await listen(host)
            try await host.must(["nft", "flush", "ruleset"])
            #expect(try await waits(events, for: "\"damaged\""))
            let told = try lines(events.outputSoFar)
            let culprit = try #require(told.first { $0["event"].text == "interfered" }, "\(told)")
            #expect(culprit["command"].text == "nft" && (culprit["pid"].integer ?? 0) > 0, "\(culprit)")
            #expect(culprit["problem"].text == "was deleted", "\(culprit)")
            try await host.net("repair")
            #expect(try await waits(events, for: "\"repaired\""))
            for (line, words) in [
                ("ip link del sw-lab", "sw-lab is missing"), ("ip -n web route del default", "default route"),
                ("ip addr del 10.44.0.1/24 dev sw-lab", "lacks the address 10.44.0.1/24"),
            ] {
                try await host.must(["bash", "-c", line])
                #expect(try await waits(events, for: words), "\(words): \(events.outputSoFar)")
                try await host.net("repair")
            }
            // Nobody keeps a dead sandbox's namespace: its link goes with it.
            try await host.must(["ip", "netns", "del", "web"])
            let isGone = try await eventually {
                try await !host.must(["ip", "-o", "link", "show", "type", "veth"]).contains("sw-lab")
            }
            #expect(isGone)
            await events.stop()
        }
    }

    @Test func `warnings are no events, and a check that fails is not the end`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            for name in ["web", "db"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lab", "web")
            let line = "exec \(NetworkHost.swnet) events --format json 2> /run/errors"
            let events = try host.start(["bash", "-c", line])
            let hears = try await eventually {
                try await host.net("create", "probe", "-d", "dummy", "--ipam", "none")
                try await host.net("rm", "probe")
                return events.outputSoFar.contains("network-removed")
            }
            #expect(hears)
            // Somebody is stopped while it has the lock.
            let holder = try host.start(["flock", "/run/swnet/lock", "sleep", "1000"])
            let isLocked = try await eventually {
                try await host.run(["flock", "-n", "/run/swnet/lock", "true"]).status != 0
            }
            #expect(isLocked)
            try await host.must(["ip", "link", "set", "sw-lab", "down"])
            let warned = try await eventually { try await host.must(["cat", "/run/errors"]).contains("waiting for") }
            #expect(warned)
            await holder.stop()
            #expect(try await waits(events, for: "sw-lab is down"))
            // Nothing says which boot the records are of.
            let boot = try await host.must(["readlink", "/run/swnet/boot"])
            try await host.must(["bash", "-ec", "touch /run/boot; mv -T /run/boot /run/swnet/boot"])
            try await host.must(["ip", "link", "set", "sw-lab", "mtu", "1400"])
            let failed = try await eventually(seconds: 60) {
                try await host.must(["cat", "/run/errors"]).contains("swnet: warning: check: ")
            }
            #expect(failed)
            try await host.must(["ln", "-sfn", boot, "/run/swnet/boot"])
            try await host.net("connect", "lab", "db")
            #expect(try await waits(events, for: "\"sandbox\":\"db\""))
            #expect(try lines(events.outputSoFar).allSatisfy { $0["event"].text != nil })
            let errors = try await host.must(["cat", "/run/errors"]).split(separator: "\n")
            #expect(errors.count == 2 && errors.allSatisfy { $0.hasPrefix("swnet: warning: ") }, "\(errors)")
            await events.stop()
        }
    }

    @Test func `a reader that goes away ends it with success`() async throws {
        try await NetworkHost.with { host in
            let line = "set -o pipefail; \(NetworkHost.swnet) events | head -n 1; echo ${PIPESTATUS[0]}"
            let pipe = try host.start(["bash", "-c", line])
            let hasEnded = try await eventually {
                try await host.net("create", "probe", "-d", "dummy", "--ipam", "none")
                try await host.net("rm", "probe")
                return pipe.outputSoFar.split(separator: "\n").count == 2
            }
            #expect(hasEnded && pipe.outputSoFar.hasSuffix("\n0\n"), "\(pipe.outputSoFar)")
        }
    }

    @Test func `a watch repairs what is damaged, whoever it was`() async throws {
        try await NetworkHost.with { host in
            try await host.net(
                "create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64", "--antispoof")
            _ = try await host.serve("web", on: "lab")
            try await host.net("publish", "web", "8080:80", "[::1]:7070:80")
            try await host.net("limit", "lab", "web", "--ingress", "100mbit")
            // What was damaged before it was started is its business too.
            try await host.must(["nft", "flush", "ruleset"])
            // Nothing is found because it was time to look.
            let watch = try host.start([NetworkHost.swnet, "watch", "--every", "86400"], timeout: 600)
            #expect(try await waits(watch, for: "watching"))
            #expect(watch.outputSoFar.contains("repaired firewall"))
            let port = "$(ip -j link show master sw-lab | jq -r .[0].ifname)"
            let damages = [
                ("nft flush ruleset", "interfered: table inet swnet: was deleted by nft"),
                ("ip addr del 10.44.0.1/24 dev sw-lab", "lacks the address 10.44.0.1/24"),
                ("ip -n web route del default", "default route via 10.44.0.1"),
                ("ip link del sw-lab", "sw-lab is missing"),
                ("nft delete table bridge swnet", "interfered: table bridge swnet: was deleted by nft"),
                ("sysctl -qw net.ipv4.ip_forward=0", "forwarding of IPv4 is off"),
                ("sysctl -qw net.ipv6.conf.all.forwarding=0", "forwarding of IPv6 is off"),
                ("sysctl -qw net.ipv4.conf.sw-lab.forwarding=0", "sw-lab/forwarding is 0"),
                ("tc qdisc del dev \(port) root", "limit"),
                ("tc filter del dev sw-lab egress", "sw-lab would be open"),
                ("tc qdisc del dev sw-lab clsact", "sw-lab would be open"),
                ("kill -9 $(pidof swnet-relay || pgrep -x swnet-relay)", "relay"),
            ]
            for (line, words) in damages {
                try await host.must(["bash", "-c", line])
                #expect(try await waits(watch, for: words), "\(words): \(watch.outputSoFar)")
                let isRight = try await eventually { try await host.run([NetworkHost.swnet, "check"]).status == 0 }
                #expect(isRight, "\(line)")
            }
            #expect(try await host.answer("TCP:127.0.0.1:8080")?.hasSuffix("web") == true)
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            #expect(try await host.answer("TCP:[::1]:7070")?.hasSuffix("web") == true)
            try await host.must(["bash", "-c", "kill -INT $(pidof swnet)"])
            #expect(await watch.result.status == 0)
        }
    }

    @Test func `a watch hears of what others do to their own`() async throws {
        try await NetworkHost.with { host in
            try await host.shell(
                """
                nft add table inet theirs
                nft add chain inet theirs f '{ type filter hook forward priority 10; policy drop; }'
                """)
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            _ = try await host.serve("web", on: "lab")
            try await host.net("publish", "web", "8080:80")
            try await host.net("repair", "--foreign")
            let watch = try host.start([NetworkHost.swnet, "watch", "--every", "86400"], timeout: 600)
            #expect(try await waits(watch, for: "watching"))
            // A reload of that firewall takes our rules out of its chain.
            try await host.must(["nft", "flush chain inet theirs f"])
            #expect(try await waits(watch, for: "repaired chain inet theirs f"), "\(watch.outputSoFar)")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            for (line, undo) in [
                ("ip route add 10.44.0.2/32 dev eth0", "ip route del 10.44.0.2/32 dev eth0"),
                ("ip rule add to 10.44.0.0/24 blackhole", "ip rule del to 10.44.0.0/24 blackhole"),
            ] {
                let before = watch.outputSoFar.components(separatedBy: "left as it is: network lab").count
                try await host.must(["bash", "-c", line])
                let isTold = try await eventually {
                    watch.outputSoFar.components(separatedBy: "left as it is: network lab").count > before
                }
                #expect(isTold, "\(line): \(watch.outputSoFar)")
                try await host.must(["bash", "-c", undo])
                #expect(try await host.net("check") == "")
                // It looks again, so that the next is news.
                try await Task.sleep(for: .seconds(1))
            }
            await watch.stop()
        }
    }

    @Test func `where nothing happens, nobody wakes up`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            let watch = try host.start([NetworkHost.swnet, "watch"])
            #expect(try await waits(watch, for: "watching"))
            let events = try await listen(host)
            // What others read is no change; and neither is what either of the two looks at.
            let count = "sleep 2; cat /proc/$(pidof -s swnet)/status | awk '/^voluntary/ {print $2}'"
            func wakings() async throws -> Int { Int(try await host.must(["bash", "-c", count])) ?? 0 }
            _ = try await wakings()
            let before = try await wakings()
            try await host.net("check")
            try await host.net("inspect", "lab")
            let after = try await wakings()
            #expect(after - before < 10, "\(before) \(after)")
            await watch.stop()
            await events.stop()
        }
    }

    /// Many damages are no fight: each is one.
    @Test func `a watch goes on at once as long as it is not the same again`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web")
            let watch = try host.start([NetworkHost.swnet, "watch"], timeout: 600)
            #expect(try await waits(watch, for: "watching"))
            for (line, words) in [
                ("ip link set sw-lab down", "sw-lab is down"), ("ip link set sw-lab mtu 1300", "has mtu 1300"),
                ("ip address del 10.44.0.1/24 dev sw-lab", "lacks the address"),
                ("ip route del 10.44.0.0/24 dev sw-lab", "the route to 10.44.0.0/24"),
                ("ip link set sw-lab address 02:00:00:00:00:01", "02:00:00:00:00:01"),
                ("ip link set sw-lab address 02:00:00:00:00:02", "02:00:00:00:00:02"),
                ("ip link set sw-lab address 02:00:00:00:00:03", "02:00:00:00:00:03"),
                ("ip link set sw-lab type bridge stp_state 1", "spanning tree"),
            ] {
                let made = try await host.shell(line)
                #expect(made.status == 0, "\(made)")
                #expect(try await waits(watch, for: words), "\(line): \(watch.outputSoFar)")
                #expect(try await eventually { try await host.run([NetworkHost.swnet, "check"]).status == 0 })
            }
            #expect(!watch.outputSoFar.contains("again and again"), "\(watch.outputSoFar)")
            await watch.stop()
        }
    }

    @Test func `a watch does not fight for ever`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            let watch = try host.start([NetworkHost.swnet, "watch"], timeout: 600)
            #expect(try await waits(watch, for: "watching"))
            let enemy = try host.start([
                "bash", "-c", "while sleep 0.05; do nft delete table inet swnet 2>/dev/null; done",
            ])
            #expect(try await waits(watch, for: "again and again: waiting 2 s"), "\(watch.outputSoFar)")
            await enemy.stop()
            // And it comes back when the other has given up.
            #expect(try await eventually { try await host.run([NetworkHost.swnet, "check"]).status == 0 })
            await watch.stop()
        }
    }

    @Test(arguments: [
        (["events", "x"], "no argument"), (["events", "--format", "xml"], "unknown format"),
        (["watch", "--every", "0"], "1 to 86400"),
        (["watch", "--every", "soon"], "not a number"), (["watch", "x"], "no argument"),
    ])
    func `bad input`(words: [String], names: String) async throws {
        try await NetworkHost.with { host in
            let result = try await host.run([NetworkHost.swnet] + words)
            #expect(result.status != 0 && result.errors.contains(names), "\(result)")
        }
    }
}
