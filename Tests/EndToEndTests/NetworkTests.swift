import Foundation
import TestSupport
import Testing

@Suite("networks")
struct NetworkTests {
    @Test func `outgoing traffic takes the host's address`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let server = try host.serve("TCP4-LISTEN:80,fork,reuseaddr", name: "outside", at: .neighbour)
            let server6 = try host.serve("TCP6-LISTEN:81,fork,reuseaddr", name: "outside", at: .neighbour)
            try await host.detach("--name", "a", "tools", "sleep", "1000")
            #expect(try await host.answer("TCP:192.0.2.2:80", inside: "a") == "192.0.2.1 outside")
            let answer = try await host.answer("TCP6:[2001:db8::2]:81", inside: "a")
            #expect(answer?.contains("2001:0db8:0000:0000:0000:0000:0000:0001") == true, "\(answer ?? "nothing")")
            #expect(try await host.inside("a", ["ping", "-c", "1", "-W", "2", "192.0.2.2"]).status == 0)
            await server.stop()
            await server6.stop()
            try await host.remove("a")
        }
    }

    /// The bridge asks for a container's hardware address under its own link-local one, which must be ready from the
    /// start: while the kernel still looks for duplicates of it, the first packets from outside are lost.
    @Test func `the first packet over IPv6 is not lost`() async throws {
        try await TestHost.with { host in
            for place in [TestHost.Place.host, .neighbour] {
                let ready = try await eventually {
                    try await host.must(["ip", "-6", "addr", "show", "dev", "eth0", "tentative"], at: place).isEmpty
                }
                try #require(ready, "eth0 itself is not ready")
            }
            try await host.must(["ip", "netns", "add", "web"])
            let server = try host.start([
                "ip", "netns", "exec", "web", "socat", "TCP6-LISTEN:80,fork,reuseaddr", "SYSTEM:read q; echo here",
            ])
            let listens = try await eventually {
                try await host.must(["ip", "netns", "exec", "web", "ss", "-Hltn"]).contains(":80")
            }
            try #require(listens)
            try await host.net("connect", "bridge", "web", "-p", "8080:80")
            #expect(try await host.ask("TCP6:[\(TestHost.address6)]:8080", at: .neighbour, timeout: 10) == "here")
            let counters = try await host.json(["nstat", "-asz", "--json", "TcpRetransSegs"], at: .neighbour)
            #expect(counters["kernel"]["TcpRetransSegs"].integer == 0, "\(counters)")
            await server.stop()
            try await host.net("disconnect", "bridge", "web")
            try await host.must(["ip", "netns", "del", "web"])
        }
    }

    /// Until the kernel has ended a namespace, a macvlan in it has its Ethernet address or its whole parent.
    @Test func `what a container has of the host's interfaces is there again when it has ended`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.net(
                "create", "lan", "-d", "macvlan", "-o", "parent=eth0", "--subnet", "192.0.2.0/24", "--gateway",
                "192.0.2.2")
            for round in 0..<8 {
                let result = try await host.box("run", "--rm", "--net", "lan", "--ip", "192.0.2.200", "tools", "true")
                #expect(result == "", "round \(round)")
            }
            try await host.net("rm", "lan")
            // A device that the kernel would have destroyed comes home, from the foreground, the background and a failure.
            try await host.shell("ip link add d0 type veth peer name d1; ip link set d0 address 02:aa:00:00:00:01")
            try await host.net("create", "card", "-d", "host-device", "-o", "device=d0", "--subnet", "10.70.0.0/24")
            let isHome = { try await host.must(["ip", "link", "show", "d0"]).contains("02:aa:00:00:00:01") }
            try await host.box("run", "--rm", "--net", "card", "tools", "true")
            #expect(try await isHome())
            let words = ["run", "--net", "card", "tools", "/nosuch"]
            #expect(try await host.run([Products.path("swbox")] + words).status == 127)
            #expect(try await isHome())
            try await host.detach("--name", "a", "--net", "card", "tools", "sleep", "1000")
            #expect(try await host.run(["ip", "link", "show", "d0"]).status != 0)
            try await host.remove("a")
            #expect(try await isHome())
            try await host.net("rm", "card")
            try await host.must(["ip", "link", "del", "d0"])
        }
    }

    @Test func `two networks do not see each other`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.net("create", "red")
            try await host.net("create", "blue")
            try await host.detach("--name", "a", "--hostname", "a", "--net", "red", "tools", "whoasks", "80")
            try await host.detach("--name", "b", "--hostname", "b", "--net", "red", "tools", "whoasks", "80")
            try await host.detach("--name", "c", "--hostname", "c", "--net", "blue", "tools", "whoasks", "80")
            let (a, c) = (try await host.addresses(of: "a"), try await host.addresses(of: "c"))
            #expect(try await host.answer("TCP:\(a.v4):80", inside: "b")?.hasSuffix("a") == true)
            #expect(try await host.answer("TCP:\(c.v4):80")?.hasSuffix("c") == true)
            #expect(try await host.ask("TCP:\(c.v4):80", inside: "a") == nil)
            #expect(try await host.ask("TCP:\(a.v4):80", inside: "c") == nil)
            #expect(try await host.inside("c", ["ping", "-c", "1", "-W", "1", a.v4]).status != 0)
            let v6 = try #require(a.v6)
            #expect(try await host.inside("b", ["ping", "-c", "1", "-W", "2", v6]).status == 0)
            #expect(try await host.inside("c", ["ping", "-c", "1", "-W", "1", v6]).status != 0)
            try await host.remove("a", "b", "c")
        }
    }

    @Test(
        .enabled("aardvark-dns is not installed") {
            try await Command.run(["test", "-x", "/usr/lib/podman/aardvark-dns"]).status == 0
        })
    func `other names on a network`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.net("create", "red")
            try await host.net("create", "blue")
            try await host.detach(
                "--name", "db", "--net", "red", "--net", "blue", "--network-alias", "sql", "--net-alias",
                "sql.example.org", "tools", "sleep", "1000")
            try await host.detach("--name", "web", "--net", "red", "tools", "sleep", "1000")
            try await host.detach("--name", "far", "--net", "blue", "tools", "sleep", "1000")
            let document = try await host.json([Products.path("swbox"), "inspect", "db"])
            let networks = document[0]["NetworkSettings"]["Networks"]
            #expect(networks["red"]["Aliases"].items.compactMap(\.text) == ["sql", "sql.example.org"], "\(networks)")
            let answers = { (name: String, network: String, client: String) in
                let gateway = networks[network]["Gateway"].text ?? ""
                return try await host.inside(client, ["busybox", "nslookup", name, gateway]).output
            }
            let address = try await host.addresses(of: "db").v4
            for name in ["db", "sql", "sql.example.org"] {
                let isFound = try await eventually {
                    try await answers(name, "red", "web").contains("Address: \(address)")
                }
                #expect(isFound, "\(name) of \(document)")
            }
            // On the first network only, as with docker.
            let second = try await host.addresses(of: "db", interface: "eth1").v4
            let isFound = try await eventually { try await answers("db", "blue", "far").contains("Address: \(second)") }
            #expect(isFound)
            #expect(try await !answers("sql", "blue", "far").contains("Address: \(second)"))
            for mode in ["bridge", "default", "host", "none", "container:web"] {
                let result = try await host.swbox("run", "--rm", "--net", mode, "--network-alias", "x", "tools", "true")
                expectRefusal(
                    result, status: 125, names: "alias is supported only for containers in user defined networks")
            }
            for alias in ["a/b", "", "a b", "x\ny", String(repeating: "a", count: 300)] {
                let result = try await host.swbox("run", "--net", "red", "--network-alias", alias, "tools", "true")
                expectRefusal(result, status: 125, names: "for --network-alias")
            }
            #expect(try await host.box("ps", "-aq").split(separator: "\n").count == 3)
            try await host.remove("db", "web", "far")
        }
    }

    @Test func `an internal network has a way neither out nor in`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.net("create", "closed", "--internal")
            let server = try host.serve("TCP4-LISTEN:80,fork,reuseaddr", name: "outside", at: .neighbour)
            #expect(try await host.answer("TCP:192.0.2.2:80") == "192.0.2.1 outside")
            try await host.detach("--name", "a", "--hostname", "a", "--net", "closed", "tools", "whoasks", "80")
            try await host.detach("--name", "b", "--net", "closed", "tools", "sleep", "1000")
            let a = try await host.addresses(of: "a")
            #expect(try await host.answer("TCP:\(a.v4):80", inside: "b")?.hasSuffix("a") == true)
            #expect(try await host.ask("TCP:192.0.2.2:80", inside: "b") == nil)
            // Even when the container routes to the bridge by itself.
            let gateway = try await host.json(["ip", "-j", "-4", "addr", "show", "dev", "sw-closed"])[0]["addr_info"][0]
            try await host.inside("b", ["ip", "route", "add", "default", "via", gateway["local"].text ?? "?"])
            #expect(try await host.ask("TCP:192.0.2.2:80", inside: "b") == nil)
            #expect(try await host.ask("TCP:\(a.v4):80", at: .neighbour) == nil)
            await server.stop()
            try await host.remove("a", "b")
        }
    }

    @Test func `the kernel has what create was asked for`() async throws {
        try await TestHost.with { host in
            try await host.net(
                "create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64", "--gateway", "10.44.0.254",
                "--mtu", "1400")
            try await host.importTools()
            try await host.detach("--name", "a", "--net", "lab", "tools", "sleep", "1000")
            let bridge = try await host.json(["ip", "-j", "-d", "addr", "show", "dev", "sw-lab"])[0]
            #expect(bridge["mtu"].integer == 1400 && bridge["linkinfo"]["info_kind"].text == "bridge")
            let own = bridge["addr_info"].items.compactMap { $0["local"].text }
            #expect(own.contains("10.44.0.254") && own.contains { $0.hasPrefix("fd00:44::") }, "\(own)")
            let inner = try JSONValue(
                await host.inside("a", ["ip", "-j", "addr", "show", "dev", "eth0"]).standardOutput)[0]
            #expect(inner["mtu"].integer == 1400)
            let addresses = try await host.addresses(of: "a")
            #expect(addresses.v4.hasPrefix("10.44.0.") && addresses.v6?.hasPrefix("fd00:44::") == true)
            let routes = try JSONValue(await host.inside("a", ["ip", "-j", "route"]).standardOutput).items
            #expect(routes.contains { $0["dst"].text == "default" && $0["gateway"].text == "10.44.0.254" })
            let links = try await host.json(["ip", "-j", "link"]).items
            #expect(links.filter { $0["master"].text == "sw-lab" }.count == 1)
            try await host.remove("a")
            try await host.net("rm", "lab")
            #expect(try await host.run(["ip", "link", "show", "dev", "sw-lab"]).status != 0)
        }
    }

    @Test func `host mode is the host's own network, none is loopback alone`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let own = try await host.must(["readlink", "/proc/self/ns/net"])
            #expect(try await host.box("run", "--rm", "--net", "host", "tools", "readlink", "/proc/self/ns/net") == own)
            #expect(try await host.box("run", "--rm", "--net=host", "tools", "ip", "addr").contains("192.0.2.1"))
            let none = try await host.box("run", "--rm", "--network", "none", "tools", "ip", "-o", "link")
            #expect(none.split(separator: "\n").count == 1 && none.contains("lo:") && none.contains("UP"), "\(none)")
        }
    }

    @Test func `container mode joins the other's network and no more`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach("--name", "a", "-p", "8080:80", "tools", "sleep", "1000")
            let number = try await host.processIdentifier(of: "a")
            let namespace = try await host.must(["readlink", "/proc/\(number)/ns/net"])
            try await host.detach("--name", "b", "--hostname", "b", "--net", "container:a", "tools", "whoasks", "80")
            let second = try await host.processIdentifier(of: "b")
            #expect(try await host.must(["readlink", "/proc/\(second)/ns/net"]) == namespace)
            for kind in ["mnt", "pid", "ipc"] {
                let first = try await host.must(["readlink", "/proc/\(number)/ns/\(kind)"])
                #expect(try await host.must(["readlink", "/proc/\(second)/ns/\(kind)"]) != first)
            }
            #expect(try await host.answer("TCP:127.0.0.1:8080") != nil)
            // The guest's end leaves the network to its owner.
            try await host.remove("b")
            #expect(try await host.inside("a", ["ip", "-j", "addr", "show", "dev", "eth0"]).status == 0)
            #expect(try await host.elements("published4") == 1)
            try await host.remove("a")
        }
    }

    @Test func `swnet alone serves a named namespace`() async throws {
        try await TestHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.net(
                "connect", "lab", "web", "--ip", "10.44.0.9", "--mac", "02:11:22:33:44:55", "--ifname", "up0")
            let link = try await host.json(["ip", "-n", "web", "-j", "addr", "show", "dev", "up0"])[0]
            #expect(link["address"].text == "02:11:22:33:44:55" && link["operstate"].text == "UP", "\(link)")
            #expect(link["addr_info"][0]["local"].text == "10.44.0.9")
            let server = try host.start([
                "ip", "netns", "exec", "web", "socat", "TCP4-LISTEN:80,fork,reuseaddr",
                "SYSTEM:read question; echo $SOCAT_PEERADDR web",
            ])
            try await host.net("publish", "web", "8080:80")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            let ports = try JSONValue(await host.net("ports", "--format", "json"))
            #expect("\(ports)".contains("8080"), "\(ports)")
            try await host.net("unpublish", "web", "8080:80")
            #expect(try await host.ask("TCP:192.0.2.1:8080", at: .neighbour, timeout: 1) == nil)
            #expect(try await host.answer("TCP:10.44.0.9:80") == "10.44.0.1 web")
            try await host.net("disconnect", "lab", "web")
            let links = try await host.json(["ip", "-n", "web", "-j", "link"]).items
            #expect(links.count == 1)
            await server.stop()
            try await host.must(["ip", "netns", "del", "web"])
        }
    }

    @Test func `swnet serves a process, a path and two networks at once`() async throws {
        try await TestHost.with { host in
            let sandbox = try host.start(["unshare", "--net", "sh", "-c", "echo $$; exec sleep 1000"])
            try await sandbox.waitForOutput("\n")
            let number = sandbox.outputSoFar.trimmingCharacters(in: .whitespacesAndNewlines)
            try await host.net("create", "one")
            try await host.net("create", "two")
            try await host.net("connect", "one", "pid:\(number)")
            try await host.net("connect", "two", "/proc/\(number)/ns/net")
            let enter = ["nsenter", "-t", number, "-n"]
            let links = try await host.json(enter + ["ip", "-j", "link"]).items.compactMap { $0["ifname"].text }
            #expect(links.sorted() == ["eth0", "eth1", "lo"])
            let routes = try await host.json(enter + ["ip", "-j", "route"]).items.filter { $0["dst"].text == "default" }
            // The first network's route is the one that is used; the second takes over when the first goes.
            let used = try await host.json(enter + ["ip", "-j", "route", "get", "192.0.2.2"])[0]["dev"].text
            #expect(used == "eth0", "\(routes)")
            await sandbox.stop()
            // Its namespace is gone; the next commands have to free its addresses without it.
            try await host.net("rm", "one")
            try await host.net("rm", "two")
        }
    }

    @Test func `addresses come back, and a lease of the dead is taken over`() async throws {
        try await TestHost.with { host in
            // Four usable addresses less the gateway.
            try await host.net("create", "tiny", "--subnet", "10.44.0.0/29")
            try await host.importTools()
            for round in 0..<8 {
                let text = try await host.box(
                    "run", "--rm", "--net", "tiny", "tools", "ip", "-o", "-4", "addr", "show", "eth0")
                #expect(text.contains("10.44.0."), "round \(round): \(text)")
            }
        }
    }

    @Test func `listings are JSON when asked`() async throws {
        try await TestHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            let list = try JSONValue(await host.net("ls", "--format", "json"))
            #expect(list.items.contains { ($0["name"].text ?? $0["Name"].text) == "lab" }, "\(list)")
            #expect(try await host.net("ls").contains("lab"))
            let inspected = try await host.net("inspect", "lab")
            #expect("\(try JSONValue(inspected))".contains("10.44.0.0"), "\(inspected)")
        }
    }

    @Test func `the default network keeps away from the host's routes`() async throws {
        try await TestHost.with { host in
            for third in 0..<4 {
                try await host.must(["ip", "route", "add", "10.\(87 + third).0.0/16", "via", "192.0.2.2"])
            }
            try await host.importTools()
            try await host.detach("--name", "a", "tools", "sleep", "1000")
            let v4 = try await host.addresses(of: "a").v4
            #expect(!v4.hasPrefix("10.87.") && !v4.hasPrefix("10.88.") && !v4.hasPrefix("10.89."), "\(v4)")
            try await host.remove("a")
        }
    }
}
