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
            // The kernel's answer: it is the host's, and what is in it is in the container's state alone.
            let namespace = try await host.must(["readlink", "/proc/self/ns/mnt"])
            #expect(try await bundle.must("exec", "box", "readlink", "/proc/self/ns/mnt") == namespace)
            let during = try await host.must(Self.mounts)
            #expect(during.hasPrefix(before) && during.contains(" /run/swrun/box/rootfs/proc "), "\(during)")
            let added = during.dropFirst(before.count).split(separator: "\n")
            #expect(added.allSatisfy { $0.split(separator: " ")[4].hasPrefix("/run/swrun/box/rootfs") }, "\(during)")
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

    @Test func `all of a container's mounts go, and nobody else's, whatever is done to its root`() async throws {
        try await TestHost.with { host in
            // With a link in the place of the root, which leads elsewhere later.
            let change = """
                \(Self.inherited) | .root.path = "/run/link"
                | .process.capabilities |= map_values(["CAP_SYS_ADMIN"]) | del(.linux.seccomp)
                """
            let bundle = try await RuntimeBundle(host, "mount -t tmpfs own / && exec sleep 1000", change)
            try await host.shell("ln -s bundle/rootfs /run/link; mkdir /run/else")
            let before = try await host.must(Self.mounts)
            // The same root for both, and neither is on top of the other.
            for name in ["box", "other"] {
                try await bundle.create(name)
                try await bundle.must("start", name)
            }
            #expect(
                try await eventually { try await host.must(Self.mounts).components(separatedBy: " own ").count == 3 })
            try await host.must(["ln", "-sfn", "else", "/run/link"])
            try await host.must(["mount", "-t", "tmpfs", "others", "/run/bundle/rootfs"])
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.must("exec", "other", "readlink", "/proc/1/ns/mnt") != "")
            try await bundle.must("delete", "--force", "other")
            try await host.must(["umount", "/run/bundle/rootfs"])
            #expect(try await host.must(Self.mounts) == before)
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `the host's root as a container's stays what others see`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000", Self.inherited + #" | .root.path = "/""#)
            let before = try await host.must(Self.mounts)
            try await bundle.create()
            // Who enters the namespace begins on top of what is mounted on its root.
            #expect(
                try await host.must(["nsenter", "--mount=/proc/1/ns/mnt", "stat", "-c", "%d", "/proc"])
                    == host.must(["stat", "-c", "%d", "/proc"]))
            try await bundle.must("delete", "--force", "box")
            #expect(try await host.must(Self.mounts) == before)
        }
    }

    /// On a host whose mounts are shared, as a distribution's are, with somebody who is shown them.
    @Test(arguments: ["private", "rslave", "rshared"])
    func `nothing that is mounted in it is mounted on the host's files, and nothing of the host's goes`(
        propagation: String
    ) async throws {
        try await TestHost.with { host in
            let change = """
                \(Self.inherited) | .linux.rootfsPropagation = "\(propagation)" | .mounts += [
                    {destination: "/host", type: "bind", source: "/run", options: ["rbind"]}]
                """
            // Who asks for mounts on the host gets them.
            let hostile = """
                 | .mounts += [
                    {destination: "/etc/one", type: "bind", source: "/run/files/one", options: ["bind"]},
                    {destination: "/etc/two", type: "bind", source: "/run/files/two", options: ["bind"]}]
                """
            let bundle = try await RuntimeBundle(
                host, "exec sleep 1000", change + (propagation == "rshared" ? "" : hostile))
            try await host.must([
                "bash", "-ec",
                """
                mkdir -p /run/files /run/deep/deeper /run/deep/place
                echo one >/run/files/one; echo two >/run/files/two; ln -s one /run/bundle/rootfs/etc/two
                mount -t tmpfs deep /run/deep; mkdir /run/deep/deeper; mount -t tmpfs deeper /run/deep/deeper
                mount --make-rshared /
                """,
            ])
            let pid = try await process(host, "unshare -m --propagation slave")
            let before = try await host.must(Self.mounts)
            let seen = try await host.must(["cat", "/proc/\(pid)/mountinfo"])
            try await bundle.create()
            if propagation != "rshared" {
                #expect(try await host.must(["cat", "/run/files/one", "/run/files/two"]) == "one\ntwo")
                let during = try await host.must(["cat", "/proc/\(pid)/mountinfo"])
                let added = during.dropFirst(seen.count).split(separator: "\n")
                #expect(added.map { $0.split(separator: " ")[4] } == ["/run/swrun/box/rootfs"], "\(during)")
            }
            try await bundle.must("delete", "--force", "box")
            #expect(try await host.must(Self.mounts) == before)
            #expect(try await host.must(["cat", "/proc/\(pid)/mountinfo"]) == seen)
            try await host.must(["sh", "-c", "kill \(pid); mount --make-rprivate /; umount -R /run/deep"])
        }
    }

    @Test func `its terminal has a name, and a root that is read-only has a console`() async throws {
        try await TestHost.with { host in
            _ = try await RuntimeBundle(
                host, "tty; readlink /proc/self/fd/0; echo there >/dev/console",
                Self.inherited + " | .process.terminal = true | .root.readonly = true")
            let result = try await host.run([
                "script", "-qec", "\(Products.path("swrun")) run --bundle \(RuntimeBundle.folder) box", "/dev/null",
            ])
            // `script` echoes the end of its input.
            let lines = result.output.replacing("^@", with: "").split(whereSeparator: \.isNewline)
            #expect(lines == ["/dev/pts/0", "/dev/pts/0", "there"], "\(result)")
        }
    }

    /// A process that is in another mount namespace.
    private func process(_ host: TestHost, _ entrance: String) async throws -> String {
        try await host.must([
            "bash", "-c",
            """
            \(entrance) sleep 1000 </dev/null >/dev/null 2>&1 &
            until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done; echo $!
            """,
        ])
    }

    @Test func `one that is named is entered, and the host's stays as it is`() async throws {
        try await TestHost.with { host in
            let pid = try await process(host, "unshare -m --propagation private")
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
            // Also where its name is gone by then, and somebody else is in it.
            let other = try await process(host, "nsenter --mount=\(path)")
            try await host.must(["kill", pid])
            #expect(try await eventually { try await host.run(["test", "-e", path]).status != 0 })
            #expect(try await host.must(["cat", "/proc/\(other)/mountinfo"]).contains("/run/swrun/box/rootfs/proc "))
            try await bundle.must("delete", "--force", "box")
            #expect(try await !host.must(["cat", "/proc/\(other)/mountinfo"]).contains("/rootfs"))
            try await host.must(["kill", other])
            #expect(try await eventually { try await bundle.leftovers() == "" })
        }
    }

    @Test func `one that does not show where the root is to be mounted is refused`() async throws {
        try await TestHost.with { host in
            let pid = try await process(host, "unshare -m --propagation private")
            let change = "(.linux.namespaces[] | select(.type == \"mount\")) += {path: \"/proc/\(pid)/ns/mnt\"}"
            let bundle = try await RuntimeBundle(host, "true", change)
            // Nothing there, and something else there.
            for line in ["mount -t tmpfs other /run/swrun", "mkdir -p /run/swrun/box/rootfs"] {
                try await host.must(["sh", "-c", "mkdir -p /run/swrun; nsenter --mount=/proc/\(pid)/ns/mnt \(line)"])
                expectRefusal(
                    try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1,
                    names: "does not show '/run/swrun/box/rootfs'")
                #expect(try await !host.must(["cat", "/proc/\(pid)/mountinfo"]).contains("rootfs"))
            }
            try await host.must(["kill", pid])
            #expect(try await eventually { try await bundle.leftovers() == "" })
        }
    }

    @Test func `a mount that cannot be copied is refused`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(
                host, "true", Self.inherited + #" | .mounts[0].options += ["runbindable"]"#)
            expectRefusal(
                try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1,
                names: "mounts[0].options: 'unbindable' needs a new namespace of type mount")
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
