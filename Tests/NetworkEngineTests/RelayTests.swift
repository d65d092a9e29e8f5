import Foundation
import TestSupport
import Testing

/// Ports of ::1, which a process carries because the kernel cannot.
@Suite("relays of [::1]")
struct RelayTests {
    /// The process of a relay; nil when none is recorded.
    private func process(_ host: NetworkHost, _ name: String = "tcp-8080") async throws -> String? {
        let link = try await host.run(["readlink", "/run/swnet/relays/\(name)"])
        return link.status == 0 ? link.output.split(separator: "-").first.map(String.init) : nil
    }

    private func python(_ host: NetworkHost, _ script: String, _ words: [String] = []) async throws -> CommandResult {
        try await host.run(["timeout", "90", "python3", "-c", script] + words)
    }

    @Test(arguments: ["tcp", "udp"])
    func `reaches the sandbox from ::1 and from nowhere else`(transport: String) async throws {
        try await NetworkHost.with { host in
            _ = try await host.serve("web", on: "bridge", [transport])
            let kind = transport.uppercased()
            try await host.net("publish", "web", "[::1]:8080:80/\(transport)")
            #expect(try await host.answer("\(kind):[::1]:8080")?.hasSuffix("web") == true)
            for target in ["192.0.2.1", "[2001:db8::1]"] {
                #expect(try await host.ask("\(kind):\(target):8080", at: .neighbour) == nil)
                #expect(try await host.ask("\(kind):\(target):8080", at: .inside("web")) == nil)
                #expect(try await host.ask("\(kind):\(target):8080") == nil)
            }
            #expect(try await host.ask("\(kind):127.0.0.1:8080") == nil)
            #expect(try await host.elements("published6").isEmpty)
            #expect(try await host.elements("published6_at").isEmpty)
            // All other addresses may be published besides, by the same sandbox.
            try await host.net("publish", "web", "8080:80/\(transport)")
            #expect(try await host.answer("\(kind):127.0.0.1:8080")?.hasSuffix("web") == true)
            #expect(try await host.answer("\(kind):[::1]:8080")?.hasSuffix("web") == true)
            try await host.net("unpublish", "web", "[::1]:8080:80/\(transport)")
            #expect(try await host.ask("\(kind):[::1]:8080") == nil)
            #expect(try await host.answer("\(kind):127.0.0.1:8080")?.hasSuffix("web") == true)
            #expect(try await host.relays() == [])
        }
    }

