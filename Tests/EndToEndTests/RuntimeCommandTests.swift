import Foundation
import TestSupport
import Testing

@Suite("swrun: what engines and people rely on in its peers")
struct RuntimeCommandTests {
    /// A container whose document says nothing about cgroups.
    private static let plain = "del(.linux.resources) | del(.linux.cgroupsPath)"

    @Test func `a container without a word about cgroups can be paused and limited`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "exec sleep 1000", Self.plain)
            try await bundle.create()
            try await bundle.must("start", "box")
            try await bundle.must("pause", "box")
            #expect(try await bundle.state()["status"].text == "paused")
            let frozen = "find /sys/fs/cgroup -path '*swrun/box/cgroup.events' -o -path '*swrun/box/freezer.state'"
            let state = try await host.shell("\(frozen) | xargs cat")
            #expect(state.output.contains("frozen 1") || state.output.contains("FROZEN"), "\(state)")
            try await bundle.must("resume", "box")
            try await bundle.must("update", "--pids-limit", "77", "box")
            let limit = try await host.must(["sh", "-c", "find /sys/fs/cgroup -path '*swrun/box/pids.max' | xargs cat"])
            #expect(limit == "77")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a container that waits holds nothing of the host's open`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host)
            let swrun = Products.path("swrun")
            try await host.must([
                "bash", "-c",
                "touch /run/secret; exec 9</run/secret; \(swrun) create --bundle /run/bundle box </dev/null >/dev/null 2>&1",
            ])
            let pid = try #require(try await bundle.state()["pid"].integer)
            let open = try await host.must(["sh", "-c", "for f in /proc/\(pid)/fd/*; do readlink $f; done | sort -u"])
            let strange = open.split(separator: "\n").filter {
                $0 != "/dev/null" && $0 != "/run/swrun/box/waiting" && !$0.hasPrefix("socket:")
            }
            #expect(strange == [], "\(open)")
            try await bundle.must("start", "box")
            #expect(try await bundle.state()["status"].text == "running")
            try await bundle.must("delete", "--force", "box")
        }
    }

    @Test func `delete takes a regular expression`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host)
            for name in ["web-1", "web-2", "db"] { try await bundle.create(name) }
            expectRefusal(try await bundle.swrun("delete", "--regex", "["), status: 1, names: "'['")
            try await bundle.must("delete", "--force", "--regex", "^web-[0-9]+$")
            #expect(try await bundle.must("list", "--quiet") == "db")
            try await bundle.must("delete", "--force", "--regex", "nothing")
            try await bundle.must("delete", "--force", "db")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a container that somebody has frozen elsewhere is deleted, and who else is there stays`() async throws {
        try await TestHost.with { host in
            guard try await host.shell("test -e /sys/fs/cgroup/freezer/cgroup.procs").status == 0 else {
                return print("skipped: this machine has no freezer of cgroup v1")
            }
            let bundle = try await RuntimeBundle(host, "exec sleep 1000", Self.plain)
            try await bundle.create()
            try await bundle.must("start", "box")
            let pid = try #require(try await bundle.state()["pid"].integer)
            let other = try await host.must([
                "bash", "-c",
                """
                sleep 1000 </dev/null >/dev/null 2>&1 & mkdir /sys/fs/cgroup/freezer/ice; cd /sys/fs/cgroup/freezer/ice
                echo $! >cgroup.procs; echo \(pid) >cgroup.procs; echo FROZEN >freezer.state; echo $!
                """,
            ])
            try await bundle.must("delete", "--force", "box")
            #expect(try await host.shell("test -e /proc/\(pid)").status == 1)
            #expect(try await host.must(["cat", "/sys/fs/cgroup/freezer/ice/freezer.state"]) != "THAWED")
            try await host.must([
                "bash", "-c",
                "cd /sys/fs/cgroup/freezer; echo THAWED >ice/freezer.state; kill -9 \(other); until rmdir ice; do sleep 0.1; done",
            ])
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a log that cannot be written is an error`() async throws {
        try await TestHost.with { host in
            for log in ["/nowhere/log", "/run", "invalid:/log"] {
                expectRefusal(
                    try await host.run([Products.path("swrun"), "--log", log, "list"]), status: 1, names: log)
            }
        }
    }

    @Test func `spec --rootless is for one user, and says its version as its peers do`() async throws {
        try await TestHost.with { host in
            let swrun = Products.path("swrun")
            try await host.must(["sh", "-c", "mkdir /run/spec; \(swrun) spec --rootless --bundle /run/spec"])
            let spec = try JSONValue(try await host.must(["cat", "/run/spec/config.json"]))
            #expect(spec["linux"]["uidMappings"][0]["size"].integer == 1)
            let kinds = try await host.must(["jq", "-r", ".linux.namespaces[].type", "/run/spec/config.json"])
            #expect(kinds.contains("user") && !kinds.contains("network"))
            // Not over one that is there.
            expectRefusal(
                try await host.run([swrun, "spec", "--bundle", "/run/spec"]), status: 1, names: "config.json")
            let version = try await host.must([swrun, "--version"]).split(separator: "\n")
            #expect(version.first?.hasPrefix("swrun version ") == true)
            #expect(version.dropFirst().map { $0.prefix { $0 != ":" } } == ["commit", "spec"])
        }
    }

    @Test func `without a cgroup namespace a container sees its own cgroups alone`() async throws {
        try await TestHost.with { host in
            let change = Self.plain + " | .linux.namespaces |= map(select(.type != \"cgroup\"))"
            let bundle = try await RuntimeBundle(
                host, "cat /proc/self/cgroup; find /sys/fs/cgroup -name cgroup.procs | xargs cat | sort -u", change)
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.status == 0, "\(result)")
            let lines = result.lines.filter { $0.contains(":") }
            #expect(!lines.isEmpty && lines.allSatisfy { $0.hasSuffix("/swrun/box") }, "\(result)")
            // Numbers of its own pid namespace; 0 would be somebody outside.
            #expect(!result.lines.contains("0"), "\(result)")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a capability that cannot be given is told about`() async throws {
        try await TestHost.with { host in
            let change = """
                .process.capabilities.bounding += ["CAP_UNKNOWN"] | .process.capabilities.effective += ["CAP_SYS_BOOT"] |
                .process.capabilities = (.process.capabilities | .permitted += ["CAP_SYSLOG"] | .bounding += ["CAP_SYSLOG"]
                | .inheritable = ["CAP_KILL", "CAP_SYSLOG"] | .ambient = ["CAP_KILL", "CAP_CHOWN"])
                """
            let bundle = try await RuntimeBundle(host, "grep CapAmb /proc/self/status; exec sleep 1000", change)
            try await bundle.must("create", "--bundle", "/run/bundle", "box")
            let warning = try await host.must(["cat", "/run/err"])
            #expect(warning.contains("can't raise ambient capability CAP_CHOWN") && !warning.contains("CAP_KILL"))
            #expect(warning.contains("ignoring unknown or unavailable capabilities: [CAP_UNKNOWN]"), "\(warning)")
            #expect(warning.contains("can't make capability CAP_SYS_BOOT effective"), "\(warning)")
            let inside = try await bundle.must(
                "exec", "--cap", "CAP_SYSLOG", "box", "grep", "CapAmb", "/proc/self/status")
            #expect(inside.hasSuffix("0000000400000020"), "\(inside)")
            try await bundle.must("delete", "--force", "box")
        }
    }
}
