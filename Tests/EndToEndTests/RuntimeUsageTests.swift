import Foundation
import TestSupport
import Testing

@Suite("swrun: the command lines of its peers, and what is said of those that are none")
struct RuntimeUsageTests {
    /// runc's and crun's status of a misuse, but for crun's of an unknown flag (64): a number that a program may have.
    @Test func `a command line that is misunderstood is a failure like others`() async throws {
        try await TestHost.with { host in
            let swrun = Products.path("swrun")
            for (line, status) in [
                ("--bogus list", 1), ("bogus", 1), ("list --format bogus", 1), ("state", 1), ("run --bogus x", 1),
                ("create --preserve-fds many x", 1), ("update --memory lots x", 1), ("kill x y z", 1),
                ("exec --bogus x true", 255), ("exec x", 255), ("exec --user root x true", 255),
                ("exec --preserve-fds -1 x true", 255),
            ] {
                expectRefusal(try await host.shell("\(swrun) \(line)"), status: Int32(status), names: "swrun: ")
            }
            let help = try await host.must([swrun, "run", "--help"])
            #expect(help.contains("1 any other failure"), "\(help)")
        }
    }

    @Test func `flags that crun has`() async throws {
        try await TestHost.with { host in
            let swrun = Products.path("swrun")
            #expect(try await host.must([swrun, "-V"]).hasPrefix("swrun version "))
            for words in [["-?"], ["--usage"], ["kill", "-?"], ["run", "--usage"]] {
                #expect(try await host.must([swrun] + words).hasPrefix("NAME:"))
            }
            for value in ["yes", "no", "1", "0", "t", "F", "True", "FALSE"] {
                try await host.must([swrun, "--rootless=\(value)", "list"])
            }
            expectRefusal(
                try await host.run([swrun, "--rootless=perhaps", "list"]), status: 1, names: "perhaps", "--rootless")
            let written = try await host.must([
                "bash", "-ec",
                """
                mkdir -p /run/made; cd /run; echo old >/run/made/other.json; echo old >/run/third.json
                \(swrun) spec --bundle made -f other.json; \(swrun) spec --bundle made --file /run/third.json
                ls made; jq -r .root.path made/other.json third.json
                """,
            ])
            #expect(written == "other.json\nrootfs\nrootfs")
        }
    }