    @Test func `a network of IPv4 alone, ranges, and nothing left of the process's maker`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            _ = try await host.serve("web", on: "lab", port: 82)
            try await host.net("publish", "web", "[::1]:8000-8002:80-82", "[::1]::82")
            #expect(try await host.answer("TCP:[::1]:8002") == "10.44.0.1 web")
            let number = try #require(try await process(host, "tcp-8000-8002"))
            let files = try await host.shell("readlink /proc/\(number)/fd/* | sed 's/:.*//' | sort | uniq -c").lines
                .map { $0.trimmingCharacters(in: .whitespaces) }
            #expect(files.contains("3 /dev/null") && files.contains("3 socket"), "\(files)")
            #expect(
                files.allSatisfy {
                    ["/dev/null", "socket", "pipe", "anon_inode"].contains($0.split(separator: " ")[1])
                })
            let status = try await host.must(["cat", "/proc/\(number)/status"])
            #expect(status.contains("Uid:\t65534") && status.contains("CapEff:\t0000000000000000"), "\(status)")
            #expect(try await host.must(["readlink", "/proc/\(number)/cwd"]) == "/")
            #expect(try await host.must(["ps", "-o", "args=", number]) == "swnet-relay tcp-8000-8002")
            #expect(try await host.relays().count == 2)
            try await host.net("disconnect", "lab", "web")
            #expect(try await host.relays() == [])
            try await host.net("rm", "lab")
            #expect(try await host.nothingLeft() == [])
        }
    }

    @Test func `half-closed connections, and readers that are slow`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "bridge", "web", "-p", "[::1]:8080:80")
            // Answers with the sum of all it got, and only when it has got the end.
            let server = try host.start(
                [
                    "python3", "-u", "-c",
                    """
                    import socket, hashlib, os, time
                    listener = socket.create_server(("::", 80), family=socket.AF_INET6)
                    print("ready")
                    while True:
                        peer, _ = listener.accept()
                        total = hashlib.sha256(); count = 0
                        while not os.path.exists("/run/go"): time.sleep(0.05)
                        while data := peer.recv(65536):
                            total.update(data); count += len(data)
                        peer.sendall(f"{count} {total.hexdigest()}".encode()); peer.close()
                    """,
                ], at: .inside("web"))
            try await server.waitForOutput("ready")
            let number = try #require(try await process(host))
            let result = try await python(
                host,
                """
                import hashlib, os, socket
                data = os.urandom(1 << 20) * 32
                peer = socket.create_connection(("::1", 8080))
                peer.setblocking(False); early = 0
                try:
                    while early < len(data): early += peer.send(data[early:])
                except BlockingIOError: pass
                # What nobody reads waits with whoever sends it.
                assert early < len(data), early
                open("/run/go", "w").close()
                peer.setblocking(True)
                peer.sendall(data[early:]); peer.shutdown(socket.SHUT_WR)
                answer = b""
                while more := peer.recv(1000): answer += more
                assert answer.decode() == f"{len(data)} {hashlib.sha256(data).hexdigest()}", answer
                print("whole")
                """)
            #expect(result.output == "whole", "\(result)")
            let memory = try await host.shell("awk '/RssAnon/ {print $2}' /proc/\(number)/status").output
            #expect(Int(memory).map { $0 < 8192 } == true, "\(memory) kB")
        }
    }

    @Test func `five hundred connections, failures, and peers that vanish`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "bridge", "web", "-p", "[::1]:8080:80", "-p", "[::1]:8081:81")
            let server = try host.start(
                [
                    "python3", "-u", "-c",
                    """
                    import selectors, socket, struct
                    listener = socket.create_server(("::", 80), family=socket.AF_INET6, backlog=1000)
                    poll = selectors.DefaultSelector(); poll.register(listener, selectors.EVENT_READ)
                    print("ready")
                    while True:
                        for key, _ in poll.select():
                            if key.fileobj is listener:
                                poll.register(listener.accept()[0], selectors.EVENT_READ); continue
                            try: data = key.fileobj.recv(65536)
                            except ConnectionError: print("reset"); data = b""
                            if data == b"die":
                                key.fileobj.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); data = b""
                            if data: key.fileobj.send(data)
                            else: poll.unregister(key.fileobj); key.fileobj.close()
                    """,
                ], at: .inside("web"))
            try await server.waitForOutput("ready")
            let number = try #require(try await process(host))
            let files = "ls /proc/\(number)/fd | wc -l"
            let before = try await host.shell(files).output
            let result = try await python(
                host,
                """
                import os, socket, struct
                peers = [socket.create_connection(("::1", 8080)) for _ in range(500)]
                for turn in range(3):
                    for number, peer in enumerate(peers): peer.sendall(b"%d" % number)
                    for number, peer in enumerate(peers): assert peer.recv(100) == b"%d" % number
                files = len(os.listdir("/proc/\(number)/fd"))
                assert files < 1100, files
                # The server's failure is heard as one, and the client's too.
                peers[0].sendall(b"die")
                try: assert False, peers[0].recv(100)
                except ConnectionResetError: pass
                peers[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); peers[1].close()
                # Nobody listens behind this one.
                try: assert False, socket.create_connection(("::1", 8081)).recv(1)
                except ConnectionResetError: pass
                peers[2].sendall(b"still"); assert peers[2].recv(100) == b"still"
                print("served", flush=True); os._exit(0)
                """)
            #expect(result.output == "served", "\(result)")
            try await server.waitForOutput("reset")
            // Pipes that were needed once are kept for the next.
            let settled = try await eventually { try await Int(host.shell(files).output) ?? 99 <= 40 }
            let left = try await host.shell(files).output
            #expect(settled, "\(before) descriptors before, \(left) after")
        }
    }

    @Test func `more connections than there are descriptors wait for their turn`() async throws {
        try await NetworkHost.with { host in
            _ = try await host.serve("web", on: "bridge")
            // It lasts as long as its client.
            let server = try host.start(["socat", "TCP6-LISTEN:81,fork,reuseaddr", "EXEC:cat"], at: .inside("web"))
            let line = "ulimit -n 160; exec \(NetworkHost.swnet) publish web '[::1]:8081:81'"
            try await host.must(["bash", "-c", line])
            let number = try #require(try await process(host, "tcp-8081"))
            let result = try await python(
                host,
                """
                import os, select, socket, time
                def used(): return sum(map(int, open("/proc/\(number)/stat").read().rsplit(")")[1].split()[11:13]))
                peers = [socket.create_connection(("::1", 8081)) for _ in range(60)]
                for number, peer in enumerate(peers): peer.sendall(b"%d" % number)
                served, left = [], dict(enumerate(peers))
                time.sleep(1); before = used(); time.sleep(1)
                # Whoever waits costs nothing.
                assert used() - before < 50, used() - before
                first = [number for number, peer in left.items() if select.select([peer], [], [], 0)[0]]
                assert 5 < len(first) < 30, first
                end = time.time() + 60
                while left and time.time() < end:
                    for number, peer in list(left.items()):
                        if select.select([peer], [], [], 0.01)[0]:
                            assert peer.recv(10) == b"%d" % number
                            peer.close(); served.append(number); del left[number]
                assert len(served) == 60, served
                print("served")
                """)
            #expect(result.output == "served", "\(result)")
            await server.stop()
        }
    }

    @Test func `many UDP clients get their own answers`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "bridge", "web", "-p", "[::1]:5353:53/udp")
            let server = try host.start(
                [
                    "python3", "-u", "-c",
                    """
                    import socket
                    peer = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); peer.bind(("::", 53)); print("ready")
                    while True: data, name = peer.recvfrom(65536); peer.sendto(data, name)
                    """,
                ], at: .inside("web"))
            try await server.waitForOutput("ready")
            let result = try await python(
                host,
                """
                import socket
                peers = []
                for number in range(200):
                    peer = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); peer.settimeout(2)
                    peer.connect(("::1", 5353)); peers.append(peer)
                for text in (b"", b"x" * 1200, b"y" * 20000):
                    for number, peer in enumerate(peers):
                        # Datagrams may be lost; an answer that comes late is one to the same.
                        wanted, answer, tries = b"%d " % number + text, b"", 0
                        while answer != wanted:
                            tries += 1; assert tries < 20, number
                            peer.send(wanted)
                            try: answer = peer.recv(65536)
                            except (TimeoutError, ConnectionRefusedError): continue
                            assert answer.startswith(b"%d " % number), answer[:20]
                print("answered")
                """)
            #expect(result.output == "answered", "\(result)")
        }
    }
}

