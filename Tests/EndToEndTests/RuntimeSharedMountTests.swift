import Foundation
import TestSupport
import Testing

@Suite("swrun: mount namespaces of others")
struct RuntimeSharedMountTests {
    private static let inherited = ".linux.namespaces |= map(select(.type != \"mount\"))"
    private static let mounts = ["cat", "/proc/self/mountinfo"]

    @Test func `without one of its own a container mounts in the host's, and takes its mounts away`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "exec sleep 1000", Self.inherited)
            let before = try await host.must(Self.mounts)
            try await bundle.create()
            try await bundle.must("start", "box")
            // The kernel's answer: it is the host's, and what is in it is on the root's directory alone.
            let namespace = try await host.must(["readlink", "/proc/self/ns/mnt"])
            #expect(try await bundle.must("exec", "box", "readlink", "/proc/self/ns/mnt") == namespace)
            let during = try await host.must(Self.mounts)
            #expect(during.hasPrefix(before) && during.contains(" /run/bundle/rootfs/proc "), "\(during)")
            let added = during.dropFirst(before.count).split(separator: "\n")
            #expect(added.allSatisfy { $0.split(separator: " ")[4].hasPrefix("/run/bundle/rootfs") }, "\(during)")
            // Neither its program nor what is executed in it begins in the host's root.
            let root = try await host.must(["ls", "/run/bundle/rootfs"])
            #expect(try await bundle.must("exec", "box", "ls", "/proc/1/root/") == root)
            #expect(try await bundle.must("exec", "box", "ls", "/") == root)
            #expect(try await bundle.must("exec", "box", "cat", "/proc/1/comm") == "sleep")
            try await bundle.must("delete", "--force", "box")
            #expect(try await host.must(Self.mounts) == before)
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a container that could not be made leaves no mounts`() async throws {
        try await TestHost.with { host in
            let change = Self.inherited + #" | .mounts += [{destination: "/proc/x", type: "tmpfs", source: "none"}]"#
            let bundle = try await RuntimeBundle(host, "true", change)
            let before = try await host.must(Self.mounts)
            for command in ["create", "run"] {
                #expect(try await bundle.swrun(command, "--bundle", "/run/bundle", "box").status == 1)
                #expect(try await host.must(Self.mounts) == before)
            }
            let other = try await RuntimeBundle(host, "true", Self.inherited)
            #expect(try await other.swrun("run", "--bundle", "/run/bundle", "box").status == 0)
            #expect(try await host.must(Self.mounts) == before)
        }
    }

    @Test func `what somebody has mounted on the root since stays`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "exec sleep 1000", Self.inherited)
            try await bundle.create()
            try await host.must(["mount", "-t", "tmpfs", "other", "/run/bundle/rootfs"])
            try await bundle.must("delete", "--force", "box")
            #expect(try await host.must(Self.mounts).contains(" tmpfs other "))
            try await host.must(["sh", "-c", "umount /run/bundle/rootfs && umount -R /run/bundle/rootfs"])
        }
    }

    @Test func `one that is named is entered, and the host's stays as it is`() async throws {
        try await TestHost.with { host in
            let pid = try await host.must([
                "bash", "-c",
                "unshare -m sleep 1000 </dev/null >/dev/null 2>&1 & until [ \"$(cat /proc/$!/comm)\" = sleep ]; do :; done; echo $!",
            ])
            let path = "/proc/\(pid)/ns/mnt"
            let bundle = try await RuntimeBundle(
                host, "exec sleep 1000",
                "(.linux.namespaces[] | select(.type == \"mount\")) += {path: \"\(path)\"}")
            let before = try await host.must(Self.mounts)
            try await bundle.create()
            try await bundle.must("start", "box")
            let namespace = try await host.must(["readlink", path])
            #expect(try await bundle.must("exec", "box", "readlink", "/proc/self/ns/mnt") == namespace)
            #expect(try await bundle.must("exec", "box", "ls", "/") == host.must(["ls", "/run/bundle/rootfs"]))
            #expect(try await host.must(Self.mounts) == before)
            try await bundle.must("delete", "--force", "box")
            try await host.must(["kill", pid])
            #expect(try await eventually { try await bundle.leftovers() == "" })
        }
    }

    @Test func `a user namespace needs mounts of its own`() async throws {
        try await TestHost.with { host in
            let maps = "[{containerID: 0, hostID: 100000, size: 65536}]"
            let change = """
                \(Self.inherited) | .linux.namespaces += [{type: "user"}]
                | .linux.uidMappings = \(maps) | .linux.gidMappings = \(maps)
                """
            let bundle = try await RuntimeBundle(host, "true", change)
            expectRefusal(
                try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1,
                names: "linux.namespaces: a user namespace needs a new mount namespace")
        }
    }
}
