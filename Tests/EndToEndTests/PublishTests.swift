import TestSupport
import Testing

@Suite("published ports")
struct PublishTests {
    @Test(arguments: [0, 1])
    func `all addresses, both families, from everywhere`(bridgeFilter: Int) async throws {
        try await TestHost.with { host in
            // br_netfilter sends bridged frames through the same chains; either setting has to work.
            try await host.shell("sysctl -qw net.bridge.bridge-nf-call-iptables=\(bridgeFilter)")
            try await host.importTools()
            try await host.detach("--name", "web", "--hostname", "web", "-p", "8080:80", "tools", "whoasks", "80")
            try await host.detach("--name", "other", "tools", "sleep", "1000")
            #expect(try await host.answer("TCP:127.0.0.1:8080")?.hasSuffix("web") == true)
            #expect(try await host.ask("TCP:\(TestHost.address):8080")?.hasSuffix("web") == true)
            // From outside the server sees who really asks.
            #expect(
                try await host.answer("TCP:\(TestHost.address):8080", at: .neighbour) == "\(TestHost.neighbour) web")
            // Hairpin: the container itself and its neighbour on the bridge, through the host's address.
            #expect(try await host.ask("TCP:\(TestHost.address):8080", inside: "web")?.hasSuffix("web") == true)
            #expect(try await host.ask("TCP:\(TestHost.address):8080", inside: "other")?.hasSuffix("web") == true)
            // And directly, without translation.
            let (web, other) = (try await host.addresses(of: "web").v4, try await host.addresses(of: "other").v4)
            #expect(try await host.answer("TCP:\(web):80", inside: "other") == "\(other) web")
            try await host.remove("web", "other")
            #expect(try await host.ask("TCP:127.0.0.1:8080", timeout: 1) == nil)
        }
    }

    @Test func `IPv6 from the host, the neighbour and a second container`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach(
                "--name", "web", "--hostname", "web", "-p", "8080:80", "tools", "whoasks", "80", "tcp6")
            try await host.detach("--name", "other", "tools", "sleep", "1000")
            #expect(try await host.answer("TCP6:[\(TestHost.address6)]:8080")?.hasSuffix("web") == true)
            let asked = try await host.ask("TCP6:[\(TestHost.address6)]:8080", at: .neighbour)
            #expect(asked?.hasSuffix("web") == true && asked?.hasPrefix("[2001:0db8") == true, "\(asked ?? "nothing")")
            #expect(try await host.ask("TCP6:[\(TestHost.address6)]:8080", inside: "other")?.hasSuffix("web") == true)
            let web = try #require(try await host.addresses(of: "web").v6)
            #expect(try await host.ask("TCP6:[\(web)]:80", inside: "other")?.hasSuffix("web") == true)
            try await host.remove("web", "other")
        }
    }

    @Test func `UDP on all addresses and from a second container`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach(
                "--name", "dns", "--hostname", "dns", "-p", "5353:53/udp", "tools", "whoasks", "53", "udp4")
            #expect(try await host.answer("UDP:127.0.0.1:5353")?.hasSuffix("dns") == true)
            #expect(try await host.ask("UDP:\(TestHost.address):5353")?.hasSuffix("dns") == true)
            #expect(
                try await host.answer("UDP:\(TestHost.address):5353", at: .neighbour) == "\(TestHost.neighbour) dns")
            // The same number of the other protocol is not published.
            #expect(try await host.ask("TCP:127.0.0.1:5353", timeout: 1) == nil)
            try await host.remove("dns")
        }
    }

    @Test func `one address only`() async throws {
        try await TestHost.with { host in
            try await host.shell("ip addr add 192.0.2.77/24 dev eth0")
            try await host.importTools()
            try await host.detach(
                "--name", "a", "--hostname", "a", "-p", "192.0.2.77:8080:80", "tools", "whoasks", "80")
            // Another container may have the same port on another address.
            try await host.detach(
                "--name", "b", "--hostname", "b", "-p", "192.0.2.1:8080:80", "tools", "whoasks", "80")
            #expect(try await host.answer("TCP:192.0.2.77:8080", at: .neighbour) == "\(TestHost.neighbour) a")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "\(TestHost.neighbour) b")
            #expect(try await host.ask("TCP:192.0.2.77:8080")?.hasSuffix("a") == true)
            #expect(try await host.ask("TCP:127.0.0.1:8080", timeout: 1) == nil)
            try await host.remove("a", "b")
        }
    }

    @Test func `an IPv6 address only`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach(
                "--name", "a", "--hostname", "a", "-p", "[2001:db8::1]:8080:80", "tools", "whoasks", "80", "tcp6")
            #expect(try await host.answer("TCP6:[2001:db8::1]:8080", at: .neighbour)?.hasSuffix("a") == true)
            #expect(try await host.ask("TCP:192.0.2.1:8080", at: .neighbour, timeout: 1) == nil)
            try await host.remove("a")
        }
    }

    @Test func `loopback only, with no process in between`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach(
                "--name", "a", "--hostname", "a", "-p", "127.0.0.1:8080:80", "tools", "whoasks", "80")
            #expect(try await host.answer("TCP:127.0.0.1:8080")?.hasSuffix("a") == true)
            #expect(try await host.ask("TCP:192.0.2.1:8080", timeout: 1) == nil)
            #expect(try await host.ask("TCP:192.0.2.1:8080", at: .neighbour, timeout: 1) == nil)
            // No socket of the host listens on it.
            #expect(try await host.must(["ss", "-Hltn", "sport = :8080"]) == "")
            try await host.remove("a")
        }
    }

    @Test func `ranges, and a container's port alone`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach(
                "--name", "a", "--hostname", "a", "-p", "8000-8002:80-82", "-p", "99", "tools", "sh", "-c",
                "whoasks 80 & whoasks 82 & whoasks 99")
            #expect(try await host.answer("TCP:127.0.0.1:8000")?.hasSuffix("a") == true)
            #expect(try await host.answer("TCP:127.0.0.1:8002")?.hasSuffix("a") == true)
            #expect(try await host.ask("TCP:127.0.0.1:8001", timeout: 1) == nil)
            // docker chooses a free port of the host and shows it in ps and inspect.
            let ports = try JSONValue(await host.box("inspect", "a"))[0]["NetworkSettings"]["Ports"]
            let chosen = try #require(ports["99/tcp"][0]["HostPort"].text, "\(ports)")
            #expect(try await host.answer("TCP:127.0.0.1:\(chosen)")?.hasSuffix("a") == true)
            #expect(try await host.box("port", "a", "99") == "0.0.0.0:\(chosen)\n[::]:\(chosen)")
            let all = try await host.box("port", "a")
            #expect(all.hasPrefix("80/tcp -> 0.0.0.0:8000\n80/tcp -> [::]:8000\n81/tcp"), "\(all)")
            #expect(try await host.box("ps").contains("0.0.0.0:\(chosen)->99/tcp, [::]:\(chosen)->99/tcp"))
            let none = try await host.swbox("port", "a", "98")
            #expect(none.status == 1 && none.errors.contains("98/tcp"), "\(none)")
            #expect(try await host.swnet("unpublish", "a", "99").status == 0)
            #expect(try await !host.box("port", "a").contains("99/tcp"))
            try await host.remove("a")
        }
    }

    @Test func `::1, by a relay that ends with the container`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach(
                "--name", "a", "--hostname", "a", "-p", "[::1]:8080:80", "tools", "whoasks", "80", "tcp6")
            #expect(try await host.answer("TCP:[::1]:8080")?.hasSuffix("a") == true)
            #expect(try await host.ask("TCP:127.0.0.1:8080", timeout: 1) == nil)
            #expect(try await host.must(["ss", "-Hltn", "sport = :8080"]).contains("[::1]:8080"))
            try await host.remove("a")
            #expect(try await host.must(["ss", "-Hltn", "sport = :8080"]) == "")
        }
    }

    @Test func `a thousand ports are a thousand elements, and none is left`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach(
                "--name", "a", "--hostname", "a", "-p", "10000-10999:10000-10999", "tools", "whoasks", "10999")
            #expect(try await host.answer("TCP:127.0.0.1:10999")?.hasSuffix("a") == true)
            let count = try await host.elements("published4")
            #expect(count == 1000)
            try await host.remove("a")
        }
    }

    @Test func `a port that changes hands goes to its new owner`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            for name in ["first", "second"] {
                try await host.detach(
                    "--name", name, "--hostname", name, "-p", "5353:53/udp", "tools", "whoasks", "53", "udp4")
                // The same source port again and again: a connection the kernel still tracks leads to the old owner.
                let answered = try await eventually {
                    try await host.ask("UDP:192.0.2.1:5353,sourceport=40000", at: .neighbour, timeout: 1)
                        == "\(TestHost.neighbour) \(name)"
                }
                #expect(answered, "\(name)")
                try await host.remove(name)
            }
        }
    }
}
