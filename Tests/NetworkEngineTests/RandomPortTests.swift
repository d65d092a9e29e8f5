import TestSupport
import Testing

/// Host ports that the engine chooses.
@Suite("chosen ports")
struct RandomPortTests {
    private func port(_ line: Substring) -> Int? {
        line.split(separator: "/").first?.split(separator: ":").dropLast().last.flatMap { Int($0) }
    }

    @Test(arguments: ["tcp", "udp"])
    func `one for both families, printed, listed and taken back`(transport: String) async throws {
        try await NetworkHost.with { host in
            _ = try await host.serve("web", on: "bridge", [transport])
            let printed = try await host.net("publish", "web", "80/\(transport)")
            let chosen = try #require(port(printed[...]), "\(printed)")
            #expect(printed == "\(chosen):80/\(transport)")
            // Where the kernel gives none to whoever names none.
            #expect(!(32768...60999).contains(chosen) && chosen >= 32768, "\(chosen)")
            let kind = transport.uppercased()
            #expect(try await host.answer("\(kind):192.0.2.1:\(chosen)", at: .neighbour) == "192.0.2.2 web")
            #expect(try await host.answer("\(kind):[2001:db8::1]:\(chosen)", at: .neighbour) == "2001:db8::2 web")
            let listed = try await host.json([NetworkHost.swnet, "ports", "--format", "json"])[0]
            #expect(listed["hostPorts"].text == "\(chosen)" && listed["ports"].text == "80", "\(listed)")
            // What was asked for by its number is another, and stays.
            try await host.net("publish", "web", "8080:80/\(transport)")
            try await host.net("unpublish", "web", "80/\(transport)")
            #expect(try await host.elements("published4").count == 1)
            #expect(try await host.net("ports").contains("8080"))
            let again = try await host.swnet("unpublish", "web", "80/\(transport)")
            #expect(again.status == 1 && again.errors.contains("8080:80"), "\(again)")
            try await host.net("unpublish", "web", "8080:80/\(transport)")
            // And by the number that was chosen.
            let second = try await host.net("publish", "web", "80/\(transport)")
            try await host.net("unpublish", "web", second)
            #expect(try await host.elements("published4").isEmpty)
        }
    }

    @Test func `they are taken back as they were asked for or printed, and by no wider name`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "bridge", "web")
            let chosen = try await host.net("publish", "web", "90-99:80", "80", "80", "81-82").split(separator: "\n")
            #expect(chosen.count == 5 && chosen[0] == "90:80/tcp", "\(chosen)")
            for wider in ["80-179", "80-90", "89-99:80", "90-98:80", "91-99:80", "81", "81-83", "127.0.0.1::80"] {
                let result = try await host.swnet("unpublish", "web", wider)
                #expect(result.status == 1 && result.errors.contains("'\(wider)/tcp' is not published"), "\(result)")
                // With others that are published, none goes.
                #expect(try await host.swnet("unpublish", "web", "80", wider).status == 1)
            }
            #expect(try await host.elements("published4").count == 5)
            try await host.net("unpublish", "web", "80")
            #expect(try await host.net("ports", "-q") == [chosen[0], chosen[3], chosen[4]].joined(separator: "\n"))
            // One of a range by its number, the rest of it by the range.
            try await host.net("unpublish", "web", String(chosen[3]))
            try await host.net("unpublish", "web", "81-82", "90-99:80")
            #expect(try await host.elements("published4").isEmpty)
        }
    }

    @Test func `with a connection, on one address, and a range of them`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            let lines = try await host.net(
                "connect", "bridge", "web", "-p", "127.0.0.1::80", "-p", "8000-8002", "-p", "8080:81"
            ).split(separator: "\n")
            #expect(lines.count == 4 && lines[0].hasPrefix("127.0.0.1:"), "\(lines)")
            #expect(Set(lines.compactMap(port)).count == 4)
            #expect(
                lines.dropFirst().map { $0.split(separator: ":").last ?? "" } == ["8000/tcp", "8001/tcp", "8002/tcp"])
            _ = try await host.listen("web", ["tcp"], port: 80)
            let chosen = try #require(port(lines[0]))
            #expect(try await host.answer("TCP:127.0.0.1:\(chosen)")?.hasSuffix("web") == true)
            #expect(try await host.ask("TCP:192.0.2.1:\(chosen)", at: .neighbour) == nil)
            try await host.net("unpublish", "web", "8000-8002")
            #expect(try await host.elements("published4").count == 1)
            try await host.net("unpublish", "web", "127.0.0.1::80", "8080:81")
            #expect(try await host.elements("published4_at").isEmpty)
        }
    }

    @Test func `one of a range: the first that neither a process nor a sandbox has`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            try await host.must(["ip", "netns", "add", "other"])
            try await host.net("connect", "bridge", "web")
            try await host.net("connect", "bridge", "other", "-p", "8001:80")
            _ = try await host.listen("host", ["tcp"], port: 8000, at: .host)
            #expect(try await host.net("publish", "web", "8000-8003:80") == "8002:80/tcp")
            #expect(try await host.net("publish", "web", "8000-8003:80") == "8003:80/tcp")
            let full = try await host.swnet("publish", "web", "8000-8003:80")
            #expect(full.status == 1 && full.errors.contains("every port of 8000-8003 is taken"), "\(full)")
            // The dead give theirs back.
            try await host.must(["ip", "netns", "del", "other"])
            #expect(try await host.net("publish", "web", "8000-8003:80") == "8001:80/tcp")
            // A port of another protocol is none of these.
            #expect(try await host.net("publish", "web", "8000-8003:80/udp") == "8000:80/udp")
        }
    }

    @Test func `none that is reserved, and none when none is left`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "bridge", "web")
            try await host.shell(
                """
                sysctl -qw net.ipv4.ip_local_port_range="1024 65000"
                sysctl -qw net.ipv4.ip_local_reserved_ports="65001-65533,65535"
                """)
            #expect(try await host.net("publish", "web", "80") == "65534:80/tcp")
            // The rest of docker's range, although the kernel gives from it too.
            let second = try await host.net("publish", "web", "80")
            #expect(port(second[...]).map { (49153...65000).contains($0) } == true, "\(second)")
            try await host.must(["sysctl", "-qw", "net.ipv4.ip_local_reserved_ports=1024-65535"])
            let none = try await host.swnet("publish", "web", "81")
            #expect(none.status == 1 && none.errors.contains("no free port"), "\(none)")
            let plan = try await host.swnet("publish", "web", "9000-9005:81", "--dry-run")
            #expect(plan.status == 0 && plan.output.contains("9000:81/tcp"), "\(plan)")
            #expect(try await host.elements("published4").count == 2)
        }
    }

    @Test func `thirty at once get thirty ports`() async throws {
        try await NetworkHost.with { host in
            let line = """
                for i in $(seq 30); do ip netns add s$i; done
                for i in $(seq 30); do "$0" connect bridge s$i -p 80 2>/dev/null & done; wait
                """
            let result = try await host.run(["bash", "-c", line, NetworkHost.swnet])
            #expect(Set(result.lines).count == 30, "\(result)")
            #expect(try await host.elements("published4").count == 30)
        }
    }
}
