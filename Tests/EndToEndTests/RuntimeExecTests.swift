import Foundation
import TestSupport
import Testing

@Suite("swrun: a container that runs, from outside")
struct RuntimeExecTests {
    private func running(_ host: TestHost, _ change: String = ".") async throws -> RuntimeBundle {
        let bundle = try await RuntimeBundle(host, "sleep 1000", change)
        try await bundle.must("run", "--detach", "--bundle", "/run/bundle", "box")
        return bundle
    }

    @Test func `a further process has the container's namespaces, limits and rights`() async throws {
        try await TestHost.with { host in
            let bundle = try await running(host, ".hostname = \"inside\" | .process.env += [\"A=b\"]")
            let result = try await bundle.swrun(
                "exec", "--cwd", "/tmp", "--env", "C=d", "--user", "1000:1000", "box", "sh", "-c",
                "hostname; id -u; pwd; echo $A$C; grep CapEff /proc/self/status; readlink /proc/self/ns/pid; exit 5")
            #expect(result.status == 5, "\(result)")
            #expect(Array(result.lines.prefix(4)) == ["inside", "1000", "/tmp", "bd"], "\(result)")
            #expect(result.lines.count > 5 && result.lines[4].hasSuffix("0000000000000000"), "\(result)")
            let pid = try #require(try await bundle.state()["pid"].integer)
            #expect(try await host.must(["readlink", "/proc/\(pid)/ns/pid"]) == result.lines.last)
            expectRefusal(
                try await bundle.swrun("exec", "box", "nosuch"), status: 255,
                names: "executable file not found in $PATH")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    /// Until the root is entered, the process's mount namespace has the host's.
    @Test func `who comes while run makes the root finds the container's, or ends it`() async throws {
        try await TestHost.with { host in
            let mounts = ".mounts += [range(2000) | {destination: \"/tmp/\\(.)\", type: \"tmpfs\", source: \"tmpfs\"}]"
            let bundle = try await RuntimeBundle(host, "sleep 1000", mounts)
            let run = """
                swrun=\(Products.path("swrun"))
                $swrun run --bundle /run/bundle box </dev/null &>/run/out &
                until $swrun state box >/run/state 2>/dev/null; do :; done
                jq -r .status /run/state
                """
            // On a machine that is slow to ask, the root is made already.
            let come = "$swrun exec box sh -c 'test -e /run/bundle/config.json && echo host; ls /tmp | wc -l'"
            let words = try await host.must(["bash", "-c", "\(run); \(come); $swrun delete --force box; wait"])
            #expect(["creating\n2000", "running\n2000"].contains(words), "\(words)")
            let killed = try await host.must(["bash", "-c", "\(run); $swrun kill box KILL; echo $?; wait $!; echo $?"])
            #expect(killed.hasSuffix("\n0\n1") || killed.hasSuffix("\n0\n137"), "\(killed)")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a process by document, detached`() async throws {
        try await TestHost.with { host in
            let bundle = try await running(host)
            try await host.shell(
                #"echo '{"cwd": "/", "args": ["sh", "-c", "sleep 1000; true"], "env": ["PATH=/bin"], "user": {"uid": 7, "gid": 8}}' >/run/process.json"#
            )
            try await bundle.must("exec", "--process", "/run/process.json", "--detach", "--pid-file", "/run/pid", "box")
            let pid = try await host.must(["cat", "/run/pid"])
            #expect(try await host.must(["awk", "/^Uid/ { print $2 }", "/proc/\(pid)/status"]) == "7")
            let processes = try JSONValue(try await bundle.must("ps", "--format", "json", "box"))
            #expect(processes.items.contains { $0.integer == Int(pid) })
            expectRefusal(
                try await bundle.swrun("exec", "--process", "/run/nowhere.json", "box"), status: 255,
                names: "/run/nowhere.json")
            try await bundle.must("delete", "--force", "box")
            #expect(try await eventually { try await host.shell("test -e /proc/\(pid)").status == 1 })
            #expect(try await bundle.leftovers() == "")
        }
    }

    /// Takes a terminal at a socket and prints what is written to it.
    private let terminal = """
        import array, os, socket, sys
        s = socket.socket(socket.AF_UNIX)
        s.bind("/run/console"); s.listen(1); print("ready", flush=True)
        c = s.accept()[0]
        name, fds, _, _ = socket.recv_fds(c, 100, 1)
        print(len(fds), flush=True)
        while True:
            try: data = os.read(fds[0], 4096)
            except OSError: break
            if not data: break
            print(data.decode().strip(), flush=True)
        """

    @Test func `the terminal's other end goes to the console socket`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(
                host, "tty; stty size; ls -l /dev/console",
                ".process.terminal = true | .process.consoleSize = {\"height\": 33, \"width\": 44}")
            let receiver = try host.start(["python3", "-c", terminal])
            try await receiver.waitForOutput("ready")
            try await bundle.must("create", "--bundle", "/run/bundle", "--console-socket", "/run/console", "box")
            try await bundle.must("start", "box")
            let result = await receiver.result
            #expect(result.output.contains("/dev/pts/0"), "\(result)")
            #expect(result.output.contains("33 44"), "\(result)")
            try await bundle.must("delete", "--force", "box")
            // Without anybody to take it, the container is not made.
            let refused = try await bundle.swrun(
                "create", "--bundle", "/run/bundle", "--console-socket", "/run/nobody", "box")
            expectRefusal(refused, status: 1, names: "/run/nobody")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a further terminal has the document's size until somebody gives it another`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(
                host, "exec sleep 1000", ".process.consoleSize = {\"height\": 33, \"width\": 44}")
            try await bundle.must("run", "--detach", "--bundle", "/run/bundle", "box")
            let receiver = try host.start(["python3", "-c", terminal])
            try await receiver.waitForOutput("ready")
            try await bundle.must(
                "exec", "--detach", "--tty", "--console-socket", "/run/console", "box", "stty", "size")
            let result = await receiver.result
            #expect(result.output.contains("33 44"), "\(result)")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    /// Takes a pidfd at a socket, and kills its process when it is told to.
    private let killer = """
        import os, signal, socket, time
        s = socket.socket(socket.AF_UNIX)
        s.bind("/run/pidfd"); s.listen(1); print("ready", flush=True)
        for _ in range(2):
            _, fds, _, _ = socket.recv_fds(s.accept()[0], 100, 1)
            for line in open(f"/proc/self/fdinfo/{fds[0]}"):
                if line.startswith("Pid:"): print("process", line.split()[1], flush=True)
            while not os.path.exists("/run/kill"): time.sleep(0.02)
            os.remove("/run/kill")
            signal.pidfd_send_signal(fds[0], signal.SIGKILL)
        """

    @Test func `a pidfd of the process goes to the pidfd socket`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000")
            let receiver = try host.start(["python3", "-c", killer])
            try await receiver.waitForOutput("ready")
            try await bundle.must("run", "--detach", "--bundle", "/run/bundle", "box")
            try await bundle.must(
                "exec", "--detach", "--pidfd-socket", "/run/pidfd", "--pid-file", "/run/number", "box", "sleep", "1000")
            let number = try await host.must(["cat", "/run/number"])
            try await receiver.waitForOutput("process \(number)\n")
            try await host.must(["touch", "/run/kill"])
            #expect(try await eventually { try await host.shell("test -e /proc/\(number)").status == 1 })
            #expect(try await bundle.state()["status"].text == "running")
            try await bundle.must("delete", "--force", "box")

            try await bundle.must("create", "--bundle", "/run/bundle", "--pidfd-socket", "/run/pidfd", "box")
            let pid = try #require(try await bundle.state()["pid"].integer)
            try await host.must(["touch", "/run/kill"])
            let result = await receiver.result
            #expect(result.lines.last == "process \(pid)", "\(result)")
            #expect(try await eventually { try await bundle.state()["status"].text == "stopped" })
            try await bundle.must("delete", "box")
            let refused = try await bundle.swrun(
                "create", "--bundle", "/run/bundle", "--pidfd-socket", "/run/nobody", "box")
            expectRefusal(refused, status: 1, names: "/run/nobody")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `pause stops every process, and resume lets them go on`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "while :; do echo x >>/ticks; sleep 0.02; done")
            try await bundle.must("run", "--detach", "--bundle", "/run/bundle", "box")
            func ticks() async throws -> String {
                try await host.must(["bash", "-c", "wc -l </run/bundle/rootfs/ticks"])
            }
            #expect(try await eventually { try await host.shell("test -s /run/bundle/rootfs/ticks").status == 0 })
            try await bundle.must("pause", "box")
            #expect(try await bundle.state()["status"].text == "paused")
            let before = try await ticks()
            try await host.shell("sleep 0.3")
            #expect(try await ticks() == before)
            expectRefusal(
                try await bundle.swrun("exec", "box", "true"), status: 255, names: "cannot exec in a paused container")
            expectRefusal(try await bundle.swrun("pause", "box"), status: 1, names: "container not running")
            try await bundle.must("resume", "box")
            #expect(try await eventually { try await ticks() != before })
            // A paused container can be killed and deleted.
            try await bundle.must("pause", "box")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `limits can be changed by document and by flags`() async throws {
        try await TestHost.with { host in
            let bundle = try await running(host)
            func limits() async throws -> String {
                try await host.must([
                    "bash", "-c",
                    "cat /sys/fs/cgroup/{memory/,}swrun/box/memory.{limit_in_bytes,max} /sys/fs/cgroup/{pids/,}swrun/box/pids.max 2>/dev/null | xargs; true",
                ])
            }
            try await host.must([
                "bash", "-c",
                "echo '{\"memory\": {\"limit\": 67108864}}' | \(Products.path("swrun")) update --resources - box",
            ])
            try await bundle.must("update", "--pids-limit", "77", "box")
            #expect(try await limits() == "67108864 77")
            let statistics = try JSONValue(try await bundle.must("events", "--stats", "box"))
            #expect(statistics["type"].text == "stats")
            #expect(statistics["data"]["pids"]["limit"].integer == 77)
            #expect(statistics["data"]["memory"]["usage"]["limit"].integer == 67_108_864)
            #expect((statistics["data"]["cpu"]["usage"]["total"].number ?? 0) > 0)
            expectRefusal(try await bundle.swrun("update", "--memory", "lots", "box"), status: 1, names: "lots")
            try await bundle.must("delete", "--force", "box")
        }
    }

    @Test func `descriptors are handed on only when they are asked for`() async throws {
        try await TestHost.with { host in
            let swrun = Products.path("swrun")
            let list =
                "ls -l /proc/self/fd | sed -n 's/.* \\([0-9]*\\) -> .*secret$/\\1/p' | xargs; echo ${LISTEN_FDS-none} ${LISTEN_PID-none}"
            let bundle = try await RuntimeBundle(host, list)
            let open = "touch /run/secret; exec 3</run/secret 4</run/secret 5</run/secret; "
            var result = try await host.shell(open + "\(swrun) run --bundle /run/bundle box")
            #expect(result.lines == ["", "none none"] || result.lines == ["none none"], "\(result)")
            result = try await host.shell(open + "\(swrun) run --preserve-fds 2 --bundle /run/bundle box")
            #expect(result.lines == ["3 4", "none none"], "\(result)")
            result = try await host.shell(open + "LISTEN_FDS=1 \(swrun) run --preserve-fds 1 --bundle /run/bundle box")
            #expect(result.lines == ["3 4", "1 1"], "\(result)")
            // Handed to this very process, to what is in the container, and to another one.
            for (owner, lines) in [("$$", ["3", "1 1"]), ("1", ["3", "1 1"]), ("2", ["", "none none"])] {
                result = try await host.shell(
                    open + "export LISTEN_FDS=1 LISTEN_PID=\(owner); exec \(swrun) run --bundle /run/bundle box")
                #expect(result.lines == lines || result.lines == lines.filter { !$0.isEmpty }, "\(owner): \(result)")
            }
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `kill --all reaches processes that share the host's pid namespace`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(
                host, "sleep 1000 & sleep 1000 & wait", ".linux.namespaces |= map(select(.type != \"pid\"))")
            try await bundle.must("run", "--detach", "--bundle", "/run/bundle", "box")
            #expect(
                try await eventually {
                    try JSONValue(try await bundle.must("ps", "--format", "json", "box")).items.count == 3
                })
            try await bundle.must("kill", "box", "TERM")
            #expect(try await eventually { try await bundle.state()["status"].text == "stopped" })
            #expect(try await host.must(["bash", "-c", "pgrep -c -f '^sleep 1000'"]) == "2")
            try await bundle.must("kill", "--all", "box", "KILL")
            #expect(try await eventually { try await host.shell("pgrep -f '^sleep 1000'").status == 1 })
            try await bundle.must("delete", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `features say what the program takes`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host)
            let features = try JSONValue(try await bundle.must("features"))
            #expect(features["ociVersionMin"].text == "1.0.0")
            #expect(features["mountOptions"].items.contains { $0.text == "rro" })
            #expect(features["linux"]["namespaces"].items.contains { $0.text == "cgroup" })
            #expect(features["linux"]["seccomp"]["enabled"].isTrue)
        }
    }
}
