import Foundation
import TestSupport
import Testing

@Suite("swrun: installed under another's name")
struct RuntimeNameTests {
    private static let link = "/run/links/runc"

    /// A link to `swrun`, and what it is called with.
    private func linked(_ host: TestHost, _ words: String...) async throws -> CommandResult {
        try await host.shell("mkdir -p /run/links; ln -sf \(Products.path("swrun")) \(Self.link)")
        let line = ([Self.link] + words).map { "'\($0)'" }.joined(separator: " ")
        return try await host.shell(
            "\(line) </dev/null >/run/out 2>/run/err; status=$?; cat /run/out; cat /run/err >&2; exit $status")
    }

    @Test func `it answers to the name of a link, and keeps what it remembers in its own place`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "exec sleep 1000")
            let version = try await linked(host, "--version")
            #expect(version.lines.first?.hasPrefix("runc version ") == true, "\(version)")
            expectRefusal(try await linked(host, "state", "box"), status: 1, names: "runc: container does not exist")
            expectRefusal(try await linked(host, "kill", "--no"), status: 1, names: "runc: ", "(runc kill --help)")
            let help = try await linked(host, "kill", "--help")
            #expect(help.lines.dropFirst().first?.hasPrefix("   runc kill - ") == true, "\(help)")
            #expect(help.lines.last == "   runc kill web KILL", "\(help)")

            #expect(try await linked(host, "create", "--bundle", "/run/bundle", "box").status == 0)
            try await bundle.must("start", "box")
            #expect(try await linked(host, "exec", "box", "echo", "inside").output == "inside")
            #expect(try await host.shell("ls /run/swrun; ls -d /run/runc").output == "box")
            let fault = try await linked(host, "create", "--bundle", "/run/bundle", "box")
            #expect(fault.errors == "runc create failed: container with given ID already exists", "\(fault)")
            let console = try await linked(host, "exec", "--detach", "--tty", "box", "sh")
            #expect(console.errors.contains("cannot allocate tty if runc will detach"), "\(console)")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `what is no file's name is not what it calls itself`() async throws {
        try await TestHost.with { host in
            let swrun = Products.path("swrun")
            for (name, called) in [
                ("crun", "crun"), ("/usr/sbin/runc", "runc"), ("./a-b_c.1+", "a-b_c.1+"), ("", "swrun"), ("/", "swrun"),
                ("x/", "swrun"), ("..", "swrun"), ("-sh", "swrun"), ("two words", "swrun"), ("crün", "swrun"),
                ("line\nbreak", "swrun"), ("\u{1b}[31m", "swrun"), (String(repeating: "x", count: 65), "swrun"),
                (String(repeating: "x", count: 64), String(repeating: "x", count: 64)),
            ] {
                let script = "(exec -a \"$0\" \(swrun) --version); (exec -a \"$0\" \(swrun) state nobody)"
                let result = try await host.run(["bash", "-c", script, name])
                #expect(result.lines.first?.hasPrefix("\(called) version ") == true, "\(name): \(result)")
                #expect(result.errors == "\(called): container does not exist", "\(name): \(result)")
            }
            // Kernels before 5.18 start programs without any.
            let bare = try await host.run([
                "python3", "-c",
                "import ctypes; ctypes.CDLL(None).execve(b'\(swrun)', (ctypes.c_char_p * 1)(None), (ctypes.c_char_p * 1)(None))",
            ])
            #expect(bare.status == 0 && bare.lines.dropFirst().first?.hasPrefix("   swrun - Open") == true, "\(bare)")
        }
    }

    @Test func `help has the shape of runc's, and what is not supported has none`() async throws {
        try await TestHost.with { host in
            for flag in ["-h", "--help"] {
                let help = try await linked(host, flag)
                #expect(help.status == 0 && help.lines.first == "NAME:", "\(help)")
                #expect(help.lines.dropFirst().first?.hasPrefix("   runc - Open Container Initiative runtime") == true)
                for title in ["USAGE:", "COMMANDS:", "GLOBAL OPTIONS:"] {
                    #expect(help.lines.contains(title), "\(help)")
                }
                for command in [
                    "create", "delete", "events", "exec", "kill", "list", "pause", "ps", "resume", "run", "spec",
                    "start", "state", "update", "features",
                ] {
                    let help = try await linked(host, command, flag)
                    #expect(help.status == 0 && help.errors == "" && help.lines.first == "NAME:", "\(help)")
                    #expect(help.lines.dropFirst().first?.hasPrefix("   runc \(command) - ") == true, "\(help)")
                    for title in ["USAGE:", "OPTIONS:"] { #expect(help.lines.contains(title), "\(help)") }
                }
            }
            for command in ["checkpoint", "restore"] {
                #expect(try await linked(host, "help", command).output.contains("not supported"))
                // By the status of this podman finds out whether there are checkpoints.
                for word in ["--help", "--image-path=/x"] {
                    expectRefusal(
                        try await linked(host, command, word), status: 1,
                        names: "runc: checkpoint and restore are not supported")
                }
            }
            expectRefusal(try await linked(host, "foo", "-h"), status: 1, names: "No help topic for 'foo'")
        }
    }

    /// What a program cannot be started for, the status of `run`, and what is said.
    private static let reasons = [
        (
            #".process.args = ["nosuch"]"#, 127,
            #"error during container init: exec: "nosuch": executable file not found in $PATH"#
        ),
        (
            #".process.args = ["/etc"]"#, 126,
            #"error during container init: exec: "/etc": is a directory: permission denied"#
        ),
        (
            #".mounts += [{destination: "/mnt", source: "/run/nosuch", type: "bind", options: ["bind"]}]"#, 1,
            #"error during container init: error mounting "/run/nosuch" to rootfs at "/mnt" (mounts[7]): no such file or directory"#
        ),
        (
            #".hooks = {createRuntime: [{path: "/bin/false"}]}"#, 1,
            "error during container init: error running createRuntime hook #0: /bin/false: exit status 1"
        ),
        (
            #".linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: -999999999}}"#, 1,
            "set clocks (linux.timeOffsets) to boottime -999999999 0: numerical result out of range"
        ),
    ]

    @Test(arguments: reasons)
    func `what keeps a container from starting is said in runc's frame, once, and in the log too`(
        change: String, status: Int, words: String
    ) async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "true", change)
            for command in ["run", "create"] {
                let result = try await linked(
                    host, "--log", "/run/log", "--log-format", "json", command, "--bundle", "/run/bundle", "box")
                let line = "runc \(command) failed: unable to start container process: \(words)"
                #expect(result.errors == line && result.status == (command == "run" ? status : 1), "\(result)")
                let entry = try JSONValue(try await host.must(["tail", "-n", "1", "/run/log"]))
                #expect(entry["msg"].text == line && entry["level"].text == "error", "\(entry)")
                #expect(try await bundle.leftovers() == "")
            }
        }
    }

    @Test func `what is wrong before anything begins, and what a further process lacks`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "exec sleep 1000", #".process.cwd = "relative""#)
            expectRefusal(
                try await linked(host, "run", "--bundle", "/run/bundle", "box"), status: 1,
                names: "runc run failed: /run/bundle/config.json: process.cwd")
            _ = try await RuntimeBundle(host, "exec sleep 1000")
            try await bundle.create()
            try await bundle.must("start", "box")
            let missing = try await linked(host, "exec", "box", "nosuch")
            let words = #"unable to start container process: exec: "nosuch": executable file not found in $PATH"#
            #expect(missing.status == 255 && missing.errors == "exec failed: \(words)", "\(missing)")
            let paused = try await host.shell("\(Self.link) pause box && \(Self.link) exec box true")
            #expect(paused.errors.hasPrefix("exec failed: cannot exec in a paused container"), "\(paused)")
            try await bundle.must("resume", "box")
            let file = try await host.shell("echo '{\"args\": 1}' >/run/p; \(Self.link) exec --process /run/p box")
            #expect(file.status == 255 && file.errors.hasPrefix("exec failed: /run/p: "), "\(file)")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `flags of a mount that the kernel has locked are named with the mount`() async throws {
        try await TestHost.with { host in
            try await host.must([
                "bash", "-ec",
                "mkdir -p /run/source /run/bundle/rootfs/mnt; mount -t tmpfs tmpfs /run/source; mount --bind -o remount,ro /run/source",
            ])
            let bundle = try await RuntimeBundle(
                host, "true",
                """
                .linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65534}]
                    | .linux.gidMappings = .linux.uidMappings
                    | .mounts += [{destination: "/mnt", source: "/run/source", type: "bind", options: ["bind", "rw"]}]
                """)
            let result = try await linked(host, "run", "--bundle", "/run/bundle", "box")
            let words = #"error mounting "/run/source" to rootfs at "/mnt" (mounts[7]): operation not permitted"#
            expectRefusal(
                result, status: 1,
                names: "runc run failed: unable to start container process: error during container init: \(words)")
            try await host.must(["umount", "/run/source"])
            #expect(try await bundle.leftovers() == "")
        }
    }
}