/// When relays begin and end.
@Suite("lives of relays")
struct RelayLifeTests {
    /// Relays and their records.
    private func left(_ host: NetworkHost) async throws -> [String] {
        try await host.relays() + host.shell("ls /run/swnet/relays 2>/dev/null; true").lines
    }

    @Test func `no other port has a process, and whoever leaves takes his along`() async throws {
        try await NetworkHost.with { host in
            for name in ["web", "other"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net(
                "connect", "bridge", "web", "-p", "8080:80", "-p", "127.0.0.1:81:80", "-p", "[2001:db8::1]:82:80",
                "-p", "[::]:83:80", "-p", "84")
            #expect(try await host.relays() == [])
            try await host.net("connect", "bridge", "other", "-p", "[::1]:8081:80", "-p", "[::1]:8081:80/udp")
            #expect(try await host.relays().count == 2)
            // Somebody who dies without a word.
            try await host.must(["ip", "netns", "del", "other"])
            #expect(try await host.net("gc") == "other")
            #expect(try await left(host) == [])
            // A later step that fails: the record cannot be written over a folder.
            try await host.must(["ip", "netns", "add", "other"])
            try await host.must(["mkdir", "-p", "/run/swnet/sandboxes/other/x"])
            let failed = try await host.swnet("connect", "bridge", "other", "-p", "[::1]:8081:80")
            #expect(failed.status != 0, "\(failed)")
            #expect(try await left(host) == [])
            try await host.must(["rm", "-r", "/run/swnet/sandboxes/other"])
        }
    }

    @Test func `a relay that died is seen, and started again; what is not ours is left alone`() async throws {
        try await NetworkHost.with { host in
            _ = try await host.serve("web", on: "bridge")
            try await host.net("publish", "web", "[::1]:8080:80")
            try await host.shell("kill -9 $(readlink /run/swnet/relays/tcp-8080 | cut -d- -f1)")
            let seen = try await eventually { try await host.swnet("check").output.contains("[::1]:8080:80") }
            #expect(seen)
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            #expect(try await host.answer("TCP:[::1]:8080")?.hasSuffix("web") == true)
            // A number that another process has by now.
            let innocent = try host.start(["bash", "-c", "echo $$; exec sleep 1000"])
            try await innocent.waitForOutput("\n")
            let number = innocent.outputSoFar.trimmingCharacters(in: .whitespacesAndNewlines)
            let relay = try await host.relays()
            try await host.shell("ln -sfn \(number)-1 /run/swnet/relays/tcp-8080")
            #expect(try await host.swnet("check").status == 1)
            try await host.shell("kill -9 \(relay[0])")
            try await host.net("unpublish", "web", "[::1]:8080:80")
            #expect(try await host.run(["kill", "-0", number]).status == 0)
            #expect(try await left(host) == [])
            // A record of nobody's.
            try await host.shell("mkdir -p /run/swnet/relays; ln -s \(number)-1 /run/swnet/relays/tcp-99")
            #expect(try await host.swnet("check").output.contains("tcp-99"))
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            #expect(try await left(host) == [])
            #expect(try await host.run(["kill", "-0", number]).status == 0)
            await innocent.stop()
        }
    }

    @Test func `killed at any moment, nothing is left that serves nobody`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "bridge", "web")
            let line = "\"$@\" >/dev/null 2>&1 & p=$!; sleep $0; kill -9 $p 2>/dev/null; wait $p 2>/dev/null; true"
            for round in 0..<30 {
                let moment = "\(Double.random(in: 0...20) / 1000)"
                let note = Comment(rawValue: "round \(round), killed after \(moment) s")
                let ports = ["[::1]:8080:80", "[::1]:8090-8092:80-82/udp"]
                try await host.run(["bash", "-c", line, moment, NetworkHost.swnet, "publish", "web"] + ports)
                let again = try await host.run([NetworkHost.swnet, "publish", "web"] + ports)
                #expect(again.status == 0 || again.errors.contains("publishes"), note)
                #expect(try await left(host).count == 4, note)
                #expect(try await host.net("check") == "", note)
                try await host.run(["bash", "-c", line, moment, NetworkHost.swnet, "unpublish", "web"] + ports)
                try await host.run([NetworkHost.swnet, "unpublish", "web"] + ports)
                #expect(try await left(host) == [], note)
            }
            try await host.net("disconnect", "bridge", "web")
            try await host.net("rm", "bridge")
            #expect(try await host.nothingLeft() == [])
        }
    }
}

extension NetworkHost {
    /// The number of every process that is a relay, whoever knows of it. Nobody collects the dead in these namespaces.
    func relays() async throws -> [String] {
        try await shell("ps -eo stat=,pid=,comm= | awk '$3 == \"swnet-relay\" && $1 !~ /^Z/ {print $2}'").lines
    }
}
