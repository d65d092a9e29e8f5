import TestSupport
import Testing

/// Sandboxes of one network find each other by name. `getent` and a plain UDP client ask, as programs would.
@Suite("names")
struct NameTests {
    /// What a namespace is told when it asks one of its gateways; nil when there is no answer, empty when there is no
    /// such name.
    private func ask(
        _ host: NetworkHost, _ name: String, _ type: String, from sandbox: String, server: String = "10.44.0.1",
        port: Int = 53
    ) async throws -> String? {
        let client = """
            import socket, struct, sys
            name, kind, server = sys.argv[1], {"A": 1, "AAAA": 28, "PTR": 12}[sys.argv[2]], sys.argv[3]
            client = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
            client.settimeout(2)
            labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
            question = struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + labels + b"\\0" + struct.pack(">2H", kind, 1)
            client.sendto(question, (server, int(sys.argv[4])))
            answer = client.recv(512)
            count = struct.unpack(">H", answer[6:8])[0]
            data = answer[-4:] if kind == 1 else answer[-16:]
            if count == 0: print("nobody")
            elif kind == 12: print(answer.rstrip(b"\\0").split(b"\\x00")[-1][2:].decode())
            else: print(socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, data))
            """
        let result = try await host.run(["python3", "-c", client, name, type, server, "\(port)"], at: .inside(sandbox))
        return result.status == 0 ? result.output : nil
    }

    /// A server that has just been told needs a moment to read it.
    private func becomes(_ wanted: String, _ question: () async throws -> String?) async throws -> Bool {
        try await eventually { try await question() == wanted }
    }

    /// Two name servers of the neighbour's, each with an answer of its own to whatever it is asked.
    private static let resolver = """
        import socket, sys
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((sys.argv[1], 53))
        while True:
            asked, client = server.recvfrom(512)
            record = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\0\\0\\4" + socket.inet_aton(sys.argv[2])
            server.sendto(asked[:2] + b"\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0" + asked[12:] + record, client)
        """

