import Foundation
import TestSupport
import Testing

/// Each gives one clear line on standard error, the right exit code, and leaves nothing behind.
@Suite("bad input")
struct BadInputTests {
    @Test func `run refuses with 125 what it cannot start`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let refused = { (names: String, words: [String]) in
                let result = try await host.run([Products.path("swbox"), "run", "--rm"] + words)
                expectRefusal(result, status: 125, names: names)
            }
            try await refused("nosuchimage", ["nosuchimage", "true"])
            try await refused("nosuchnet", ["--net", "nosuchnet", "tools", "true"])
            try await refused("nosuchbox", ["--net", "container:nosuchbox", "tools", "true"])
            try await refused("--nosuchflag", ["--nosuchflag", "tools", "true"])
            try await refused("bad name", ["--name", "bad name", "tools", "true"])
            try await refused("lots", ["-m", "lots", "tools", "true"])
            try await refused("many", ["--cpus", "many", "tools", "true"])
            try await refused("NO_SUCH_CAP", ["--cap-add", "NO_SUCH_CAP", "tools", "true"])
            try await refused("nobodyhere", ["-u", "nobodyhere", "tools", "true"])
            try await refused("relative", ["-v", "/tmp:relative", "tools", "true"])
            try await refused("relative", ["-w", "relative", "tools", "true"])
            // As docker has it: flags that are wrong are 125, arguments that are missing are 1.
            expectRefusal(try await host.swbox("run"), status: 1, names: "image")
            expectRefusal(try await host.swbox("nosuchcommand"), status: 1, names: "nosuchcommand")
            expectRefusal(try await host.swbox("stop", "-t", "x", "y"), status: 125, names: "x")
        }
    }

    @Test(arguments: [
        "nonsense", "80:", "0:80", "65536:80", "80:65536", "80:80/icmp", "1.2.3:80:80", "1.2.3.4.5:80:80",
        "80-70:80-70",
        "80-82:80-81", "-1:80", "80:80:80:80", "[::1:80:80", "8a:80", "[zz::1]:80:80",
    ])
    func `malformed ports`(port: String) async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let result = try await host.swbox("run", "--rm", "-p", port, "tools", "true")
            expectRefusal(result, status: 125, names: port)
            try await host.must(["ip", "netns", "add", "web"])
            let published = try await host.swnet("publish", "web", port)
            #expect(published.status != 0, "\(published)")
            try await host.must(["ip", "netns", "del", "web"])
        }
    }

    @Test func `a name and a port that are taken`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach(
                "--name", "first", "-p", "8080:80", "-p", "127.0.0.1:9090:80", "tools", "sleep", "1000")
            let run = { (words: [String]) in
                try await host.run([Products.path("swbox"), "run", "--rm"] + words + ["tools", "true"])
            }
            expectRefusal(try await run(["--name", "first"]), status: 125, names: "first")
            let same = try await run(["-p", "8080:80"])
            expectRefusal(same, status: 125, names: "8080", "first")
            // One address against all addresses, in both orders.
            expectRefusal(try await run(["-p", "127.0.0.1:8080:80"]), status: 125, names: "8080")
            expectRefusal(try await run(["-p", "9090:80"]), status: 125, names: "9090")
            // In the middle of a range; nothing of the range stays.
            expectRefusal(try await run(["-p", "8070-8090:70-90"]), status: 125, names: "8080")
            #expect(try await run(["-p", "8070-8079:70-79"]).status == 0)
            // The other protocol is another port.
            #expect(try await run(["-p", "8080:80/udp"]).status == 0)
            // Twice in one command.
            expectRefusal(try await run(["-p", "81:81", "-p", "81:82"]), status: 125, names: "81")
            try await host.remove("first")
        }
    }

    @Test func `a port that a process of the host has`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let tcp = try host.serve("TCP4-LISTEN:7777,fork,reuseaddr", name: "host")
            let udp = try host.serve("UDP4-RECVFROM:7778,fork", name: "host")
            let local = try host.serve("TCP4-LISTEN:7779,bind=127.0.0.1,fork,reuseaddr", name: "host")
            for target in ["TCP:127.0.0.1:7777", "UDP:127.0.0.1:7778", "TCP:127.0.0.1:7779"] {
                #expect(try await host.answer(target) == "127.0.0.1 host")
            }
            for port in ["7777:80", "127.0.0.1:7777:80", "7778:80/udp", "7779:80", "7700-7800:700-800"] {
                let result = try await host.swbox("run", "--rm", "-p", port, "tools", "true")
                expectRefusal(
                    result, status: 125,
                    names: port.hasPrefix("7700")
                        ? "777" : String(port.split(separator: ":").first { $0.hasPrefix("777") } ?? ""))
            }
            // On another address than the process's it is free.
            let other = try await host.swbox("run", "--rm", "-p", "192.0.2.1:7779:80", "tools", "true")
            #expect(other.status == 0, "\(other)")
            for server in [tcp, udp, local] { await server.stop() }
        }
    }

    @Test func `networks: malformed, overlapping, taken`() async throws {
        try await TestHost.with { host in
            let refused = { (names: String, words: [String]) in
                expectRefusal(try await host.run([Products.path("swnet")] + words), status: nil, names: names)
            }
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await refused("lab", ["create", "lab"])
            for subnet in [
                "10.44.0.0/33", "10.44.0/24", "10.44.0.0", "nonsense", "10.45.0.0/-1", "fd00::/129", "300.1.1.0/24",
            ] {
                try await refused(subnet, ["create", "bad", "--subnet", subnet])
            }
            // Overlaps: with a network of ours in both directions, and with a route of the host.
            try await refused("lab", ["create", "bad", "--subnet", "10.44.0.128/25"])
            try await refused("lab", ["create", "bad", "--subnet", "10.0.0.0/8"])
            try await refused("192.0.2.0/24", ["create", "bad", "--subnet", "192.0.2.0/25"])
            try await refused("2001:db8::/64", ["create", "bad", "--subnet", "2001:db8::/64"])
            try await refused("10.1.0.1", ["create", "bad", "--subnet", "10.45.0.0/24", "--gateway", "10.1.0.1"])
            try await refused("gate", ["create", "bad", "--subnet", "10.45.0.0/24", "--gateway", "gate"])
            try await refused(
                "10.45.0.0/24", ["create", "bad", "--subnet", "10.45.0.0/24", "--subnet", "10.45.0.128/25"])
            for mtu in ["0", "67", "x", "70000", "-1"] { try await refused(mtu, ["create", "bad", "--mtu", mtu]) }
            for name in ["bad/name", "", "host", "none", "-x", "bad name"] {
                try await refused(name, ["create", "--", name])
            }
            try await refused("nosuchnet", ["inspect", "nosuchnet"])
            try await refused("nosuchnet", ["rm", "nosuchnet"])
            try await refused("nosuchcommand", ["nosuchcommand"])
            try await refused("yaml", ["ls", "--format", "yaml"])
            let links = try await host.json(["ip", "-j", "link"]).items.compactMap { $0["ifname"].text }
            #expect(links.allSatisfy { ["lo", "eth0", "sw-lab"].contains($0) }, "\(links)")
        }
    }

    @Test func `endpoints: addresses, MACs, interface names`() async throws {
        try await TestHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            try await host.must(["ip", "netns", "add", "two"])
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            let refused = { (names: String, words: [String]) in
                expectRefusal(
                    try await host.run([Products.path("swnet"), "connect"] + words), status: nil, names: names)
            }
            try await refused("nosuchnet", ["nosuchnet", "web"])
            try await refused("nosuchbox", ["lab", "nosuchbox"])
            try await refused("4194305", ["lab", "pid:4194305"])
            try await refused("/etc/passwd", ["lab", "/etc/passwd"])
            try await refused("/proc/self/ns/mnt", ["lab", "/proc/self/ns/mnt"])
            try await host.must(["mkfifo", "/run/pipe"])
            try await refused("/run/pipe", ["lab", "/run/pipe"])
            try await host.must(["rm", "/run/pipe"])
            try await refused("10.45.0.9", ["lab", "web", "--ip", "10.45.0.9"])
            try await refused("10.44.0.0", ["lab", "web", "--ip", "10.44.0.0"])
            try await refused("10.44.0.255", ["lab", "web", "--ip", "10.44.0.255"])
            try await refused("10.44.0.1", ["lab", "web", "--ip", "10.44.0.1"])
            try await refused("10.44.0", ["lab", "web", "--ip", "10.44.0"])
            try await refused("fd00:45::9", ["lab", "web", "--ip6", "fd00:45::9"])
            for mac in ["02:11:22:33:44", "02:11:22:33:44:zz", "01:00:5e:00:00:01", "00:00:00:00:00:00"] {
                try await refused(mac, ["lab", "web", "--mac", mac])
            }
            for name in ["sixteencharacter", "a/b", "a b", "", ".", ".."] {
                try await refused(name, ["lab", "web", "--ifname=\(name)"])
            }
            try await host.net("connect", "lab", "web", "--ip", "10.44.0.9")
            try await refused("10.44.0.9", ["lab", "two", "--ip", "10.44.0.9"])
            try await refused("lab", ["lab", "web"])
            try await host.net("create", "other")
            try await refused("eth0", ["other", "web", "--ifname", "eth0"])
            let links = try await host.json(["ip", "-n", "two", "-j", "link"]).items
            #expect(links.count == 1)
            expectRefusal(try await host.swnet("disconnect", "lab", "two"), status: nil, names: "two")
            expectRefusal(try await host.swnet("unpublish", "web", "80:80"), status: nil, names: "80")
            // A network that is in use stays.
            expectRefusal(try await host.swnet("rm", "lab"), status: nil, names: "lab", "web")
            try await host.net("disconnect", "lab", "web")
            try await host.must(["ip", "netns", "del", "web"])
            try await host.must(["ip", "netns", "del", "two"])
        }
    }

    @Test func `the other commands name what they do not know`() async throws {
        try await TestHost.with { host in
            for command in ["logs", "stop", "kill", "rm", "inspect"] {
                expectRefusal(try await host.swbox(command, "nosuchbox"), status: 1, names: "nosuchbox")
            }
            expectRefusal(try await host.swbox("exec", "nosuchbox", "true"), status: 1, names: "nosuchbox")
            expectRefusal(try await host.swbox("rmi", "nosuchimage"), status: 1, names: "nosuchimage")
            let unknown = try await host.swbox("nosuchcommand")
            #expect(unknown.status != 0 && unknown.errors.contains("nosuchcommand"), "\(unknown)")
            try await host.importTools()
            try await host.detach("--name", "done", "tools", "true")
            _ = try await eventually { try await host.box("ps", "-a").contains("Exited (0)") }
            expectRefusal(try await host.swbox("exec", "done", "true"), status: 1, names: "done")
            expectRefusal(try await host.swbox("kill", "done"), status: 1, names: "done")
            try await host.detach("--name", "alive", "tools", "sleep", "1000")
            // Of several the others are shown.
            let two = try await host.swbox("inspect", "alive", "nosuchbox")
            expectRefusal(two, status: 1, names: "nosuchbox")
            #expect(try JSONValue(two.standardOutput)[0]["Name"].text == "/alive")
            expectRefusal(try await host.swbox("kill", "-s", "NOSUCHSIGNAL", "alive"), status: 1, names: "NOSUCHSIGNAL")
            try await host.remove("done", "alive")
        }
    }

    @Test func `without root it says so`() async throws {
        try await TestHost.with { host in
            for words in [
                ["swbox", "run", "--rm", "tools", "true"], ["swbox", "ps"], ["swnet", "create", "x"], ["swnet", "ls"],
            ] {
                let program = Products.path(words[0])
                let result = try await host.run(
                    ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", program] + words.dropFirst())
                // A build folder that nobody else may enter says nothing about the program.
                if result.status == 126 || result.errors.hasPrefix("setpriv") { continue }
                #expect(result.status != 0, "\(result)")
                #expect(result.errors.components(separatedBy: "\n").count == 1, "\(result)")
                #expect(result.errors.contains("root") || result.errors.contains("ermission"), "\(result)")
            }
        }
    }

    @Test func `a command that cannot run leaves no container, even without --rm`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            // The first container on the network is told that the host forwards now; that is not about this command.
            try await host.box("run", "--rm", "tools", "true")
            let result = try await host.swbox("run", "-d", "-p", "8080:80", "--name", "a", "tools", "no-such-command")
            expectRefusal(result, status: 127, names: "no-such-command")
            #expect(try await host.elements("published4") == 0)
            // docker keeps the container as created; its port and its name's owner can be removed.
            try await host.swbox("rm", "-f", "a")
        }
    }
}
