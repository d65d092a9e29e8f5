import TestSupport
import Testing

@Suite("the main job: a real Redis")
struct RedisTests {
    @Test func `redis serves the host, the neighbour and a second container`() async throws {
        try await TestHost.with { host in
            try await host.importRedis()
            let id = try await host.detach(
                "--net=bridge", "-p", "6379:6379", "redis", "redis-server", "--protected-mode", "no")
            #expect(id.count == 64 && id.allSatisfy { $0.isHexDigit })
            let cli = { (address: String) in ["redis-cli", "-h", address, "-p", "6379"] }
            let up = try await eventually {
                try await host.run(cli("127.0.0.1") + ["ping"]).output == "PONG"
            }
            #expect(up)
            #expect(try await host.must(cli("127.0.0.1") + ["set", "key", "from loopback"]) == "OK")
            #expect(try await host.must(cli(TestHost.address) + ["get", "key"]) == "from loopback")
            #expect(try await host.must(cli(TestHost.address) + ["get", "key"], at: .neighbour) == "from loopback")
            #expect(try await host.must(cli(TestHost.address6) + ["get", "key"]) == "from loopback")
            #expect(try await host.must(cli(TestHost.address6) + ["get", "key"], at: .neighbour) == "from loopback")
            let server = try await host.addresses(of: id)
            #expect(
                try await host.box("run", "--rm", "redis", "redis-cli", "-h", server.v4, "get", "key")
                    == "from loopback")
            #expect(
                try await host.box("run", "--rm", "redis", "redis-cli", "-h", TestHost.address, "get", "key")
                    == "from loopback")
            try await host.remove(id)
        }
    }

    @Test func `a thousand values survive pipelining through the published port`() async throws {
        try await TestHost.with { host in
            try await host.importRedis()
            let id = try await host.detach(
                "-p", "127.0.0.1:7000:6379", "redis", "redis-server", "--protected-mode", "no", "--save", "")
            let ping = ["redis-cli", "-p", "7000", "ping"]
            #expect(try await eventually { try await host.run(ping).output == "PONG" })
            let bench = try await host.run(
                ["redis-benchmark", "-p", "7000", "-n", "5000", "-c", "20", "-P", "16", "-t", "set", "-q"])
            #expect(bench.status == 0 && bench.output.contains("requests per second"), "\(bench)")
            // Redis ends with 0 after SIGTERM, which is what stop sends first.
            try await host.box("stop", id)
            let state = try JSONValue(await host.box("inspect", id))[0]["State"]
            #expect(state["ExitCode"].integer == 0 && state["Running"] == .bool(false), "\(state)")
            try await host.remove(id)
        }
    }
}