    @Test func `a signal goes to all containers that match`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host)
            for name in ["web1", "web2", "db"] {
                try await bundle.must("run", "--detach", "--bundle", "/run/bundle", name)
            }
            try await bundle.must("kill", "--regex", "^web[0-9]$", "KILL")
            for name in ["web1", "web2"] {
                #expect(try await eventually { try await bundle.state(name)["status"].text == "stopped" })
            }
            #expect(try await bundle.state("db")["status"].text == "running")
            // runc and crun go on as well.
            expectRefusal(try await bundle.swrun("kill", "-r", ".", "KILL"), status: 1, names: "container not running")
            #expect(try await eventually { try await bundle.state("db")["status"].text == "stopped" })
            expectRefusal(try await bundle.swrun("kill", "-r", "(", "KILL"), status: 1, names: "no regular expression")
            try await bundle.must("delete", "--regex", ".")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a document is looked for from here, as by crun, and then in the bundle`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "echo bundle")
            let result = try await host.shell(
                """
                cd /run; jq '.process.args = ["echo", "here"]' bundle/config.json >own.json
                jq '.process.args = ["echo", "inside"]' bundle/config.json >bundle/other.json
                run() { \(Products.path("swrun")) run --bundle bundle "$@" box; }
                run; run --config own.json; run -f other.json; run -f ./own.json; run -f /run/bundle/other.json
                run --config none.json
                """)
            #expect(result.output == "bundle\nhere\ninside\nhere\ninside", "\(result)")
            #expect(result.status == 1 && result.errors.contains("/run/bundle/none.json"), "\(result)")
            #expect(try await bundle.leftovers() == "")
        }
    }

    /// What is remembered of a document is read again by each command.
    @Test func `a document with many annotations makes a container like others`() async throws {
        try await TestHost.with { host in
            // 8 and 16 MiB, the longest that is read at all.
            for count in [8, 15] {
                let bundle = try await RuntimeBundle(
                    host, "sleep 1000",
                    ".annotations = ([range(\(count) * 1000)] | map({key: \"k\\(.)\", value: (\"v\" * 1024)}) | from_entries)"
                )
                try await bundle.create()
                try await bundle.must("start", "box")
                #expect(try await bundle.must("list", "--quiet") == "box")
                try await bundle.must("delete", "--force", "box")
                #expect(try await bundle.leftovers() == "")
            }
            // What takes more room in the record than in the document.
            let bundle = try await RuntimeBundle(host, "sleep 1000")
            try await host.must([
                "python3", "-c",
                """
                import json
                document = json.load(open("/run/bundle/config.json"))
                document["annotations"] = {"k": "MARK"}
                text = json.dumps(document).replace("MARK", r"\\b" * 5000000)
                open("/run/bundle/config.json", "w").write(text)
                """,
            ])
            expectRefusal(
                try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1,
                names: "annotations: too much to be remembered")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `what is in the place of containers is told as it is`() async throws {
        try await TestHost.with { host in
            let swrun = Products.path("swrun")
            let bundle = try await RuntimeBundle(host)
            // With a copy that nobody's user may execute.
            let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups /run/open/swrun"
            let result = try await host.shell(
                """
                mkdir -p -m 755 /run/open; cp \(swrun) /run/open; mkdir -m 700 /run/closed; mkdir -p /run/closed/below
                \(nobody) --root /run/closed/below list; \(nobody) --root /run/closed list
                \(nobody) --root /run/nowhere list
                env -u XDG_RUNTIME_DIR \(nobody) create --bundle /run/bundle box
                mkdir /run/swrun
                """)
            for words in [
                "list /run/closed: permission denied", "mkdir /run/swrun: permission denied",
                "$XDG_RUNTIME_DIR, or where --root says",
            ] { #expect(result.errors.contains(words), "\(words): \(result)") }
            #expect(result.errors.contains("/run/closed/below: permission denied"), "\(result)")
            #expect(result.errors.contains("/run/nowhere: no such file or directory"), "\(result)")
            try await host.must([
                "sh", "-c",
                "touch /run/swrun/file; ln -s / /run/swrun/link; mkdir /run/kept; ln -s /run/kept /run/swrun/dir",
            ])
            for name in ["file", "link", "dir"] {
                #expect(try await bundle.swrun("delete", name).status == 1)
                try await bundle.must("delete", "--force", name)
            }
            try await host.must(["test", "-d", "/run/kept"])
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `an error is on standard error once, in the format of the log`() async throws {
        try await TestHost.with { host in
            let swrun = Products.path("swrun")
            for log in ["--log /dev/stderr", ""] {
                let result = try await host.shell("\(swrun) \(log) --log-format json state nobody")
                #expect(result.status == 1 && result.errors.split(separator: "\n").count == 1, "\(result)")
                let line = try JSONValue(result.errors)
                #expect(line["level"].text == "error" && line["msg"].text == "container does not exist", "\(result)")
            }
            let text = try await host.shell("\(swrun) --log /dev/stderr exec nobody true")
            expectRefusal(text, status: 255, names: "level=error msg=\"exec failed: container does not exist\"")
            let bundle = try await RuntimeBundle(
                host, "true", ".process.capabilities.ambient = [\"CAP_KILL\", \"CAP_CHOWN\", \"CAP_MKNOD\"]")
            let result = try await bundle.swrun("--log-format", "json", "run", "--bundle", "/run/bundle", "box")
            #expect(result.status == 0 && result.errors.split(separator: "\n").count == 1, "\(result)")
            let words = "can't raise ambient capability CAP_KILL CAP_CHOWN CAP_MKNOD: "
            #expect(try JSONValue(result.errors)["msg"].text?.hasPrefix(words) == true, "\(result)")
            try await bundle.must("run", "--detach", "--bundle", "/run/bundle", "box")
            try await bundle.must("delete", "--force", "box")
        }
    }
}
