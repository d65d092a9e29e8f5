import Foundation
import TestSupport
import Testing

@Suite("swrun: user and time namespaces, and mounts changed")
struct RuntimeNamespaceTests {
    private static let user = """
        .linux.namespaces += [{type: "user"}]
        | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
        | .linux.gidMappings = [{containerID: 0, hostID: 200000, size: 65536}]
        """

    @Test func `the container's root is nobody on the host`() async throws {
        try await TestHost.with { host in
            try await host.must([
                "bash", "-ec", "mkdir /run/theirs && echo secret >/run/theirs/file && chmod 600 /run/theirs/file",
            ])
            let change =
                Self.user
                + #" | .mounts += [{destination: "/theirs", type: "bind", source: "/run/theirs", options: ["bind"]}]"#
            let bundle = try await RuntimeBundle(host, "sleep 1000", change)
            // The root belongs to the host's user, so the container's may not make a place in it.
            try await host.must(["mkdir", "/run/bundle/rootfs/theirs"])
            try await bundle.must("run", "--detach", "--bundle", "/run/bundle", "box")
            let pid = try #require(try await bundle.state()["pid"].integer)
            let identity = try await host.must(["awk", "/^(Uid|Gid)/ { print $2 }", "/proc/\(pid)/status"])
            #expect(identity == "100000\n200000")
            let own = try await host.must(["readlink", "/proc/self/ns/user"])
            #expect(try await host.must(["readlink", "/proc/\(pid)/ns/user"]) != own)

            let inside = try await bundle.swrun(
                "exec", "box", "sh", "-c",
                "id -u; readlink /proc/self/ns/user; cat /theirs/file; touch /theirs/new; true")
            #expect(inside.lines.first == "0", "\(inside)")
            #expect(try await host.must(["readlink", "/proc/\(pid)/ns/user"]) == inside.lines.last, "\(inside)")
            #expect(!inside.output.contains("secret"), "\(inside)")
            #expect(try await host.shell("test -e /run/theirs/new").status == 1)
            // What it makes belongs to it, and its devices are the host's nodes.
            let made = try await bundle.swrun(
                "exec", "box", "sh", "-c", "touch /dev/shm/f; stat -c %u /dev/shm/f; echo x >/dev/null && echo may")
            #expect(made.lines == ["0", "may"], "\(made)")
            #expect(try await bundle.swrun("exec", "--user", "5:6", "box", "id", "-u").output == "5")
            #expect(try await bundle.swrun("exec", "--user", "70000", "box", "id", "-u").status == 255)
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a network of the host's is joined from a new user namespace`() async throws {
        try await TestHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            let change =
                Self.user + """
                     | .linux.namespaces |= map(if .type == "network" then .path = "/run/netns/web" else . end)
                     | .mounts |= map(select(.type != "sysfs" and .type != "cgroup"))
                    """
            let bundle = try await RuntimeBundle(host, "readlink /proc/self/ns/net", change)
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(
                result.output
                    == (try await host.must(["ip", "netns", "exec", "web", "readlink", "/proc/self/ns/net"])),
                "\(result)")
            try await host.must(["ip", "netns", "del", "web"])
        }
    }

    @Test(
        arguments: [
            (".linux.uidMappings = []", "linux.uidMappings"), (".linux.gidMappings = null", "linux.gidMappings"),
            (".linux.uidMappings[0].size = 0", "linux.uidMappings[0].size"),
            (".linux.uidMappings += .linux.uidMappings", "linux.uidMappings"),
            (".linux.uidMappings[0].containerID = 1", "linux.uidMappings"),
            (".linux.namespaces |= map(select(.type != \"user\"))", "linux.uidMappings"),
        ])
    func `maps that cannot be are refused by name`(change: String, name: String) async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000", Self.user + " | " + change)
            expectRefusal(
                try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1, names: name)
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `clocks of a time namespace are set`() async throws {
        try await TestHost.with { host in
            let change = """
                .linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 864000, nanosecs: 5}, monotonic: {secs: 77}}
                """
            let bundle = try await RuntimeBundle(host, "cut -d. -f1 /proc/uptime; exec sleep 1000", change)
            let before = try #require(Int(try await host.must(["bash", "-c", "cut -d. -f1 /proc/uptime"])))
            try await bundle.must("run", "--detach", "--bundle", "/run/bundle", "box")
            let pid = try #require(try await bundle.state()["pid"].integer)
            let offsets = try await host.must(["bash", "-c", "xargs </proc/\(pid)/timens_offsets"])
            #expect(offsets == "monotonic 77 0 boottime 864000 5")
            let own = try await host.must(["readlink", "/proc/self/ns/time"])
            #expect(try await host.must(["readlink", "/proc/\(pid)/ns/time"]) != own)
            let inside = try await bundle.swrun(
                "exec", "box", "sh", "-c", "cut -d. -f1 /proc/uptime; readlink /proc/self/ns/time")
            #expect((inside.lines.first.flatMap { Int($0) } ?? 0) >= before + 864000, "\(inside)")
            #expect(inside.lines.last == (try await host.must(["readlink", "/proc/\(pid)/ns/time"])), "\(inside)")
            try await bundle.must("delete", "--force", "box")
            for (change, name) in [
                (".linux.timeOffsets = {boottime: {secs: 1}}", "linux.timeOffsets"),
                (
                    ".linux.namespaces += [{type: \"time\"}] | .linux.timeOffsets = {realtime: {secs: 1}}",
                    "linux.timeOffsets.realtime"
                ),
                (
                    ".linux.namespaces += [{type: \"time\"}] | .linux.timeOffsets = {boottime: {secs: -99999999}}",
                    "linux.timeOffsets"
                ),
            ] {
                let bundle = try await RuntimeBundle(host, "sleep 1000", change)
                expectRefusal(
                    try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1, names: name)
            }
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a mount that is there is changed by remount, and only a mount`() async throws {
        try await TestHost.with { host in
            let change = #".mounts += [{destination: "/dev/shm", type: "tmpfs", options: ["remount", "ro", "noexec"]}]"#
            let bundle = try await RuntimeBundle(host, "grep /dev/shm /proc/self/mountinfo; touch /dev/shm/x", change)
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(
                result.status != 0 && result.output.contains(" ro,") && result.output.contains("noexec"), "\(result)")
            for (change, name) in [
                (#".mounts += [{destination: "/bin", type: "none", options: ["remount", "ro"]}]"#, "mounts[7]"),
                (
                    #".mounts += [{destination: "/dev/shm", type: "tmpfs", options: ["remount", "size=1k"]}]"#,
                    "mounts[7].options"
                ),
            ] {
                let bundle = try await RuntimeBundle(host, "true", change)
                expectRefusal(
                    try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1, names: name)
            }
            #expect(try await bundle.leftovers() == "")
        }
    }
}
