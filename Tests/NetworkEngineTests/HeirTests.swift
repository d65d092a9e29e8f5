import TestSupport
import Testing

/// A namespace that is known by a process, and lives on when that has ended because another is in it.
@Suite("namespaces that outlive their process")
struct HeirTests {
    /// Has two processes in a new namespace: the one it is known by, and its heir.
    private func start(_ host: NetworkHost) async throws -> (process: String, heir: String) {
        let numbers = try await host.must([
            "bash", "-c",
            """
            exec 3>&1; rm -f /run/heir
            unshare -n bash -c 'sleep 900 & echo $! >/run/heir; exec sleep 900' >/dev/null 2>&1 3>&- &
            until [ -s /run/heir ]; do sleep 0.02; done
            echo $!; cat /run/heir
            """,
        ]).split(separator: "\n").map(String.init)
        try #require(numbers.count == 2)
        return (numbers[0], numbers[1])
    }

    /// Ends the process, and waits until swnet knows.
    private func end(_ process: String, _ host: NetworkHost) async throws {
        try await host.must(["kill", "-9", process])
        let isTold = try await eventually {
            try await host.swnet("check").output.contains("process \(process) has ended")
        }
        #expect(isTold)
    }

    private func ports(_ host: NetworkHost) async throws -> Int {
        try await host.json(["ip", "-j", "link", "show", "master", "sw-lab"]).items.count
    }

    @Test func `it is the same sandbox by whichever process it is found`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            let (process, heir) = try await start(host)
            try await host.net("connect", "lab", "pid:\(process)", "-p", "8080:80")
            try await end(process, host)
            let twice = try await host.swnet("connect", "lab", "pid:\(heir)")
            #expect(twice.status == 1 && twice.errors.contains("is connected to lab already"), "\(twice)")
            #expect(try await host.net("check") == "")
            #expect(try await host.net("ports").contains("10.44.0.2"))
            let other = try await host.serve("web", on: "lab")
            #expect(try await host.addresses(of: "web") == ("10.44.0.3", "fd00:44::3"))
            try await host.net("disconnect", "lab", "pid:\(heir)")
            #expect(try await ports(host) == 1)
            #expect(try await host.net("check") == "")
            for server in other { await server.stop() }
            try await host.net("disconnect", "lab", "web")
            try await host.net("rm", "lab")
            #expect(try await host.nothingLeft() == [])
        }
    }

    @Test(arguments: ["gc", "repair", "disconnect lab pid:PROCESS", "connect lab web --ip 10.44.0.2"])
    func `nobody else gets its address while it goes on using it`(line: String) async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            let (process, heir) = try await start(host)
            try await host.net("connect", "lab", "pid:\(process)")
            let end = try await host.must(["bash", "-c", "ip -j link show master sw-lab | jq -r .[0].ifname"])
            try await self.end(process, host)
            try await host.shell("\(NetworkHost.swnet) \(line.replacing("PROCESS", with: process))")
            let isGone = try await eventually { try await host.run(["ip", "link", "show", "dev", end]).status != 0 }
            #expect(isGone)
            #expect(try await host.net("check") == "")
            // It can be connected again, and by the name of who is there.
            try await host.net("connect", "lab", "pid:\(heir)")
            #expect(try await host.net("check") == "")
        }
    }
}
