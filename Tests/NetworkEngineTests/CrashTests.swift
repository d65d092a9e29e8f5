import Foundation
import TestSupport
import Testing

/// Processes that die, that all come at once, and others that clear away what is ours.
@Suite("crashes and crowds")
struct CrashTests {
    /// Starts a command and kills it after some time. It may have ended by then.
    private func runAndKill(_ host: NetworkHost, _ words: [String], after milliseconds: Double) async throws {
        let line = "\"$@\" >/dev/null 2>&1 & p=$!; sleep $0; kill -9 $p 2>/dev/null; wait $p 2>/dev/null; true"
        let result = try await host.run(
            ["bash", "-c", line, "\(milliseconds / 1000)", NetworkHost.swnet] + words)
        #expect(result.status == 0, "\(result)")
    }

    @Test func `killed at any moment, the next command is as if it had never been`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            for round in 0..<20 {
                let moment = Double.random(in: 0...30)
                let note = Comment(rawValue: "round \(round), killed after \(moment) ms")
                try await runAndKill(host, ["create", "lab", "--subnet", "10.44.0.0/24"], after: moment)
                try await host.swnet("create", "lab", "--subnet", "10.44.0.0/24")
                let bridge = try await host.json(["ip", "-j", "address", "show", "dev", "sw-lab"])[0]
                #expect(bridge["addr_info"][0]["local"].text == "10.44.0.1", note)
                try await runAndKill(host, ["connect", "lab", "web", "-p", "8000-8200:8000-8200"], after: moment)
                try await host.swnet("connect", "lab", "web", "-p", "8000-8200:8000-8200")
                let link = try await host.json(["ip", "-j", "address", "show", "dev", "eth0"], at: .inside("web"))[0]
                #expect(link["operstate"].text == "UP", note)
                let routes = try await host.json(["ip", "-j", "route"], at: .inside("web")).items
                #expect(routes.count == 2, note)
                #expect(try await host.elements("published4").count == 201, note)
                let links = try await host.json(["ip", "-j", "link", "show", "master", "sw-lab"]).items
                #expect(links.count == 1, note)
                try await runAndKill(host, ["unpublish", "web", "8000-8200:8000-8200"], after: moment)
                try await host.swnet("unpublish", "web", "8000-8200:8000-8200")
                #expect(try await host.elements("published4").isEmpty, note)
                try await runAndKill(host, ["disconnect", "lab", "web"], after: moment)
                try await host.swnet("disconnect", "lab", "web")
                #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1, note)
                try await runAndKill(host, ["rm", "lab"], after: moment)
                try await host.swnet("rm", "lab")
                try await host.swnet("ls")
                #expect(try await host.nothingLeft() == [], note)
            }
        }
    }

    @Test func `twenty at once get twenty addresses`() async throws {
        try await NetworkHost.with { host in
            let line = """
                for i in $(seq 20); do ip netns add s$i; done
                for i in $(seq 20); do "$0" connect bridge s$i -p $((9000 + i)):80 2>>/run/errors & done
                wait; grep -v forwarding /run/errors
                """
            let result = try await host.run(["bash", "-c", line, NetworkHost.swnet])
            #expect(result.output.isEmpty, "\(result)")
            var addresses: Set<String> = []
            var macs: Set<String> = []
            for number in 1...20 {
                let link = try await host.json(
                    ["ip", "-j", "address", "show", "dev", "eth0"], at: .inside("s\(number)"))[0]
                macs.insert(link["address"].text ?? "")
                for info in link["addr_info"].items where info["scope"].text == "global" {
                    #expect(addresses.insert(info["local"].text ?? "").inserted, "\(link)")
                }
            }
            #expect(addresses.count == 40 && macs.count == 20)
            #expect(try await host.elements("published4").count == 20)
            let gone = """
                for i in $(seq 20); do "$0" disconnect bridge s$i & done; wait; "$0" rm bridge
                """
            #expect(try await host.run(["bash", "-c", gone, NetworkHost.swnet]).errors.isEmpty)
            #expect(try await host.nothingLeft() == [])
        }
    }

    @Test func `a step that fails takes back those before it`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            let before = try await host.leftovers()
            // The last thing inside is the default route, and there is one.
            try await host.shell("ip link set lo up; ip route add default dev lo", at: .inside("web"))
            let failed = try await host.swnet("connect", "lab", "web", "-p", "8080:80")
            #expect(failed.status == 1 && failed.errors.contains("connect web to lab: add route default"), "\(failed)")
            let settled = try await eventually { try await host.leftovers() == before }
            let after = try await host.leftovers()
            #expect(settled, "\(after)")
            #expect(try await host.elements("published4").isEmpty)
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
            // Of a whole network too: here the name of the bridge is somebody else's.
            try await host.must(["ip", "link", "add", "sw-two", "type", "bridge"])
            let taken = try await host.swnet("create", "two")
            #expect(taken.status == 1 && taken.errors.contains("sw-two"), "\(taken)")
            #expect(try await !host.net("ls").contains("two"))
            #expect(try await host.must(["ip", "-o", "link", "show", "dev", "sw-two"]).contains("sw-two"))
        }
    }

    /// The kernel may have no memory for the route to a subnet at the moment when a link comes up, and tells nobody. Here
    /// a program inside takes it away in that moment, once for each connect.
    @Test func `a router is reached although the route to its subnet was lost`() async throws {
        // RTM_DELROUTE of fd00:44::/64 until the kernel has done it (struct rtmsg, rtnetlink(7)).
        let thief = """
            import socket, struct
            peer = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); peer.bind((0, 0))
            body = struct.pack("=BBBBBBBBI", socket.AF_INET6, 64, 0, 0, 254, 0, 0, 0, 0)
            body += struct.pack("=HH16s", 20, 1, socket.inet_pton(socket.AF_INET6, "fd00:44::"))
            request = struct.pack("=IHHII", 16 + len(body), 25, 5, 1, 0) + body
            print("ready", flush=True)
            while True:
                peer.send(request)
                if struct.unpack_from("=i", peer.recv(4096), 16)[0] == 0: break
            """
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            try await host.must(["ip", "netns", "add", "web"])
            for round in 0..<20 {
                let note: Comment = "round \(round)"
                let process = try host.start(["python3", "-c", thief], at: .inside("web"))
                try await process.waitForOutput("ready")
                let connected = try await host.swnet("connect", "lab", "web")
                #expect(connected.status == 0, "\(note): \(connected)")
                #expect(await process.result.status == 0, note)
                let routes = try await host.must(["ip", "-n", "web", "-6", "route"])
                #expect(routes.contains("default via fd00:44::1"), "\(note): \(routes)")
                // Taken away after all was set up, it is told, and put back.
                if !routes.contains("fd00:44::/64") {
                    #expect(try await host.swnet("check").output.contains("the route to fd00:44::/64 is missing"), note)
                    try await host.net("repair")
                }
                #expect(try await host.net("check") == "", note)
                #expect(
                    try await host.run(["ping", "-c1", "-w30", "fd00:44::1"], at: .inside("web")).status == 0, note)
                try await host.net("disconnect", "lab", "web")
            }
        }
    }

    @Test func `a flushed ruleset is put back by the next command`() async throws {
        try await NetworkHost.with { host in
            _ = try await host.serve("web", on: "bridge")
            try await host.net("publish", "web", "8080:80")
            try await host.must(["nft", "flush", "ruleset"])
            try await host.must(["ip", "netns", "add", "two"])
            try await host.net("connect", "bridge", "two")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            let (v4, _) = try await host.addresses(of: "web")
            #expect(try await host.ask("TCP:\(v4):80", at: .neighbour) == nil)
            #expect(try await host.elements("guarded").count == 2)
            // An element that somebody took out is no reason to keep the rest.
            try await host.must(["nft", "flush", "map", "inet", "swnet", "published4"])
            try await host.net("disconnect", "bridge", "web")
            #expect(try await host.elements("published6").isEmpty)
        }
    }

    @Test func `after a reboot networks come back, and nothing else`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web", "--ip", "10.44.0.9", "-p", "8080:80")
            // What a boot takes away. The state directory need not be in memory: another boot id is enough.
            try await host.shell(
                """
                nft delete table inet swnet; ip link del sw-lab; ip netns del web
                ln -sfn another-boot /run/swnet/boot; ip netns add web
                """)
            try await host.net("connect", "lab", "web", "--ip", "10.44.0.9", "-p", "8080:80")
            #expect(try await host.elements("published4").count == 1)
            #expect(try await host.must(["ip", "-br", "address", "show", "dev", "sw-lab"]).contains("10.44.0.1/24"))
        }
    }

    @Test func `a process that is gone gives back what it had`() async throws {
        try await NetworkHost.with { host in
            let sleeper = try host.start(["unshare", "--net", "bash", "-c", "echo $$; exec sleep 1000"])
            try await sleeper.waitForOutput("\n")
            let number = sleeper.outputSoFar.trimmingCharacters(in: .whitespacesAndNewlines)
            try await host.net("connect", "bridge", "pid:\(number)", "-p", "8080:80")
            #expect(try await host.net("ports").contains("pid:\(number)"))
            await sleeper.stop()
            #expect(try await !host.net("ports").contains("8080"))
            #expect(try await host.net("gc") == "pid:\(number)")
            try await host.net("rm", "bridge")
            #expect(try await host.nothingLeft() == [])
        }
    }
}
