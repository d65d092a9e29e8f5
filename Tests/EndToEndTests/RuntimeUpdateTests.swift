import Foundation
import TestSupport
import Testing

@Suite("swrun: limits that change, and what is told of them")
struct RuntimeUpdateTests {
    private static let limited =
        "del(.linux.cgroupsPath) | .linux.resources = {memory: {limit: 67108864, swap: 134217728}, cpu: {shares: 512}, pids: {limit: 50}}"

    /// What the kernel has in the container's files, whichever version of cgroups has them.
    private func values(_ host: TestHost, _ files: [String]) async throws -> String {
        let names = files.map { "-name \($0)" }.joined(separator: " -o ")
        return try await host.must([
            "sh", "-c",
            "find /sys/fs/cgroup -path '*swrun/box/*' '(' \(names) ')' | sort | xargs grep -H . | sed 's,.*/,,'",
        ])
    }

    @Test func `an update that fails changes nothing`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000", Self.limited)
            try await bundle.create()
            try await bundle.must("start", "box")
            let files = [
                "cpu.shares", "cpu.weight", "cpu.cfs_quota_us", "cpu.max", "memory.limit_in_bytes", "memory.max",
                "pids.max",
                "memory.memsw.limit_in_bytes", "memory.swap.max",
            ]
            let before = try await values(host, files)
            for words in [
                [
                    "--cpu-share", "600", "--cpu-quota", "30000", "--memory", "100m", "--memory-swap", "200m",
                    "--pids-limit",
                    "99999999999",
                ],
                ["--cpu-share", "600", "--cpuset-cpus", "4000"],
                ["--memory", "32m", "--cpu-share", "600", "--cpu-period", "5"],
            ] {
                let line = ([Products.path("swrun"), "update"] + words + ["box"]).joined(separator: " ")
                expectRefusal(try await host.shell(line), status: 1, names: "linux.resources.")
                #expect(try await values(host, files) == before, "\(words)")
            }
            if try await host.shell("test -e /sys/fs/cgroup/memory").status == 0 {
                // On v2 the kernel would kill until it is met.
                expectRefusal(
                    try await bundle.swrun("update", "--memory", "4096", "--memory-swap", "4096", "box"), status: 1,
                    names: "linux.resources.memory.limit", "bytes are in use")
                #expect(try await values(host, files) == before)
            }
            try await bundle.must("update", "--cpu-share", "600", "--pids-limit", "60", "box")
            #expect(try await values(host, files) != before)
            try await bundle.must("delete", "--force", "box")
        }
    }

    /// Of the kernel's files for one container.
    private func tasks(_ host: TestHost) async throws -> String { try await values(host, ["pids.max"]) }

    /// podman 4 writes it for no limit, and no other runtime of its time has taken it for one.
    @Test func `0 tasks are a limit in documents of a version that says so, and none in others`() async throws {
        try await TestHost.with { host in
            for (version, made, kept) in [("1.0.2-dev", "max", "50"), ("1.2.1", "max", "50"), ("1.3.0", "1", "1")] {
                let bundle = try await RuntimeBundle(
                    host, "sleep 1000", ".ociVersion = \"\(version)\" | .linux.resources.pids = {limit: 0}")
                try await bundle.create()
                #expect(try await tasks(host) == "pids.max:\(made)", "\(version)")
                try await bundle.must("update", "--pids-limit", "50", "box")
                try await bundle.must("update", "--pids-limit", "0", "box")
                #expect(try await tasks(host) == "pids.max:\(kept)", "\(version)")
                try await bundle.must("update", "--pids-limit", "-1", "box")
                #expect(try await tasks(host) == "pids.max:max", "\(version)")
                try await bundle.must("delete", "--force", "box")
            }
        }
    }

    @Test func `an update that fails takes back what it has given to a group of resctrl`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000", Self.limited)
            try await bundle.create()
            // A directory plays resctrl, for a process that is told it is mounted.
            try await host.must([
                "bash", "-ec",
                """
                mkdir -p /run/resctrl/box; printf 'L3:0=3\\nMB:0= 100\\n' >/run/resctrl/box/schemata
                (cat /proc/self/mountinfo; echo '999 1 0:99 / /run/resctrl rw - resctrl resctrl rw') >/run/mountinfo
                """,
            ])
            func update(_ words: String) async throws -> CommandResult {
                try await host.shell(
                    "unshare -m bash -c 'mount --bind /run/mountinfo /proc/$$/mountinfo && exec \(Products.path("swrun")) update \(words) box'"
                )
            }
            let group = ["head", "-1", "/run/resctrl/box/schemata"]
            let refused = try await update("--l3-cache-schema L3:0=f --cpu-share 600 --cpuset-cpus 4000")
            expectRefusal(refused, status: 1, names: "linux.resources.cpu.cpus")
            #expect(try await host.must(group) == "L3:0=3")
            let taken = try await update("--l3-cache-schema L3:0=f --cpu-share 600")
            #expect(taken.status == 0, "\(taken)")
            #expect(try await host.must(group) == "L3:0=f")
            try await bundle.must("delete", "--force", "box")
        }
    }

    @Test func `update knows every flag of its peers, and leaves devices alone`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000", Self.limited)
            try await bundle.create()
            try await bundle.must("start", "box")
            let ignored = try await bundle.swrun("update", "--kernel-memory", "64m", "box")
            #expect(ignored.status == 0 && ignored.errors.contains("--kernel-memory is ignored"), "\(ignored)")
            let buffers = try await bundle.swrun("update", "--kernel-memory-tcp", "64m", "box")
            if try await host.shell("test -e /sys/fs/cgroup/memory").status == 0 {
                #expect(buffers.status == 0 && buffers.errors == "", "\(buffers)")
                let file = "memory.kmem.tcp.limit_in_bytes"
                #expect(try await values(host, [file]) == "\(file):67108864")
                expectRefusal(
                    try await bundle.swrun("update", "--memory", "1g", "box"), status: 1,
                    names: "linux.resources.memory.limit", "(--memory-swap) are limited to 134217728")
            } else {
                #expect(buffers.status == 0 && buffers.errors.contains("--kernel-memory-tcp is ignored"), "\(buffers)")
            }
            if try await host.shell("grep -q ' - resctrl ' /proc/self/mountinfo").status != 0 {
                for (flag, line) in [("--l3-cache-schema", "L3:0=f"), ("--mem-bw-schema", "MB:0=20")] {
                    expectRefusal(
                        try await bundle.swrun("update", flag, line, "box"), status: 1, names: "linux.intelRdt",
                        "resctrl")
                }
            }
            // What kubernetes sends: the limits and the rules of the devices that the container has already.
            let change =
                #"{"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "r"}], "pids": {"limit": 33}}"#
            try await host.must(["sh", "-c", "echo '\(change)' | \(Products.path("swrun")) update --resources - box"])
            #expect(try await values(host, ["pids.max"]) == "pids.max:33")
            #expect(try await host.shell("grep -rqs 10:229 /sys/fs/cgroup/devices/swrun/box/devices.list").status != 0)
            try await bundle.must("update", "--memory", "", "--cpuset-cpus", "", "--pids-limit", "34", "box")
            #expect(try await values(host, ["pids.max"]) == "pids.max:34")
            expectRefusal(
                try await bundle.swrun("update", "--resources", "/run", "box"), status: 1,
                names: "read /run: is a directory")
            try await bundle.must("delete", "--force", "box")
        }
    }

    @Test func `statistics are the kernel's numbers`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000", Self.limited)
            try await bundle.create()
            try await bundle.must("start", "box")
            let data = try JSONValue(try await bundle.must("events", "--stats", "box"))["data"]
            let memory = data["memory"]
            #expect(memory["usage"]["limit"].integer == 67_108_864, "\(data)")
            #expect(memory["swap"]["limit"].integer == 134_217_728, "\(data)")
            #expect((memory["swap"]["usage"].integer ?? 0) >= (memory["usage"]["usage"].integer ?? .max), "\(data)")
            let hasDetail = memory["raw"]["pgfault"].integer ?? 0 > 0
            #expect(hasDetail, "\(data)")
            if try await host.shell("test -e /sys/fs/cgroup/cpuacct/swrun/box").status == 0 {
                let each = data["cpu"]["usage"]["percpu"].items.compactMap { $0.integer }
                let sum = each.reduce(0, +)
                #expect(sum > 0 && each.count == data["cpu"]["usage"]["percpu_user"].items.count, "\(data)")
            }
            // The container is in none of its own yet, and then in one.
            for limit in [nil, "0"] {
                if let limit { try await bundle.must("update", "--cpuset-cpus", limit, "box") }
                guard try await host.shell("test -e /sys/fs/cgroup/cpuset").status == 0 else { continue }
                let process = try await bundle.state()["pid"].integer ?? 0
                let allowed = try await host.must(["sed", "-n", "s/^Cpus_allowed_list:.//p", "/proc/\(process)/status"])
                let text = try await bundle.must("events", "--stats", "box")
                let set = try JSONValue(text)["data"]["cpuset"]
                let processors = set["cpus"].items.compactMap { $0.integer }
                #expect(processors.count == Int(try await host.must(["nproc"])) || limit != nil, "\(set)")
                #expect(allowed.contains("\(processors.last ?? -1)") && (limit == nil || processors == [0]), "\(set)")
                #expect(set["mems"].items.first?.integer == 0 && set["sched_load_balance"].integer == 1, "\(set)")
                #expect(set["sched_relax_domain_level"].integer == -1, "\(set)")
            }
            if try await host.shell("test -e /sys/fs/cgroup/memory").status == 0 {
                #expect(memory["kernel"]["usage"].integer ?? 0 > 0, "\(data)")
            }
            try await bundle.must("delete", "--force", "box")
        }
    }

    @Test func `a container that is paused before it starts is paused, and not started`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000", Self.limited)
            try await bundle.create()
            try await bundle.must("pause", "box")
            #expect(try await bundle.state()["status"].text == "paused")
            let refused = "timeout 5 \(Products.path("swrun")) start box"
            expectRefusal(
                try await host.shell(refused), status: 1, names: "cannot start a container in the paused state")
            try await bundle.must("resume", "box")
            #expect(try await bundle.state()["status"].text == "created")
            try await bundle.must("start", "box")
            try await bundle.must("pause", "box")
            expectRefusal(
                try await host.shell(refused), status: 1, names: "cannot start a container in the paused state")
            try await bundle.must("delete", "--force", "box")
            try await bundle.create()
            try await bundle.must("pause", "box")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a container without its document can be killed, and says what it lacks`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000", Self.limited)
            for damage in ["rm", "truncate -s 9"] {
                try await bundle.create()
                try await bundle.must("start", "box")
                try await host.must(["sh", "-c", "\(damage) /run/swrun/box/config.json"])
                expectRefusal(
                    try await bundle.swrun("exec", "box", "true"), status: 255, names: "container box: config.json",
                    "delete --force removes it")
                try await bundle.must("kill", "box", "KILL")
                #expect(try await eventually { try await bundle.state()["status"].text == "stopped" })
                try await bundle.must("delete", "box")
                #expect(try await bundle.leftovers() == "")
            }
        }
    }

    @Test func `exec has the container's capabilities where a document names none, and empty flags say nothing`()
        async throws
    {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000", Self.limited)
            try await bundle.create()
            try await bundle.must("start", "box")
            let process =
                #"{"cwd": "/", "args": ["grep", "CapEff", "/proc/self/status"], "env": ["PATH=/bin:/usr/bin"]}"#
            try await host.must(["sh", "-c", "echo '\(process)' >/run/process.json"])
            let own = try await bundle.must("exec", "box", "grep", "CapEff", "/proc/self/status")
            #expect(!own.hasSuffix("\t0000000000000000"))
            #expect(try await bundle.must("exec", "--process", "/run/process.json", "box") == own)
            #expect(try await bundle.must("exec", "--cwd", "", "--user", "", "--pid-file", "", "box", "pwd") == "/")
            let named = try await host.must([
                "sh", "-c",
                "LISTEN_FDS=1 LISTEN_FDNAMES=web \(Products.path("swrun")) exec box sh -c 'echo $LISTEN_FDS $LISTEN_FDNAMES' 3</dev/null",
            ])
            #expect(named == "1 web")
            try await bundle.must("kill", "box", "")
            try await bundle.must("delete", "--force", "box")
            try await bundle.must("create", "--bundle", "/run/bundle", "--pid-file", "", "--console-socket", "", "box")
            try await bundle.must("delete", "box")
        }
    }
}
