import TestSupport
import Testing

/// Connections that last longer than the port that they came by.
@Suite("tracked connections")
struct ConntrackTests {
    /// Sends a number ten times a second from one port, and prints every answer that differs from the one before.
    private static let client = """
        import socket, sys, time
        family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
        peer = socket.socket(family, socket.SOCK_DGRAM); peer.bind(("", 40000)); peer.settimeout(0.1)
        last = None; print("ready", flush=True)
        while True:
            peer.sendto(b"x", (sys.argv[1], 5353))
            try: answer = peer.recv(100).decode().split()[-1]
            except (TimeoutError, ConnectionRefusedError): answer = "nobody"
            if answer != last: print(answer, flush=True); last = answer
            if answer == "nobody": time.sleep(0.1)
        """

    @Test(arguments: ["192.0.2.1", "2001:db8::1"])
    func `a UDP flow that never pauses follows the port from hand to hand`(address: String) async throws {
        try await NetworkHost.with { host in
            for name in ["first", "second"] { _ = try await host.serve(name, on: "bridge", ["udp"], port: 53) }
            let client = try host.start(["python3", "-c", Self.client, address], at: .neighbour)
            try await client.waitForOutput("nobody")
            let hears = { (name: String) in
                try await eventually { client.outputSoFar.split(separator: "\n").last == name[...] }
            }
            for turn in 1...2 {
                for name in ["first", "second"] {
                    try await host.net("publish", name, "5353:53/udp")
                    let told = try await hears(name)
                    #expect(told, "turn \(turn) of \(name): \(client.outputSoFar)")
                    try await host.net("unpublish", name, "5353:53/udp")
                    let ended = try await hears("nobody")
                    #expect(ended, "turn \(turn) after \(name): \(client.outputSoFar)")
                }
            }
            // From one to the other by the end of a sandbox.
            try await host.net("publish", "first", "5353:53/udp")
            _ = try await hears("first")
            try await host.net("disconnect", "bridge", "first")
            let ended = try await hears("nobody")
            #expect(ended, "\(client.outputSoFar)")
            await client.stop()
        }
    }

