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
                $0 != "/dev/null" && $0 != "/run/swrun/box/exec.fifo" && !$0.hasPrefix("socket:")
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
            // Whoever is its parent now may not have collected it yet.
            #expect(try await host.shell("grep -Eq '^State:[[:space:]]+[^ZX]' /proc/\(pid)/status").status != 0)
            #expect(try await host.must(["cat", "/sys/fs/cgroup/freezer/ice/freezer.state"]) != "THAWED")
            try await host.must([
                "bash", "-c",
                "cd /sys/fs/cgroup/freezer; echo THAWED >ice/freezer.state; kill -9 \(other); until rmdir ice; do sleep 0.1; done",
            ])
            #expect(try await bundle.leftovers() == "")
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

    @Test func `a capability that the runtime does not have is told about`() async throws {
        try await TestHost.with { host in
            let change = ".process.capabilities |= map_values(. + [\"CAP_SYS_BOOT\"])"
            let bundle = try await RuntimeBundle(host, "grep CapBnd /proc/self/status; exec sleep 1000", change)
            func swrun(_ line: String) async throws -> CommandResult {
                // Without it in the bounding set, as an engine in a container is.
                let result = try await host.shell(
                    """
                    setpriv --bounding-set -sys_boot \(Products.path("swrun")) \(line) </dev/null >/run/out 2>/run/err
                    status=$?; cat /run/out; cat /run/err >&2; exit $status
                    """)
                let words = "ignoring unknown or unavailable capabilities: [CAP_SYS_BOOT]"
                #expect(result.status == 0 && result.errors.contains(words), "\(result)")
                return result
            }
            _ = try await swrun("run --detach --bundle /run/bundle box")
            let result = try await swrun("exec --cap CAP_SYS_BOOT box grep CapBnd /proc/self/status")
            #expect(result.output.hasPrefix("CapBnd:\t00000000a80425fb"), "\(result)")
            try await bundle.must("delete", "--force", "box")
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

    @Test func `events tells what is used until the end, and when memory is used up`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(
                host, "exec sleep 1000", ".linux.resources.memory = {limit: 33554432}")
            try await bundle.create()
            try await bundle.must("start", "box")
            let swrun = Products.path("swrun")
            try await host.must([
                "sh", "-c", "\(swrun) events --interval 100ms box >/run/events 2>&1 & echo $! >/run/events.pid",
            ])
            #expect(try await eventually { try await host.shell("[ $(wc -l </run/events) -ge 3 ]").status == 0 })
            // More than there is.
            _ = try await bundle.swrun("exec", "box", "sh", "-c", "x=$(dd if=/dev/zero bs=5M count=40 | tr '\\0' a)")
            #expect(
                try await eventually {
                    try await host.shell("grep -qx '{\"type\":\"oom\",\"id\":\"box\"}' /run/events").status == 0
                })
            let first = try JSONValue(try await host.must(["head", "-n", "1", "/run/events"]))
            #expect(
                first["type"].text == "stats" && first["data"]["memory"]["usage"]["limit"].integer == 33_554_432,
                "\(first)")
            try await bundle.must("delete", "--force", "box")
            #expect(try await eventually { try await host.shell("! kill -0 $(cat /run/events.pid)").status == 0 })
            for interval in ["0s", "-1s", "5x", "", "s", "1e999s"] {
                let result = try await bundle.swrun("events", "--interval", interval, "box")
                #expect(result.status == 1 && result.errors.contains("--interval"), "\(result)")
            }
            expectRefusal(try await bundle.swrun("events", "box"), status: 1, names: "does not exist")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `exec puts a process into a cgroup inside the container's, and into no other`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "exec sleep 1000", Self.plain)
            try await bundle.create()
            try await bundle.must("start", "box")
            try await host.must([
                "sh", "-c",
                "find /sys/fs/cgroup -type d -path '*swrun/box' ! -path '*cpuset*' | while read d; do mkdir $d/inner; done",
            ])
            try await bundle.must(
                "exec", "--detach", "--cgroup", "inner", "--pid-file", "/run/pid", "box", "sleep", "1000")
            let pid = try await host.must(["cat", "/run/pid"])
            let inner = try await host.must([
                "sh", "-c", "find /sys/fs/cgroup -path '*swrun/box/inner/cgroup.procs' | xargs cat | sort -u",
            ])
            #expect(inner == pid)
            for path in ["../other", "inner/../../other", "..", "memory:..", "./../x"] {
                expectRefusal(
                    try await bundle.swrun("exec", "--cgroup", path, "box", "true"), status: 255,
                    names: "bad sub cgroup path", "`..` components are not allowed", path)
            }
            expectRefusal(
                try await bundle.swrun("exec", "--cgroup", "missing", "box", "true"), status: 255,
                names: "adding pid to", "missing", "no such file or directory")
            expectRefusal(
                try await bundle.swrun("exec", "--cgroup", "what:inner", "box", "true"), status: 255,
                names: "unknown controller what")
            try await bundle.must("exec", "--cgroup", "/", "box", "true")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(arguments: [true, false])
    func `a service manager hears that the program is ready, and nothing else`(isUser: Bool) async throws {
        try await TestHost.with { host in
            try await host.must([
                "sh", "-c",
                "socat -u UNIX-RECV:/run/manager.sock,mode=777 OPEN:/run/heard,creat,append >/run/socat.log 2>&1 &",
            ])
            #expect(try await eventually { try await host.shell("test -S /run/manager.sock").status == 0 })
            let say = """
                echo $NOTIFY_SOCKET; for m in 'MAINPID=1' 'STATUS=fine' 'READY=1'; do sleep 0.2
                printf "$m\\n" | socat -u STDIN UNIX-SENDTO:$NOTIFY_SOCKET; done; exec sleep 1000
                """
            var change = "."
            if isUser {
                change = """
                    .linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}]
                    | .linux.gidMappings = .linux.uidMappings
                    """
            }
            let bundle = try await RuntimeBundle(host, say, change)
            if isUser { try await host.must(["chown", "-R", "100000:100000", "/run/bundle/rootfs"]) }
            let swrun = Products.path("swrun")
            let line = "NOTIFY_SOCKET=/run/manager.sock \(swrun)"
            try await host.must(["sh", "-c", "\(line) create --bundle /run/bundle box </dev/null >/run/said 2>&1"])
            // It comes back when the program is ready.
            let start = try await host.shell("\(line) start box 2>&1")
            #expect(start.status == 0, "\(start)")
            let pid = try #require(try await bundle.state()["pid"].integer)
            #expect(try await eventually { try await host.shell("grep -q MAINPID=\(pid) /run/heard").status == 0 })
            let heard = try await host.must(["cat", "/run/heard"])
            #expect(heard == "READY=1MAINPID=\(pid)", "\(heard)")
            let out = try await host.must(["cat", "/run/said"])
            #expect(out.split(separator: "\n").contains("/run/notify/notify.sock"), "\(out)")
            // What it sees of it cannot be changed.
            let write = try await bundle.swrun("exec", "box", "touch", "/run/notify/x")
            #expect(write.status != 0 && write.errors.contains("Read-only"), "\(write)")
            try await bundle.must("delete", "--force", "box")
            try await host.must(["pkill", "-f", "UNIX-RECV:/run/manager.sock"])
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a program that never says that it is ready ends the wait by its own end`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "exit 3")
            let swrun = Products.path("swrun")
            let result = try await host.shell(
                "export NOTIFY_SOCKET=/run/nobody; \(swrun) create --bundle /run/bundle box </dev/null >/run/out 2>&1 && \(swrun) start box"
            )
            #expect(result.status == 0, "\(result)")
            try await bundle.must("delete", "--force", "box")
            let run = try await host.shell("NOTIFY_SOCKET=@nobody \(swrun) run --bundle /run/bundle box")
            #expect(run.status == 3, "\(run)")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `ps is ps about the container's processes`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "exec sleep 1000")
            try await bundle.create()
            try await bundle.must("start", "box")
            let pid = try #require(try await bundle.state()["pid"].integer)
            let table = try await bundle.must("ps", "box").split(separator: "\n")
            #expect(table.count == 2 && table[0].contains("PID") && table[0].contains("CMD"), "\(table)")
            #expect(table.last?.contains("\(pid)") == true && table.last?.hasSuffix("sleep 1000") == true)
            #expect(try await bundle.must("ps", "box", "-o", "pid,comm").split(separator: "\n").count == 2)
            expectRefusal(try await bundle.swrun("ps", "box", "-o", "comm"), status: 1, names: "PID")
            expectRefusal(try await bundle.swrun("ps", "box", "--nonsense"), status: 1, names: "--nonsense", "option")
            try await bundle.must("kill", "box", "0")
            try await bundle.must("kill", "box", "KILL")
            #expect(try await eventually { try await bundle.state()["status"].text == "stopped" })
            #expect(try await bundle.must("ps", "--format", "json", "box") == "[]")
            expectRefusal(try await bundle.swrun("kill", "box", "0"), status: 1, names: "container not running")
            try await bundle.must("delete", "box")
        }
    }

    @Test func `what it does not do is said by name`() async throws {
        try await TestHost.with { host in
            for command in ["checkpoint", "restore"] {
                expectRefusal(
                    try await host.run([Products.path("swrun"), command, "--image-path", "/x", "box"]), status: 1,
                    names: "checkpoint and restore are not supported", "--image-path")
            }
            for words in [["wrong"], ["wrong", "--help"], ["help", "wrong"]] {
                expectRefusal(
                    try await host.run([Products.path("swrun")] + words), status: 1,
                    names: "\(words.count == 1 ? "unknown command" : "No help topic for") 'wrong'")
            }
            let bundle = try await RuntimeBundle(host)
            try await bundle.create()
            for bytes in ["12q", "-2", "m", "9999999p", "1.5.5m"] {
                #expect(try await bundle.swrun("update", "--memory", bytes, "box").status == 1)
            }
            try await bundle.must("update", "--memory", "48m", "--memory-swap", "-1", "box")
            let limit = try await host.must([
                "sh", "-c",
                "find /sys/fs/cgroup -path '*swrun/box/memory.max' -o -path '*swrun/box/memory.limit_in_bytes' | xargs cat",
            ])
            #expect(limit == "50331648")
            try await bundle.must("delete", "--force", "box")
        }
    }

    @Test func `a frozen cgroup is not entered`() async throws {
        try await TestHost.with { host in
            let change = Self.plain + " | .linux.cgroupsPath = \"/ice/box\""
            let bundle = try await RuntimeBundle(host, "true", change)
            let version1 = try await host.shell("test -e /sys/fs/cgroup/freezer").status == 0
            let folder = version1 ? "/sys/fs/cgroup/freezer" : "/sys/fs/cgroup"
            let freeze = version1 ? "echo FROZEN >freezer.state" : "echo 1 >cgroup.freeze"
            try await host.must(["sh", "-c", "mkdir -p \(folder)/ice/box; cd \(folder)/ice/box; \(freeze)"])
            for command in ["create", "run"] {
                expectRefusal(
                    try await bundle.swrun(command, "--bundle", "/run/bundle", "box"), status: 1,
                    names: "container's cgroup unexpectedly frozen")
            }
            try await host.must(["sh", "-c", "find /sys/fs/cgroup -depth -type d -path '*/ice*' -exec rmdir {} +"])
        }
    }

    @Test func `KILL ends everybody of a container that has no processes to itself`() async throws {
        try await TestHost.with { host in
            let change = ".linux.namespaces |= map(select(.type != \"pid\"))"
            let bundle = try await RuntimeBundle(host, "exec sleep 1000", change)
            let list = "find /sys/fs/cgroup -path '*swrun/box/cgroup.procs' | xargs cat | sort -u"
            for isFirstGone in [false, true] {
                try await bundle.create()
                try await bundle.must("start", "box")
                for _ in 0..<3 { try await bundle.must("exec", "--detach", "box", "sleep", "1000") }
                let pid = try #require(try await bundle.state()["pid"].integer)
                #expect(try await host.must(["sh", "-c", list]).split(separator: "\n").count == 4)
                if isFirstGone {
                    try await host.must(["kill", "-9", "\(pid)"])
                    #expect(try await eventually { try await bundle.state()["status"].text == "stopped" })
                }
                // Others of the host stay.
                let other = try await host.must(["sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!"])
                try await bundle.must("kill", "box", "KILL")
                #expect(try await host.must(["sh", "-c", list]) == "")
                try await host.must(["kill", other])
                expectRefusal(
                    try await bundle.swrun("kill", "box", "KILL"), status: 1, names: "container not running")
                try await bundle.must("delete", "box")
                #expect(try await bundle.leftovers() == "")
            }
        }
    }

    @Test func `without pivot_root a user namespace of the container gets no /proc without masks`() async throws {
        try await TestHost.with { host in
            let caps = "[\"CAP_SETFCAP\", \"CAP_SYS_CHROOT\"]"
            let change = ".process.capabilities |= map_values(. + \(caps))"
            let bundle = try await RuntimeBundle(
                host, "unshare -mrpf sh -c 'mount -t proc none /proc && echo bare'; ls /proc/1/status", change)
            try await host.must(["mkdir", "-p", "/run/more/a b", "/run/more/c", "/run/more/d"])
            // Others of the host's: with an odd name, with no source, below another mount.
            for command in [
                "true", "mount -t proc more '/run/more/a b'", "mount -t proc '' /run/more/c",
                "mount -t proc more /run/more/d && mount -t tmpfs more /run/more/d",
            ] {
                try await host.must(["sh", "-c", command])
                let result = try await bundle.swrun("run", "--no-pivot", "--bundle", "/run/bundle", "box")
                let isRefused = result.errors.lowercased().contains("permi") && !result.output.contains("bare")
                #expect(isRefused && result.output.contains("/proc/1/status"), "\(command): \(result)")
            }
            // In a user namespace what is the host's cannot be unmounted, and is covered.
            let mapped = try await RuntimeBundle(
                host, "unshare -mrpf sh -c 'mount -t proc none /proc && echo bare'; ls /proc/1/status",
                """
                \(change) | .linux.namespaces += [{type: "user"}]
                | .linux.uidMappings = [{containerID: 0, hostID: 0, size: 65536}] | .linux.gidMappings = .linux.uidMappings
                """)
            let result = try await mapped.swrun("run", "--no-pivot", "--bundle", "/run/bundle", "box")
            let isRefused = result.errors.lowercased().contains("permi") && !result.output.contains("bare")
            #expect(isRefused && result.output.contains("/proc/1/status"), "\(result)")
            try await host.must(["umount", "/run/more/a b", "/run/more/c", "/run/more/d", "/run/more/d"])
            // The host keeps its own.
            #expect(try await host.shell("test -e /proc/self/status && test -e /sys/kernel").status == 0)
        }
    }
}