    @Test func `an alias that nobody would serve is refused`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("create", "wire", "-d", "macvlan", "--opt", "parent=eth0", "--subnet", "10.50.0.0/24")
            for network in ["bridge", "wire"] {
                for words in [["--dry-run"], []] {
                    let refused = try await host.swnet(["connect", network, "web", "--alias", "db"] + words)
                    #expect(
                        refused.status == 1
                            && refused.errors.contains("alias db: nobody serves names on network \(network) ("),
                        "\(refused)")
                }
            }
            #expect(try await host.run(["ip", "link", "show", "eth0"], at: .inside("web")).status != 0)
            try await host.net("connect", "bridge", "web")
            #expect(try await host.net("check") == "")
        }
    }

    @Test(
        .enabled("aardvark-dns is not installed") {
            try await Command.run(["test", "-x", "/usr/lib/podman/aardvark-dns"]).status == 0
        })
    func `other resolvers of the host`() async throws {
        try await NetworkHost.with { host in
            try await host.shell(
                """
                ip -n neighbour address add 192.0.2.3/24 dev eth0
                echo nameserver 192.0.2.2 > /run/resolvers; mount --bind /run/resolvers /etc/resolv.conf
                """)
            var servers: [Command] = []
            for (address, answer) in [("192.0.2.2", "1.1.1.1"), ("192.0.2.3", "3.3.3.3")] {
                servers.append(try host.start(["python3", "-c", Self.resolver, address, answer], at: .neighbour))
            }
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.net("create", "closed", "--internal", "--subnet", "10.45.0.0/24")
            for name in ["web", "db", "far"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lab", "web")
            try await host.net("connect", "closed", "far")
            #expect(try await becomes("1.1.1.1") { try await ask(host, "example.org", "A", from: "web") })
            // A DHCP client writes it anew with every lease.
            try await host.must(["bash", "-c", "sleep 0.01; echo nameserver 192.0.2.2 > /run/resolvers"])
            #expect(try await host.net("check") == "")
            try await host.must(["bash", "-c", "echo nameserver 192.0.2.3 > /run/resolvers"])
            let found = try await host.swnet("check")
            let words = "names of lab: the name server was not told that /etc/resolv.conf has changed"
            #expect(found.status == 1 && found.output == words, "\(found)")
            #expect(try await host.net("repair") == "repaired \(words)")
            #expect(try await becomes("3.3.3.3") { try await ask(host, "example.org", "A", from: "web") })
            #expect(try await host.net("check") == "")
            // Who comes next brings it in as well.
            try await host.must(["bash", "-c", "sleep 0.01; echo nameserver 192.0.2.2 > /run/resolvers"])
            try await host.net("connect", "lab", "db")
            #expect(try await becomes("1.1.1.1") { try await ask(host, "example.org", "A", from: "web") })
            #expect(try await host.net("check") == "")
            // Something that is no text, and nothing at all.
            try await host.must(["bash", "-c", "head -c 100000 /dev/zero > /run/resolvers"])
            #expect(try await host.swnet("check").output == words)
            try await host.must(["umount", "/etc/resolv.conf"])
            for name in ["web", "db"] { try await host.net("disconnect", "lab", name) }
            try await host.net("disconnect", "closed", "far")
            try await host.net("rm", "lab", "closed")
            #expect(try await host.nothingLeft() == [])
            #expect(try await host.shell("ls /run/swnet | grep resolvers").output == "")
            for server in servers { await server.stop() }
        }
    }

    /// What a server of version 1.17 or later does, as far as anybody sees it from outside.
    private static let watcher = """
        #!/usr/bin/python3
        import ctypes, os, signal, socket, sys
        folder = sys.argv[sys.argv.index("--config") + 1]; port = int(sys.argv[sys.argv.index("-p") + 1])
        with open(folder + "/lab") as file: gateway = file.readline().split()[0]
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); server.bind((gateway, port))
        signal.signal(signal.SIGHUP, lambda *_: None)
        hear, tell = os.pipe()
        if os.fork(): os.close(tell); os.read(hear, 1); os._exit(0)
        libc = ctypes.CDLL(None)
        if libc.inotify_add_watch(libc.inotify_init(), b"/etc/resolv.conf", 0x88) < 0: sys.exit("no watch")
        with open(folder + "/aardvark.pid", "w") as file: file.write(str(os.getpid()))
        os.close(tell)
        while True: signal.pause()
        """

    @Test(
        .enabled("aardvark-dns is not installed") {
            try await Command.run(["test", "-x", "/usr/lib/podman/aardvark-dns"]).status == 0
        })
    func `a server that watches the host's resolvers need not be told what is written there`() async throws {
        try await NetworkHost.with { host in
            let place = "/usr/lib/podman/aardvark-dns"
            try await host.must(["bash", "-c", "printf %s \"$1\" > /run/watcher", "", Self.watcher])
            try await host.must([
                "bash", "-ec",
                """
                chmod +x /run/watcher; mount --bind /run/watcher \(place)
                mkdir /run/etc; cp -a /etc/. /run/etc; mount --bind /run/etc /etc; rm -f /etc/resolv.conf
                echo nameserver 192.0.2.2 > /run/real; ln -s /run/real /etc/resolv.conf
                ip netns add web
                """,
            ])
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.net("connect", "lab", "web")
            let isWatching = try await eventually {
                try await host.shell("grep -hs inotify /proc/$(cat /run/swnet/names/aardvark.pid)/fdinfo/*").status == 0
            }
            #expect(isWatching)
            #expect(try await host.net("check") == "")
            try await host.must(["bash", "-c", "echo nameserver 192.0.2.3 > /run/real"])
            #expect(try await host.net("check") == "")
            let words = "names of lab: the name server was not told that /etc/resolv.conf has changed"
            // Another file in its place, and another place.
            for line in [
                "echo nameserver 192.0.2.4 > /run/next; mv /run/next /run/real",
                "echo nameserver 192.0.2.5 > /run/other; ln -sfn /run/other /etc/resolv.conf",
            ] {
                try await host.must(["bash", "-ec", line])
                #expect(try await host.swnet("check").output == words, "\(line)")
                #expect(try await host.net("repair") == "repaired \(words)", "\(line)")
                let isRight = try await eventually { try await host.swnet("check").status == 0 }
                #expect(isRight, "\(line)")
                let real = try await host.must(["readlink", "-f", "/etc/resolv.conf"])
                let isAgain = try await eventually {
                    let number = try await host.must(["bash", "-c", "printf %x $(stat -c %i \(real))"])
                    return try await host.shell(
                        "grep -qs 'ino:\(number) ' /proc/$(cat /run/swnet/names/aardvark.pid)/fdinfo/*"
                    ).status == 0
                }
                #expect(isAgain)
                try await host.must(["bash", "-c", "echo nameserver 192.0.2.9 > \(real)"])
                #expect(try await host.net("check") == "")
            }
            try await host.must(["umount", place])
        }
    }

    @Test(
        .enabled("aardvark-dns is not installed") {
            try await Command.run(["test", "-x", "/usr/lib/podman/aardvark-dns"]).status == 0
        })
    func `names, aliases of addresses, and who has left`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            try await host.net("create", "other", "--subnet", "10.45.0.0/24")
            for name in ["web", "db", "far"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lab", "web")
            try await host.net("connect", "lab", "db")
            try await host.net("connect", "other", "far")
            #expect(try await becomes("10.44.0.3") { try await ask(host, "db", "A", from: "web") })
            #expect(
                try await becomes("fd00:44::3") { try await ask(host, "db", "AAAA", from: "web", server: "fd00:44::1") }
            )
            #expect(try await becomes("web") { try await ask(host, "2.0.44.10.in-addr.arpa", "PTR", from: "db") })
            // The server is there for its own network and for the host, and not for whoever has a route to it.
            for port in [53, 61053] {
                #expect(try await ask(host, "db", "A", from: "far", port: port) == nil)
                #expect(try await ask(host, "db", "A", from: "neighbour", port: port) == nil)
                #expect(try await ask(host, "db", "A", from: "neighbour", server: "fd00:44::1", port: port) == nil)
            }
            // Nobody publishes the port where it is asked.
            let refused = try await host.swnet("publish", "web", "10.44.0.1:50-60:50-60/udp")
            #expect(
                refused.status == 1 && refused.errors.contains("10.44.0.1:53/udp is taken by the names of lab"),
                "\(refused)")
            // Another network's names are nobody's business.
            #expect(try await becomes("nobody") { try await ask(host, "far", "A", from: "web") })
            let hosts = try await host.net("hosts", "lab")
            #expect(hosts.contains("10.44.0.3\tdb db.lab") && !hosts.contains("far"), "\(hosts)")
            try await host.net("disconnect", "lab", "db")
            #expect(try await becomes("nobody") { try await ask(host, "db", "A", from: "web") })
            // A server that was killed is started again by the next who joins.
            let pid = try await host.must(["cat", "/run/swnet/names/aardvark.pid"])
            try await host.must(["kill", "-9", pid])
            try await host.net("connect", "lab", "db")
            let address = try await host.addresses(of: "db").v4
            #expect(try await becomes(address) { try await ask(host, "db", "A", from: "web") })
            // Somebody may publish the port that names are asked at, and names are answered even so.
            try await host.net("publish", "web", "53:53/udp", "53:53")
            #expect(try await ask(host, "db", "A", from: "web") == address)
            #expect(try await host.must(["nft", "list", "map", "inet", "swnet", "published4"]).contains("udp . 53"))
            // With the last name the server ends.
            try await host.net("disconnect", "lab", "web")
            try await host.net("disconnect", "lab", "db")
            try await host.net("disconnect", "other", "far")
            let ended = try await eventually { try await host.must(["ss", "-Hlun", "sport = :61053"]).isEmpty }
            #expect(ended)
            try await host.net("rm", "lab", "other")
            #expect(try await host.nothingLeft() == [])
        }
    }

    /// As after a `kill -9` while it was started: it goes on by itself, and no file says so.
    @Test(
        .enabled("aardvark-dns is not installed") {
            try await Command.run(["test", "-x", "/usr/lib/podman/aardvark-dns"]).status == 0
        })
    func `a server that was being started when swnet was killed is ended`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            for name in ["web", "db"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lab", "web")
            let stray = try await host.must(["cat", "/run/swnet/names/aardvark.pid"])
            try await host.shell("rm /run/swnet/names/aardvark.pid; touch /run/swnet/names.starting")
            try await host.net("connect", "lab", "db")
            #expect(try await host.shell("tr -d '\\0' </proc/\(stray)/cmdline || true").output.isEmpty)
            #expect(try await becomes("10.44.0.2") { try await ask(host, "web", "A", from: "db") })
            // And when there is nothing more to serve.
            let last = try await host.must(["cat", "/run/swnet/names/aardvark.pid"])
            try await host.shell("rm /run/swnet/names/aardvark.pid; touch /run/swnet/names.starting")
            try await host.net("disconnect", "lab", "web")
            try await host.net("disconnect", "lab", "db")
            #expect(try await host.shell("tr -d '\\0' </proc/\(last)/cmdline || true").output.isEmpty)
            #expect(try await host.run(["test", "-e", "/run/swnet/names.starting"]).status != 0)
        }
    }

    @Test(
        .enabled("aardvark-dns is not installed") {
            try await Command.run(["test", "-x", "/usr/lib/podman/aardvark-dns"]).status == 0
        })
    func `further names, and an internal network asks nobody outside`() async throws {
        try await NetworkHost.with { host in
            // The host's resolver is a neighbour, which answers whatever it is asked, and tells what that was.
            try await host.shell(
                "echo nameserver 192.0.2.2 >/run/resolv.conf; mount --bind /run/resolv.conf /etc/resolv.conf")
            let script = """
                import socket
                server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); server.bind(("192.0.2.2", 53))
                print("ready", flush=True)
                while True:
                    question, client = server.recvfrom(512); end = question.index(b"\\0", 12) + 5
                    print(question[13:13 + question[12]].decode(), flush=True)
                    server.sendto(question[:2] + bytes.fromhex("81800001000100000000") + question[12:end]
                        + bytes.fromhex("c00c000100010000003c000405060708"), client)
                """
            let resolver = try host.start(["python3", "-c", script], at: .neighbour)
            try await resolver.waitForOutput("ready")
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.net("create", "closed", "--subnet", "10.45.0.0/24", "--internal")
            for name in ["web", "db", "one", "two"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net("connect", "lab", "web", "--alias", "www", "--alias", "www.example.org")
            try await host.net("connect", "lab", "db")
            for name in ["one", "two"] { try await host.net("connect", "closed", name, "--alias", "also-\(name)") }
            for name in ["web", "www", "www.example.org"] {
                #expect(try await becomes("10.44.0.2") { try await ask(host, name, "A", from: "db") }, "\(name)")
            }
            #expect(try await host.net("hosts", "lab").contains("web web.lab www www.example.org"))
            #expect(try await becomes("5.6.7.8") { try await ask(host, "outside.example", "A", from: "db") })
            let inside = { (name: String) in try await ask(host, name, "A", from: "two", server: "10.45.0.1") }
            #expect(try await becomes("10.45.0.2") { try await inside("also-one") })
            #expect(try await inside("secret.example") != "5.6.7.8")
            #expect(!resolver.outputSoFar.contains("secret"), "\(resolver.outputSoFar)")
            // Also when it is started again.
            try await host.shell("kill -9 $(cat /run/swnet/names-internal/aardvark.pid)")
            let isMissed = try await eventually {
                try await host.swnet("check").output.contains("names of closed: the name server is not running")
            }
            #expect(isMissed)
            try await host.net("repair")
            #expect(try await becomes("10.45.0.2") { try await inside("one") })
            #expect(try await inside("secret.example") != "5.6.7.8")
            #expect(!resolver.outputSoFar.contains("secret"), "\(resolver.outputSoFar)")
            for name in ["one", "two"] { try await host.net("disconnect", "closed", name) }
            for name in ["web", "db"] { try await host.net("disconnect", "lab", name) }
            try await host.net("rm", "lab", "closed")
            let ended = try await eventually { try await host.must(["ss", "-Hlun", "sport = :61053"]).isEmpty }
            #expect(ended)
            await resolver.stop()
        }
    }

    @Test func `the default network has no name server`() async throws {
        try await NetworkHost.with { host in
            _ = try await host.serve("web", on: "bridge")
            #expect(try await host.must(["ss", "-Hlun", "sport = :61053"]) == "")
            #expect(try await host.net("hosts").contains("\tweb web.bridge"))
        }
    }
}
