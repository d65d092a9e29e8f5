import Foundation
import TestSupport
import Testing

@Suite("swrun: an OCI bundle in, a process out")
struct RuntimeTests {
    /// Unpacks a bundle at `/run/bundle` and changes its document by a jq program.
    private func bundle(_ host: TestHost, _ change: String) async throws {
        let swrun = Products.path("swrun")
        try await host.must([
            "bash", "-ec",
            """
            mkdir -p /run/bundle/rootfs
            [ -e /run/bundle/rootfs/bin ] || tar -C /run/bundle/rootfs -xf \(host.images)/tools.tar
            rm -f /run/bundle/config.json
            \(swrun) spec --bundle /run/bundle
            jq '.linux.namespaces |= (map(select(.type != "cgroup")) + [{type: "cgroup"}])
                | \(RuntimeBundle.capabilities) | \(change)' /run/bundle/config.json > /run/bundle/new
            mv /run/bundle/new /run/bundle/config.json
            """,
        ])
    }

    private func run(_ host: TestHost) async throws -> CommandResult {
        try await host.run([Products.path("swrun"), "run", "--bundle", "/run/bundle", "box"])
    }

    @Test func `the process has what the document says`() async throws {
        try await TestHost.with { host in
            try await bundle(
                host,
                """
                .process.terminal = false | .process.args = ["sh", "-c", "hostname; id -u; pwd; echo $A; ls /proc | grep -c ^[0-9]; exit 9"]
                | .process.env += ["A=b"] | .hostname = "box1" | .process.cwd = "/srv" | .process.user = {"uid": 1000, "gid": 1000}
                """)
            let result = try await run(host)
            #expect(result.status == 9, "\(result)")
            #expect(Array(result.lines.prefix(4)) == ["box1", "1000", "/srv", "b"], "\(result)")
        }
    }

    @Test func `a container starts under a limit of 2 MiB of memory`() async throws {
        try await TestHost.with { host in
            // What becomes its program is in the cgroup before it begins to make the root.
            try await bundle(
                host,
                """
                .process.terminal = false | .process.args = ["busybox", "true"]
                | .linux.resources.memory = {"limit": 2097152, "swap": 2097152}
                """)
            let result = try await run(host)
            #expect(result.status == 0, "\(result)")
        }
    }

    @Test func `a read-only sysfs of a container that shares the host's network leaves the host's as it is`()
        async throws
    {
        try await TestHost.with { host in
            try await bundle(
                host,
                """
                .process.terminal = false | .process.args = ["grep", " /sys sysfs ", "/proc/mounts"]
                | .linux.namespaces |= map(select(.type != "network"))
                """)
            let before = try await host.must(["grep", " /sys sysfs ", "/proc/mounts"])
            let result = try await run(host)
            #expect(result.output.contains(" ro,"), "\(result)")
            #expect(try await host.must(["grep", " /sys sysfs ", "/proc/mounts"]) == before)
        }
    }

    @Test func `a namespace that is given is joined`() async throws {
        try await TestHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            let change = """
                .process.terminal = false | .process.args = ["readlink", "/proc/self/ns/net"]
                | .linux.namespaces |= map(if .type == "network" then .path = "/run/netns/web" else . end)
                """
            try await bundle(host, change)
            let result = try await run(host)
            let expected = try await host.must(["ip", "netns", "exec", "web", "readlink", "/proc/self/ns/net"])
            #expect(result.output == expected, "\(result)")
            try await host.must(["ip", "netns", "del", "web"])
        }
    }

    @Test(
        arguments: [
            (".process.args = [\"no-such-command\"]", 127, "no-such-command"),
            (".process.args = [\"/bin/not-executable\"]", 126, "/bin/not-executable"),
            (".process.args = []", 1, "args"), (".root.path = \"nowhere\"", 1, "nowhere"),
            (".process.cwd = \"relative\"", 1, "relative"),
            (".linux.namespaces += [{\"type\": \"nonsense\"}]", 1, "nonsense"),
            (".mounts += [{\"destination\": \"/x\", \"type\": \"nosuchfs\", \"source\": \"x\"}]", 1, "nosuchfs"),
        ] as [(String, Int32, String)])
    func `a document that cannot be run is refused`(change: String, status: Int32, name: String) async throws {
        try await TestHost.with { host in
            try await bundle(host, ".process.terminal = false | " + change)
            expectRefusal(try await run(host), status: status, names: name)
        }
    }

    @Test func `no bundle, no document, a document that is not JSON`() async throws {
        try await TestHost.with { host in
            let swrun = Products.path("swrun")
            expectRefusal(
                try await host.run([swrun, "run", "--bundle", "/run/nowhere", "box"]), status: 1,
                names: "/run/nowhere")
            try await host.shell("mkdir -p /run/empty; mkdir -p /run/broken; echo '{' > /run/broken/config.json")
            expectRefusal(
                try await host.run([swrun, "run", "--bundle", "/run/empty", "box"]), status: 1, names: "/run/empty")
            expectRefusal(
                try await host.run([swrun, "run", "--bundle", "/run/broken", "box"]), status: 1, names: "/run/broken")
        }
    }
}
