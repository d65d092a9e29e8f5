import TestSupport
import Testing

/// Options of crun's for symbolic links at the ends of a bind's paths.
@Suite("swrun: links at the ends of a bind's paths")
struct RuntimeLinkMountTests {
    private static let map = "[{containerID: 0, hostID: 100000, size: 65536}]"
    private static let user =
        " | .linux.namespaces += [{type: \"user\"}] | .linux.uidMappings = \(map) | .linux.gidMappings = \(map)"

    /// Runs a container with a bind of a file in `/run/files` or below another folder.
    ///
    /// The root has a link `/target`, and is the container's superuser's.
    private func run(
        _ host: TestHost, _ source: String, _ target: String, _ options: String, _ command: String, change: String
    ) async throws -> CommandResult {
        let words = (["bind"] + options.split(separator: " ").map(String.init)).map { "\"\($0)\"" }.joined(
            separator: ", ")
        let mount = #"{destination: "\#(target)", type: "bind", source: "\#(source)", options: [\#(words)]}"#
        let bundle = try await RuntimeBundle(host, command, ".mounts += [\(mount)]\(change)")
        try await host.must([
            "bash", "-ec",
            """
            cd /run/bundle/rootfs; rm -rf target new etc/host data; ln -s elsewhere target; ln -s /proc/self data
            chown -h \(change == "" ? "0:0" : "100000:100000") . etc target
            """,
        ])
        return try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
    }

    private func prepare(_ host: TestHost) async throws {
        try await host.must([
            "bash", "-ec",
            """
            mkdir /run/files; cd /run/files; echo inside >file; mkdir folder; touch folder/here
            ln -s file link; ln -s nowhere dangling; ln -s folder way; ln -s /../../etc/shadow out
            """,
        ])
    }

    @Test(arguments: ["", user])
    func `a link at the source is made anew, and all else is mounted`(change: String) async throws {
        try await TestHost.with { host in
            try await prepare(host)
            func copy(_ source: String, _ target: String, _ command: String) async throws -> CommandResult {
                try await run(host, source, target, "copy-symlink", command, change: change)
            }
            let before = try await host.must(["cat", "/proc/self/mountinfo"])
            let copied = try await copy("/run/files/dangling", "/new/place", "readlink /new/place")
            #expect(copied.output == "nowhere", "\(copied)")
            // What it says is looked up in the container alone.
            let out = try await copy("/run/files/out", "/new/place", "readlink /new/place; cat /new/place")
            #expect(out.output == "/../../etc/shadow" && out.errors.contains("o such file"), "\(out)")
            let file = try await copy("/run/files/file", "/new/place", "cat /new/place; ls /run/files/file")
            #expect(file.output == "inside" && file.status != 0, "\(file)")
            // It may be there already; anything else stays.
            let again = try await copy("/run/bundle/rootfs/target", "/target", "readlink /target")
            #expect(again.output == "elsewhere", "\(again)")
            for target in ["/target", "/bin/sh"] {
                let taken = try await copy("/run/files/dangling", target, "true")
                let words = "at \"\(target)\" (mounts[7]): file exists"
                #expect(taken.status == 1 && taken.errors.contains(words), "\(taken)")
            }
            let missing = try await copy("/run/files/nothing", "/new", "true")
            #expect(missing.status == 1 && missing.errors.contains("no such file or directory"), "\(missing)")
            #expect(try await host.must(["cat", "/proc/self/mountinfo"]) == before)
        }
    }

    @Test(arguments: ["", user])
    func `a link is mounted itself, and mounted on itself`(change: String) async throws {
        try await TestHost.with { host in
            try await prepare(host)
            let target = try await run(
                host, "/run/files/link", "/target", "dest-nofollow", "cat /target; ls /elsewhere", change: change)
            #expect(target.output == "inside" && target.errors.contains("/elsewhere"), "\(target)")
            let both = try await run(
                host, "/run/files/link", "/target", "dest-nofollow src-nofollow", "readlink /target; ls /elsewhere",
                change: change)
            #expect(both.output == "file" && both.errors.contains("/elsewhere"), "\(both)")
            // Where the other end is followed, or made.
            let source = try await run(
                host, "/run/files/way", "/target", "src-nofollow ro", "readlink /elsewhere", change: change)
            #expect(source.output == "folder", "\(source)")
            let made = try await run(
                host, "/run/files/folder", "/new/place", "dest-nofollow", "ls /new/place", change: change)
            #expect(made.output == "here", "\(made)")
            // On a link there can be no folder.
            let folder = try await run(host, "/run/files/folder", "/target", "dest-nofollow", "true", change: change)
            #expect(folder.status == 1 && folder.errors.contains(#"at "/target" (mounts[7])"#), "\(folder)")
        }
    }

    @Test func `nobody changes what the kernel says in its links, whatever the image calls it`() async throws {
        try await TestHost.with { host in
            try await prepare(host)
            // All that was mounted before.
            for target in ["/proc/self", "/proc/1/exe", "/data/cwd", "/sys/class/net/lo"] {
                let refused = try await run(
                    host, "/run/files/link", target, "dest-nofollow src-nofollow", "true", change: "")
                #expect(refused.status == 1 && refused.errors.contains("at \"\(target)\" (mounts[7])"), "\(refused)")
                #expect(refused.errors.contains("(its links are the kernel's)"), "\(refused)")
            }
        }
    }

    @Test func `a link in a folder that is closed to everybody is made anew as well`() async throws {
        try await TestHost.with { host in
            try await host.must([
                "bash", "-ec", "mkdir /run/closed; ln -s /etc/shadow /run/closed/link; chmod 0 /run/closed",
            ])
            let result = try await run(
                host, "/run/closed/link", "/new/place", "copy-symlink", "readlink /new/place", change: Self.user)
            #expect(result.output == "/etc/shadow", "\(result)")
            let kept = try await run(
                host, "/run/closed/link", "/target", "src-nofollow dest-nofollow", "readlink /target", change: Self.user
            )
            #expect(kept.output == "/etc/shadow", "\(kept)")
            // A file is mounted as it is, alone and with what cannot be below it.
            try await host.must(["bash", "-ec", "echo inside >/run/closed/file"])
            for options in ["ro", "rbind", "copy-symlink"] {
                let file = try await run(host, "/run/closed/file", "/new", options, "cat /new", change: Self.user)
                #expect(file.output == "inside", "\(file)")
            }
        }
    }

    @Test(
        arguments: [
            #"{type: "bind", source: "/run", options: ["copy-symlink", "src-nofollow"]}"#,
            #"{type: "bind", source: "/run", options: ["dest-nofollow", "copy-symlink"]}"#,
            #"{type: "tmpfs", options: ["dest-nofollow"]}"#,
            #"{type: "proc", options: ["copy-symlink"]}"#,
        ])
    func `what excludes each other, and what is no bind, is refused by name`(mount: String) async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "true", #".mounts += [{destination: "/x"} + \#(mount)]"#)
            let result = try await bundle.swrun("create", "--bundle", "/run/bundle", "box")
            expectRefusal(result, status: 1, names: "mounts[7].options")
            #expect(try await bundle.leftovers() == "")
        }
    }
}
