import Foundation
import TestSupport
import Testing

/// Relays whose records are lost: whoever looks finds them all the same, and nobody who only looks like one.
@Suite("lost records of relays")
struct RelayRecordTests {
    /// Holds a connection through a relay, and says what it gets.
    private static let client = """
        import socket, sys
        peer = socket.create_connection(("::1", 8081)); print("there", flush=True)
        for line in sys.stdin: peer.sendall(line.encode()); print(peer.recv(100).decode(), end="", flush=True)
        """

    private func prepare(_ host: NetworkHost) async throws {
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
        _ = try await host.serve("web", on: "lab")
        try await host.net("publish", "web", "[::1]:8080:80", "[::1]:8090-8092:80-82/udp", "[::1]:8081:81")
    }

    private func process(_ host: NetworkHost, _ name: String) async throws -> String {
        String(try await host.must(["readlink", "/run/swnet/relays/\(name)"]).prefix { $0 != "-" })
    }

    @Test(arguments: [
        ("rm tcp-8080", ["port [::1]:8080:80/tcp of web: its relay is not recorded (process "]),
        ("ln -sfn 1-1 tcp-8080", ["port [::1]:8080:80/tcp of web: its relay is not recorded (process "]),
        ("rm tcp-8080; mkfifo tcp-8080", ["port [::1]:8080:80/tcp of web: its relay is not recorded (process "]),
        (
            "rm tcp-8080; mkdir -p tcp-8080/x; touch tcp-8080/x/y",
            ["port [::1]:8080:80/tcp of web: its relay is not recorded (process "]
        ),
        ("rm udp-8090-8092", ["port [::1]:8090-8092:80-82/udp of web: its relay is not recorded (process "]),
        // Each leads to the other's process, which runs.
        (
            "a=$(readlink tcp-8080); ln -sfn $(readlink udp-8090-8092) tcp-8080; ln -sfn $a udp-8090-8092",
            [
                "port [::1]:8080:80/tcp of web: its relay is not recorded (process ",
                "port [::1]:8090-8092:80-82/udp of web: its relay is not recorded (process ",
            ]
        ),
        // Under a name that nobody publishes.
        (
            "mv tcp-8080 tcp-99",
            ["port [::1]:8080:80/tcp of web: its relay is not recorded (process ", "relay tcp-99: nobody publishes"]
        ),
    ])
    func `is found by its socket, and what is right goes on`(line: String, words: [String]) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let echo = try host.start(["socat", "TCP6-LISTEN:81,ipv6only=0", "EXEC:cat"], at: .inside("web"))
            let listens = try await eventually {
                try await !host.run(["ss", "-Hltn", "sport = :81"], at: .inside("web")).output.isEmpty
            }
            #expect(listens)
            // What goes through the relay that is right goes on through it.
            let script =
                "(sleep 1; while [ ! -e /run/go ]; do sleep 0.1; done; echo still) | python3 -c '\(Self.client)'"
            let client = try host.start(["bash", "-c", script])
            try await client.waitForOutput("there")
            let right = try await process(host, "tcp-8081")
            try await host.must(["bash", "-ec", "cd /run/swnet/relays; \(line)"])
            let found = try await host.swnet("check")
            #expect(found.status == 1 && found.lines.count == words.count, "\(found)")
            for text in words { #expect(found.output.contains(text), "\(found)") }
            let repaired = try await host.swnet("repair")
            #expect(repaired.status == 0 && repaired.lines.count == words.count, "\(repaired)")
            #expect(try await host.net("check") == "")
            #expect(try await host.relays().count == 3)
            #expect(try await host.shell("ls /run/swnet/relays").lines == ["tcp-8080", "tcp-8081", "udp-8090-8092"])
            #expect(try await process(host, "tcp-8081") == right)
            #expect(try await host.answer("TCP:[::1]:8080")?.hasSuffix("web") == true)
            try await host.must(["touch", "/run/go"])
            try await client.waitForOutput("still")
            try await host.net("disconnect", "lab", "web")
            #expect(try await host.relays() == [])
            await echo.stop()
            await client.stop()
        }
    }

    @Test func `one that was stopped goes on`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let number = try await process(host, "tcp-8080")
            try await host.must(["kill", "-STOP", number])
            let isStopped = try await eventually {
                try await host.must(["ps", "-o", "stat=", "-p", number]).hasPrefix("T")
            }
            #expect(isStopped)
            #expect(try await host.swnet("check").output == "port [::1]:8080:80/tcp of web: its relay is stopped")
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            #expect(try await process(host, "tcp-8080") == number)
            #expect(try await host.answer("TCP:[::1]:8080")?.hasSuffix("web") == true)
            // A stopped one is ended like any other.
            try await host.must(["kill", "-STOP", number])
            try await host.net("unpublish", "web", "[::1]:8080:80")
            #expect(try await host.relays().count == 2)
        }
    }

    /// Whoever takes a port back takes its relay with it, recorded or not.
    @Test func `leaves nobody behind`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.must(["rm", "-r", "/run/swnet/relays"])
            try await host.net("unpublish", "web", "[::1]:8080:80")
            #expect(try await host.relays().count == 2)
            try await host.net("disconnect", "lab", "web")
            #expect(try await host.relays() == [])
            // All is lost, and the sandboxes are gone: what is left is found, and in nobody's way.
            for line in ["repair", "connect lab next -p '[::1]:8080:80'"] {
                try await host.net("connect", "lab", "web", "-p", "[::1]:8080:80", "-p", "[::1]:8090:80/udp")
                try await host.shell("ip netns pids web | xargs -r kill; ip netns del web; ip netns add next")
                let isGone = try await eventually {
                    try await host.run(["ip", "link", "show", "type", "veth"]).lines.count == 2
                }
                #expect(isGone)
                let before = try await host.relays()
                try await host.must(["rm", "-rf", "/run/swnet"])
                let found = try await host.swnet("check").output
                for (name, process) in zip(["tcp-8080", "udp-8090"], before) {
                    #expect(found.contains("relay \(name): process \(process) carries its port"), "\(found)")
                }
                try await host.must(["bash", "-c", "\(NetworkHost.swnet) \(line)"])
                #expect(try await host.net("check") == "")
                #expect(try await host.relays().count == (line == "repair" ? 0 : 1))
                if line == "repair" { try await host.must(["ip", "netns", "add", "web"]) }
            }
        }
    }

    @Test func `nobody else is taken for one`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            // The name and the user of a relay, and a socket of ::1: of nobody, of an ordinary user, and of a server of
            // the host that has another name, another address, or no socket at all.
            let script = """
                import ctypes, os, socket, sys, time
                user, name, address, port = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3], int(sys.argv[4])
                if user: os.setgroups([]); os.setresgid(user, user, user); os.setresuid(user, user, user)
                ctypes.CDLL(None).prctl(15, name, 0, 0, 0)
                held = []
                if address: held = [socket.create_server((address, port), family=socket.AF_INET6)]
                for _ in range(50):
                    if address: held.append(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)); held[-1].bind((address, 0))
                print("ready", flush=True); time.sleep(1000)
                """
            var strangers: [Command] = []
            for words in [
                ["65534", "swnet-relay", "::1", "9001"], ["1000", "swnet-relay", "::1", "9002"],
                ["0", "other-server", "::1", "9003"], ["0", "swnet-relay", "::", "9004"],
                ["65534", "swnet-relay", "", "0"], ["0", "swnet-relay", "", "0"],
            ] {
                let stranger = try host.start(["python3", "-c", script] + words)
                try await stranger.waitForOutput("ready")
                strangers.append(stranger)
            }
            let names = "ps -eo stat,pid,comm | awk '$1 !~ /^Z/ && /swnet-relay|other-server/' | wc -l"
            #expect(try await host.shell(names).output == "9")
            #expect(try await host.net("check") == "")
            #expect(try await host.net("repair") == "")
            try await host.must(["rm", "-r", "/run/swnet/relays"])
            #expect(try await host.swnet("check").lines.count == 3)
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            #expect(try await host.shell(names).output == "9")
            // One has the port of a relay that has ended, and is even recorded as that relay.
            let line = "kill -9 $(readlink /run/swnet/relays/tcp-8080 | cut -d- -f1)"
            try await host.must(["bash", "-c", line])
            let thief = try host.start(["python3", "-c", script, "65534", "swnet-relay", "::1", "8080"])
            try await thief.waitForOutput("ready")
            try await host.must([
                "bash", "-c",
                #"p=$(ss -Hltnp "src = [::1]:8080" | grep -o 'pid=[0-9]*' | cut -d= -f2)"#
                    + "; ln -sfn $p-$(awk '{print $22}' /proc/$p/stat) /run/swnet/relays/tcp-8080",
            ])
            #expect(try await host.swnet("check").output == "port [::1]:8080:80/tcp of web: its relay is gone")
            let failed = try await host.swnet("repair")
            #expect(failed.status == 1 && failed.errors.contains("listen on [::1]:8080/tcp: "), "\(failed)")
            try await host.net("unpublish", "web", "[::1]:8080:80")
            #expect(try await host.shell(names).output == "9")
            await thief.stop()
            try await host.net("publish", "web", "[::1]:8080:80")
            #expect(try await host.net("check") == "")
            #expect(try await host.shell(names).output == "9")
            for stranger in strangers { await stranger.stop() }
        }
    }
}
