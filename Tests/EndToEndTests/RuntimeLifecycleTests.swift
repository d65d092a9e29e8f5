import Foundation
import TestSupport
import Testing

@Suite("swrun: create, start, kill, delete, by commands that know nothing of each other")
struct RuntimeLifecycleTests {
    @Test(arguments: ["TERM", "INT", "HUP", "QUIT"])
    func `a container that has not been started ends at a signal`(name: String) async throws {
        try await TestHost.with { host in
            let program = "trap 'exit 7' \(name); touch /began; while :; do sleep 0.02; done"
            let bundle = try await RuntimeBundle(host, program)
            try await bundle.create()
            try await bundle.must("kill", "box", name)
            #expect(try await eventually { try await bundle.state()["status"].text == "stopped" })
            try await bundle.must("delete", "box")
            // The program has nothing of it.
            try await bundle.must("run", "--detach", "--bundle", "/run/bundle", "box")
            #expect(try await eventually { try await host.shell("test -e /run/bundle/rootfs/began").status == 0 })
            let pid = try #require(try await bundle.state()["pid"].integer)
            let caught = try await host.must(["awk", "/^SigCgt/ { print $2 }", "/proc/\(pid)/status"])
            let numbers = ["HUP": 1, "INT": 2, "QUIT": 3, "TERM": 15]
            let mask = try #require(UInt64(caught, radix: 16))
            for (other, number) in numbers where other != name && other != "INT" {
                #expect(mask >> UInt64(number - 1) & 1 == 0, "\(other): \(caught)")
            }
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a process that does not become the program has no file of its number`() async throws {
        try await TestHost.with { host in
            // The listener is handed over after the go-ahead, when the number is written.
            let filter =
                #"{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/none","syscalls":[{"names":["acct"],"action":"SCMP_ACT_NOTIFY"}]}"#
            let bundle = try await RuntimeBundle(host, "true", ".linux.seccomp = \(filter)")
            let failed = try await bundle.swrun("run", "--bundle", "/run/bundle", "--pid-file", "/run/pid", "box")
            #expect(failed.status == 1 && failed.errors.contains("/run/none"), "\(failed)")
            #expect(try await host.shell("test -e /run/pid").status == 1)
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a container goes through its states`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "touch /started; exec sleep 1000")
            expectRefusal(
                try await bundle.swrun("create", "--bundle", "/run/bundle", "--pid-file", "/run/bundle", "box"),
                status: 1,
                names: "write /run/bundle: is a directory")
            try await bundle.must("create", "--bundle", "/run/bundle", "--pid-file", "/run/pid", "box")
            var state = try await bundle.state()
            #expect(state["status"].text == "created")
            let pid = try #require(state["pid"].integer)
            #expect(try await host.must(["cat", "/run/pid"]) == "\(pid)")
            // It waits, in its namespaces, and its program has not begun.
            #expect(try await host.shell("test -e /run/bundle/rootfs/started").status == 1)
            let own = try await host.must(["readlink", "/proc/self/ns/mnt"])
            #expect(try await host.must(["readlink", "/proc/\(pid)/ns/mnt"]) != own)

            try await bundle.must("start", "box")
            #expect(try await eventually { try await host.shell("test -e /run/bundle/rootfs/started").status == 0 })
            state = try await bundle.state()
            #expect(state["status"].text == "running")
            #expect(state["pid"].integer == pid)
            #expect(state["bundle"].text == "/run/bundle")
            #expect(state["rootfs"].text == "/run/bundle/rootfs")
            #expect(try await host.must(["cat", "/proc/\(pid)/comm"]) == "sleep")
            let list = try JSONValue(try await bundle.must("list", "--format", "json"))
            #expect(list[0]["id"].text == "box")
            #expect(try await bundle.must("list", "--quiet") == "box")
            #expect(try await bundle.must("ps", "--format", "json", "box") == "[\(pid)]")

            try await bundle.must("kill", "box", "KILL")
            #expect(try await eventually { try await bundle.state()["status"].text == "stopped" })
            #expect(try await bundle.state()["pid"].integer == 0)
            try await bundle.must("delete", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `what is out of order is refused in runc's words`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host)
            for words in [["state"], ["start"], ["kill"], ["delete"], ["ps"], ["pause"], ["resume"], ["exec"]] {
                let extra = words == ["exec"] ? ["true"] : []
                let result = try await host.run([Products.path("swrun")] + words + ["nobody"] + extra)
                expectRefusal(result, status: words == ["exec"] ? 255 : 1, names: "container does not exist")
            }
            try await bundle.must("delete", "--force", "nobody")
            try await bundle.create()
            expectRefusal(
                try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1,
                names: "container with given ID already exists")
            try await bundle.must("start", "box")
            expectRefusal(
                try await bundle.swrun("start", "box"), status: 1, names: "cannot start an already running container")
            expectRefusal(
                try await bundle.swrun("delete", "box"), status: 1,
                names: "cannot delete container box that is not stopped: running")
            expectRefusal(
                try await bundle.swrun("kill", "box", "NONSENSE"), status: 1, names: "unknown signal \"NONSENSE\"")
            expectRefusal(try await bundle.swrun("resume", "box"), status: 1, names: "container not paused")
            try await bundle.must("kill", "box", "9")
            #expect(try await eventually { try await bundle.state()["status"].text == "stopped" })
            expectRefusal(try await bundle.swrun("kill", "box"), status: 1, names: "container not running")
            expectRefusal(
                try await bundle.swrun("start", "box"), status: 1, names: "cannot start a container that has stopped")
            expectRefusal(
                try await bundle.swrun("exec", "box", "true"), status: 255, names: "cannot exec in a stopped container")
            try await bundle.must("delete", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `of several that do the same at once, one succeeds`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host)
            let swrun = Products.path("swrun")
            let script = """
                for n in 1 2 3 4 5; do
                    ( \(swrun) $0 </dev/null >/dev/null 2>/run/err.$n; echo $? >/run/status.$n ) &
                done
                wait; cat /run/status.* | grep -c '^0$'; cat /run/err.*
                """
            for command in ["create --bundle /run/bundle box", "start box", "delete --force box"] {
                let result = try await host.run(["bash", "-c", script.replacingOccurrences(of: "$0", with: command)])
                if command.hasPrefix("delete") {
                    #expect(result.lines.first == "5", "\(result)")
                } else {
                    #expect(result.lines.first == "1", "\(command): \(result)")
                    #expect(try await bundle.state()["status"].text == (command == "start box" ? "running" : "created"))
                }
            }
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a create that is killed leaves nothing that delete does not clean`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host)
            let swrun = Products.path("swrun")
            // From before the first step to after the last, in steps of a quarter of a millisecond.
            let script = """
                for n in $(seq 0 60); do
                    \(swrun) create --bundle /run/bundle box </dev/null >/dev/null 2>&1 & pid=$!
                    perl -e "select(undef, undef, undef, $n * 0.0005)"
                    kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null
                    \(swrun) state box >/dev/null 2>&1 && \(swrun) state box | jq -r .status >>/run/seen
                    \(swrun) delete --force box || echo "delete failed at $n"
                done
                sort /run/seen | uniq -c >&2
                """
            let result = try await host.run(["bash", "-c", script])
            #expect(result.output == "", "\(result)")
            #expect(try await eventually { try await bundle.leftovers() == "" })
        }
    }

    @Test(arguments: [
        "start box", "delete --force box", "exec box true", "run --bundle /run/bundle box", "kill box KILL",
    ])
    func `any other command that is killed leaves nothing either`(command: String) async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host)
            let swrun = Products.path("swrun")
            let prepare =
                switch command.prefix(3) {
                case "sta": "\(swrun) create --bundle /run/bundle box </dev/null >/dev/null 2>&1"
                case "run": "true"
                default: "\(swrun) run -d --bundle /run/bundle box </dev/null >/dev/null 2>&1"
                }
            let script = """
                for n in $(seq 0 25); do
                    \(prepare) || echo "prepare failed at $n"
                    \(swrun) \(command) </dev/null >/dev/null 2>&1 & pid=$!
                    perl -e "select(undef, undef, undef, $n * 0.001)"
                    kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null
                    \(swrun) list >/dev/null || echo "list failed at $n"
                    \(swrun) delete --force box || echo "delete failed at $n"
                done
                """
            let result = try await host.run(["bash", "-c", script])
            #expect(result.output == "", "\(result)")
            #expect(try await eventually { try await bundle.leftovers() == "" })
        }
    }

    @Test func `another process with the number is not taken for the container's`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host)
            try await bundle.create()
            try await bundle.must("start", "box")
            let pid = try #require(try await bundle.state()["pid"].integer)
            let stranger = try host.start(["sleep", "1000"])
            var number = ""
            let isThere = try await eventually {
                number = try await host.shell("pgrep -f '^sleep 1000' | grep -v '^\(pid)$'").output
                return !number.isEmpty
            }
            try #require(isThere)
            try await host.must([
                "bash", "-ec",
                "sed -i 's/\"pid\":\(pid)/\"pid\":\(number)/' /run/swrun/box/state.json; kill -9 \(pid)",
            ])
            #expect(try await bundle.state()["status"].text == "stopped")
            expectRefusal(try await bundle.swrun("kill", "box", "KILL"), status: 1, names: "container not running")
            try await bundle.must("delete", "--force", "box")
            #expect(!stranger.hasEnded)
            await stranger.stop()
        }
    }

    @Test func `a container that cannot be made is not there`() async throws {
        try await TestHost.with { host in
            for (change, name) in [
                (".process.args = [\"no-such-command\"]", "executable file not found in $PATH"),
                (".mounts += [{\"destination\": \"/x\", \"type\": \"nosuchfs\", \"source\": \"x\"}]", "nosuchfs"),
                (".linux.resources.memory.limit = 4096 | .process.args[2] = \"\"", ""),
                (".process.terminal = true", "--console-socket"),
            ] {
                let bundle = try await RuntimeBundle(host, "sleep 1000", change)
                let result = try await bundle.swrun("create", "--bundle", "/run/bundle", "box")
                if !name.isEmpty { expectRefusal(result, status: 1, names: name) }
                try await bundle.must("delete", "--force", "box")
                #expect(try await bundle.leftovers() == "", "\(change)")
            }
            let bundle = try await RuntimeBundle(host)
            for identifier in ["..", ".", ".seccomp", "a/b", "a b", "", String(repeating: "x", count: 300)] {
                expectRefusal(
                    try await bundle.swrun("create", "--bundle", "/run/bundle", identifier), status: 1,
                    names: "invalid container ID format")
            }
        }
    }

    /// As with runc and crun: containerd does not delete a container whose start has failed.
    @Test func `a program that the kernel refuses has been started, and says itself what is wrong`() async throws {
        try await TestHost.with { host in
            let swrun = Products.path("swrun")
            for (file, words) in [("#!/none", "no such file or directory"), (#"\177ELF"#, "exec format error")] {
                let bundle = try await RuntimeBundle(host, "", ".process.args = [\"/program\"]")
                let result = try await host.shell(
                    """
                    cd /run/bundle; printf '\(file)' >rootfs/program; chmod +x rootfs/program
                    \(swrun) create box </dev/null >/run/said 2>&1 && \(swrun) start box
                    """)
                #expect(result.status == 0 && result.output + result.errors == "", "\(result)")
                #expect(try await eventually { try await bundle.state()["status"].text == "stopped" })
                let said = try await host.run(["cat", "/run/said"])
                #expect(said.lines == ["exec /program: \(words)"], "\(said)")
                try await bundle.must("delete", "box")
                #expect(try await bundle.leftovers() == "")
            }
        }
    }

    @Test func `a damaged record is named, and can be deleted`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host)
            let record = "/run/swrun/box/state.json"
            let damages = [
                "echo '{' >\(record)", "rm \(record)", ": >\(record)", "truncate -s 20 \(record)",
                "ln -sf /none \(record)", "rm \(record); mkfifo \(record)", "rm \(record); mkdir \(record)",
                "head -c 200 /dev/urandom >\(record)", "echo '[]' >\(record)", "sed -i 's/\"pid\":/&-/' \(record)",
                "sed -i 's/\"id\":/\"no\":/' \(record)",
            ]
            for damage in damages {
                try await bundle.create()
                try await host.must(["bash", "-c", damage])
                #expect(try await bundle.swrun("state", "box").status == 1)
                #expect(try await bundle.swrun("start", "box").status == 1)
                let list = try await bundle.swrun("list", "--quiet")
                #expect(list.status == 0 && list.output == "", "\(list)")
                // One that is not there yet is none.
                let isMissing = damage == damages[1]
                #expect(list.errors.contains("load container box: ") != isMissing, "\(damage): \(list)")
                try await bundle.must("delete", "--force", "box")
                #expect(try await eventually { try await bundle.leftovers() == "" })
            }
        }
    }

    @Test func `errors go to the log in the engine's format`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host)
            let result = try await bundle.swrun("--log", "/run/log", "--log-format", "json", "state", "nobody")
            expectRefusal(result, status: 1, names: "container does not exist")
            let line = try JSONValue(try await host.must(["cat", "/run/log"]))
            #expect(line["level"].text == "error")
            #expect(line["msg"].text == "container does not exist")
            #expect(try await host.must(["date", "-d", line["time"].text ?? "none", "+%Y"]).count == 4)
            // crun's way to say that it is a file, and what else it has.
            _ = try await bundle.swrun("--log", "file:/run/other", "--log-format", "json", "state", "nobody")
            let other = try JSONValue(try await host.must(["cat", "/run/other"]))
            #expect(other["msg"].text == "container does not exist")
            #expect(try await bundle.swrun("--root", "/run/elsewhere", "list", "--quiet").output == "")
        }
    }

    /// How many containers come and go; `SWNET_CYCLES=10000` is for an hour without other work.
    private static let cycles = Int(ProcessInfo.processInfo.environment["SWNET_CYCLES"] ?? "") ?? 40

    @Test func `many containers come and go without a trace`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "true")
            let swrun = Products.path("swrun")
            let words = [
                "bash", "-c",
                """
                count() {
                    wc -l </proc/self/mountinfo; find /sys/fs/cgroup -type d | wc -l; lsns -n 2>/dev/null | wc -l
                    find /run -xdev | wc -l; ls /proc/[0-9]*/fd 2>/dev/null | wc -l; ps -e --no-headers | wc -l
                }
                cycle() {
                    \(swrun) create --bundle /run/bundle box </dev/null >/dev/null && \(swrun) start box &&
                        \(swrun) delete --force box || echo failed
                }
                processes=$(ps -e --no-headers | wc -l)
                cycle
                # What has ended is not gone before its parent has heard of it, and must not be counted as having been there.
                for n in $(seq 100); do [ "$processes" = "$(ps -e --no-headers | wc -l)" ] && break; sleep 0.1; done
                before=$(count)
                for n in $(seq \(Self.cycles)); do cycle; done
                for n in $(seq 100); do [ "$before" = "$(count)" ] && exit; sleep 0.1; done
                echo "$before"; count; ps -ef
                """,
            ]
            let result = try await host.run(words, timeout: 7200)
            #expect(result.output == "", "\(result)")
            #expect(try await bundle.leftovers() == "")
        }
    }
}