    @Test func `a TCP connection ends with its port, and no other does`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "bridge", "web", "-p", "8080:80", "-p", "8081:80", "-p", "80:80")
            let echo = "TCP6-LISTEN:80,fork,reuseaddr,ipv6only=0"
            let server = try host.start(["socat", echo, "EXEC:cat"], at: .inside("web"))
            let isUp = try await eventually { try await !host.run(["ss", "-Hltn"], at: .inside("web")).output.isEmpty }
            #expect(isUp)
            let (v4, _) = try await host.addresses(of: "web")
            let script = """
                import socket, sys, time
                def open(port, address="192.0.2.1"):
                    peer = socket.create_connection((address, port)); peer.settimeout(30); return peer
                peers = {8080: open(8080), 8081: open(8081), 80: open(80, sys.argv[1])}
                def ask(peer):
                    try: peer.sendall(b"x"); return peer.recv(10) == b"x"
                    except ConnectionError: return False
                print([ask(peer) for peer in peers.values()], flush=True)
                sys.stdin.readline()
                print([ask(peer) for peer in peers.values()], flush=True)
                """
            // From the host itself also to the sandbox's own address: that is nobody's port.
            let client = try host.start(
                ["bash", "-c", "mkfifo /run/go; exec python3 -c \"$0\" \"$1\" </run/go", script, v4])
            try await host.shell("until [ -p /run/go ]; do sleep 0.05; done; exec 9>/run/go; sleep 3000 >&9 & echo")
            try await client.waitForOutput("[True, True, True]")
            try await host.net("unpublish", "web", "8080:80", "80:80")
            #expect(
                try await host.must(["conntrack", "-L", "-p", "tcp", "--orig-port-dst", "8080"])
                    .contains("ESTABLISHED") == false)
            try await host.shell("echo >/run/go")
            let told = try await eventually { client.outputSoFar.contains("[False, True, True]") }
            #expect(told, "\(client.outputSoFar)")
            await client.stop()
            await server.stop()
        }
    }

    @Test(arguments: ["disconnect", "ip netns delete"])
    func `who inherits an address inherits nobody's connections`(how: String) async throws {
        try await NetworkHost.with { host in
            let server = "TCP6-LISTEN:80,fork,reuseaddr,ipv6only=0"
            for name in ["first", "second"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.net("connect", "lab", "first", "--ip", "10.44.0.9", "-p", "8080:80")
            let old = try host.start(["socat", server, "EXEC:cat"], at: .inside("first"))
            let new = try host.start(["socat", server, "EXEC:cat"], at: .inside("second"))
            for name in ["first", "second"] {
                let isUp = try await eventually {
                    try await !host.run(["ss", "-Hltn"], at: .inside(name)).output.isEmpty
                }
                #expect(isUp)
            }
            // Forgets the first connection without a word, as a client does whose machine has lost its power.
            let script = """
                import socket, sys, os, time
                def open():
                    peer = socket.socket(); peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    peer.bind(("", 5000)); peer.settimeout(2); peer.connect(("192.0.2.1", 8080))
                    peer.sendall(b"x"); peer.recv(1); return peer
                peer = open(); print("ready", flush=True)
                while not os.path.exists("/run/go"): time.sleep(0.05)
                peer.setsockopt(socket.IPPROTO_TCP, 19, 1); peer.close()
                try: open(); print("reached", flush=True)
                except OSError as error: print("refused", error, flush=True)
                """
            let client = try host.start(["python3", "-c", script], at: .neighbour)
            try await client.waitForOutput("ready")
            if how == "disconnect" {
                try await host.net("disconnect", "lab", "first")
            } else {
                await old.stop()
                try await host.must(["ip", "netns", "delete", "first"])
                _ = try await eventually { try await host.swnet("check", "-q").status != 0 }
                try await host.net("gc")
            }
            try await host.net("connect", "lab", "second", "--ip", "10.44.0.9")
            try await host.must(["touch", "/run/go"])
            #expect(await client.result.output.contains("refused"))
            for server in [old, new] { await server.stop() }
        }
    }

    /// A peer goes on answering somebody who has left; the next owner of the address has an open port of that number.
    @Test(arguments: ["disconnect", "ip netns delete"], ["192.0.2.2", "2001:db8::2"])
    func `who inherits an address gets no answers to others' questions`(how: String, peer: String) async throws {
        try await NetworkHost.with { host in
            for name in ["first", "second", "third"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            try await host.net("connect", "lab", "first", "--ip", "10.44.0.9", "--ip6", "fd00:44::9")
            try await host.net("connect", "lab", "third")
            let answering = """
                import socket, sys, time
                peer = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
                peer.bind((sys.argv[1], 9999)); print("ready", flush=True)
                clients = set(); peer.settimeout(0.1)
                while True:
                    try: clients.add(peer.recvfrom(10)[1])
                    except (TimeoutError, ConnectionRefusedError): pass
                    for client in clients:
                        try: peer.sendto(b"answer", client)
                        except OSError: pass
                """
            let asking = """
                import socket, sys
                own = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
                own.bind(("", int(sys.argv[2]))); own.settimeout(float(sys.argv[3]))
                if len(sys.argv) > 4: own.sendto(b"x", (sys.argv[1], 9999))
                try: print(own.recv(10).decode())
                except TimeoutError: print("nothing")
                """
            let server = try host.start(["python3", "-c", answering, peer], at: .neighbour)
            try await server.waitForOutput("ready")
            for (name, port) in [("first", "4000"), ("third", "4003")] {
                let ask = ["python3", "-c", asking, peer, port, "20", "ask"]
                #expect(try await host.must(ask, at: .inside(name)) == "answer")
            }
            if how == "disconnect" {
                try await host.net("disconnect", "lab", "first")
            } else {
                try await host.must(["ip", "netns", "delete", "first"])
                _ = try await eventually { try await host.swnet("check").status != 0 }
                try await host.net("gc")
            }
            try await host.net("connect", "lab", "second", "--ip", "10.44.0.9", "--ip6", "fd00:44::9")
            let listen = ["python3", "-c", asking, peer, "4000", "1"]
            #expect(try await host.must(listen, at: .inside("second")) == "nothing")
            // Who has stayed is still answered.
            #expect(
                try await host.must(["python3", "-c", asking, peer, "4003", "20"], at: .inside("third")) == "answer")
            await server.stop()
        }
    }

    /// Each list is a walk through the whole table, 10 ms where that is large.
    @Test func `the connections of all addresses are listed once`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            for name in ["first", "second"] {
                try await host.must(["ip", "netns", "add", name])
                try await host.net("connect", "lab", name)
                for peer in ["192.0.2.2", "2001:db8::2"] {
                    try await host.must(["bash", "-c", "echo x >/dev/udp/\(peer)/53"], at: .inside(name))
                }
            }
            let own = ["10.44.0.2", "fd00:44::2"], others = ["10.44.0.3", "fd00:44::3"]
            let sources = { () async throws -> Set<String> in
                let first = "grep -o 'src=[^ ]* dst=[^ ]* sport=[0-9]* dport=53 ' | cut -d ' ' -f 1 | cut -c 5-"
                let line = "{ conntrack -L -p udp; conntrack -L -f ipv6 -p udp; } 2>/dev/null | \(first)"
                return Set(try await host.shell(line).output.split(separator: "\n").map(String.init))
            }
            #expect(try await sources() == Set(own + others))
            let tracing = "strace -f -e trace=sendto,sendmsg -o /run/trace \(NetworkHost.swnet) disconnect lab first"
            try await host.must(["bash", "-c", tracing])
            let lists = try await host.shell("grep -w IPCTNL_MSG_CT_GET /run/trace")
            #expect(lists.output.split(separator: "\n").count == 1, "\(lists)")
            #expect(try await sources() == Set(others))
        }
    }

    @Test func `what a process of the host serves is left alone when its port is published`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "bridge", "web")
            let script = """
                import socket
                server = socket.create_server(("", 8080)); client = socket.create_connection(("192.0.2.1", 8080))
                peer = server.accept()[0]; server.close(); print("ready", flush=True); input()
                client.sendall(b"still"); assert peer.recv(10) == b"still"; print("there", flush=True)
                """
            let process = try host.start(
                ["bash", "-c", "mkfifo /run/go; (sleep 3000 >/run/go &); exec python3 -c \"$0\" </run/go", script])
            try await process.waitForOutput("ready")
            try await host.net("publish", "web", "8080:80")
            try await host.shell("echo >/run/go")
            let isThere = try await eventually { process.outputSoFar.contains("there") }
            #expect(isThere)
            await process.stop()
        }
    }

    @Test(arguments: ["tcp", "udp"], ["0.0.0.0", "192.0.2.1", "::", "2001:db8::1"])
    func `the process that holds a port is named, also in another process namespace`(
        transport: String, address: String
    ) async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "bridge", "web")
            let script = """
                import socket, sys, time
                family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
                kind = socket.SOCK_STREAM if sys.argv[2] == "tcp" else socket.SOCK_DGRAM
                peer = socket.socket(family, kind)
                if family == socket.AF_INET6: peer.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                peer.bind((sys.argv[1], 8080))
                if sys.argv[2] == "tcp": peer.listen()
                open("/proc/self/comm", "w").write("holder"); print("ready", flush=True); time.sleep(1000)
                """
            let holder = try host.start(
                ["unshare", "--pid", "--fork", "--kill-child", "python3", "-c", script, address, transport])
            try await holder.waitForOutput("ready")
            let refused = try await host.swnet("publish", "web", "8080:80/\(transport)")
            #expect(refused.status == 1 && refused.errors.contains("(holder)"), "\(refused)")
            let range = try await host.swnet("publish", "web", "8070-8100:70-100/\(transport)")
            #expect(range.status == 1 && range.errors.contains("(holder)"), "\(range)")
            // The other protocol is free.
            try await host.net("publish", "web", "8080:80/\(transport == "tcp" ? "udp" : "tcp")")
            await holder.stop()
        }
    }
}
