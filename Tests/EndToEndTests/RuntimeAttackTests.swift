import Foundation
import TestSupport
import Testing

@Suite("swrun: attacks from the container on the host")
struct RuntimeAttackTests {
    /// A copy of the program, which may be lost.
    private static let copy = "/run/copy/swrun"

    private static let tracing = ".process.capabilities |= map_values(. + [\"CAP_SYS_PTRACE\"])"

    /// Keeps what /proc/1/exe is and asks for the right to write to it until the container's program has been executed,
    /// when the kernel would give it. What came of it is in the root.
    private static let overwriting = """
        until exec 3</proc/1/exe; do :; done 2>/dev/null
        readlink /proc/self/fd/3 >/held
        for n in $(seq 2000); do
            (echo overwritten >/proc/self/fd/3) 2>/attempts && break
            [ -e /begun ] && break
        done
        echo "$(cat /attempts)" >/end
        """

    /// The attack, whatever way it comes in.
    private func attack(
        _ change: String, _ script: String, of host: TestHost
    ) async throws {
        let bundle = try await RuntimeBundle(host, "sleep 1; touch /begun; exec sleep 1000", change)
        try await host.must([
            "bash", "-ec",
            "mkdir -p /run/copy; cp \(Products.path("swrun")) \(Self.copy); rm -f /run/bundle/rootfs/{held,end,begun,attempts}",
        ])
        let file = "/run/bundle/rootfs/attack"
        try await host.shell("cat >\(file) <<'END'\n\(Self.overwriting)\nEND")
        let result = try await host.shell(
            "export swrun=\(Self.copy); cd /run; (\(script)) </dev/null >/run/out 2>&1; cat /run/out")
        let isOver = try await eventually { try await host.shell("test -s /run/bundle/rootfs/end").status == 0 }
        #expect(isOver, "\(result)")
        let held = try await host.must(["cat", "/run/bundle/rootfs/held"])
        #expect(held.hasSuffix("swrun") || held == "/", "the attack did not come in time: \(held)")
        let end = try await host.must(["cat", "/run/bundle/rootfs/end"])
        #expect(end.lowercased().contains("read-only file system"), "\(end)")
        let isSame = try await host.shell("cmp \(Products.path("swrun")) \(Self.copy)").status == 0
        #expect(isSame, "the host's program was written to: \(end)")
        try await bundle.must("delete", "--force", "box")
        #expect(try await bundle.leftovers() == "")
    }

    private static let waitUntilHeld = "until [ -s bundle/rootfs/held ]; do sleep 0.02; done"

    /// CVE-2019-5736: the first process of a container that waits is this program.
    @Test func `who enters a container before its start cannot write to the program that waits in it`() async throws {
        try await TestHost.with { host in
            try await attack(
                ".",
                """
                $swrun create --bundle bundle box && $swrun exec --detach --cap CAP_SYS_PTRACE box sh /attack
                \(Self.waitUntilHeld); $swrun start box
                """, of: host)
        }
    }

    @Test(arguments: ["run --detach", "run"])
    func `what a hook leaves running in the container cannot write to the program either`(run: String) async throws {
        try await TestHost.with { host in
            let hook = """
                .hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c",
                    "sh /attack >/dev/null 2>&1 </dev/null & until [ -s /held ]; do sleep 0.02; done"]}]
                """
            try await attack("\(Self.tracing) | \(hook)", "$swrun \(run) --bundle bundle box &", of: host)
        }
    }

    /// Then the first process is this program too, and nobody has made sure that it cannot be written to.
    @Test func `who comes before run has executed the program waits for that`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000")
            let swrun = Products.path("swrun")
            let words = try await host.must([
                "bash", "-ec",
                """
                \(swrun) run --bundle /run/bundle box </dev/null &>/run/out &
                until \(swrun) exec box true 2>/dev/null; do sleep 0.02; done
                # The kernel tells of no lock of a process that has ended.
                flock /run/swrun/box sh -c 'touch /run/held; until [ -e /run/enough ]; do sleep 0.02; done' & held=$!
                until [ -e /run/held ]; do sleep 0.02; done
                \(swrun) exec box touch /came </dev/null & comes=$!
                until grep -q -e '-> FLOCK' /proc/locks || [ -e /run/bundle/rootfs/came ]; do sleep 0.02; done
                [ -e /run/bundle/rootfs/came ] || echo waits
                touch /run/enough; wait $comes $held; [ -e /run/bundle/rootfs/came ] && echo came
                \(swrun) delete --force box; wait
                """,
            ])
            #expect(words == "waits\ncame")
            #expect(try await bundle.leftovers() == "")
        }
    }
}

extension RuntimeAttackTests {
    /// Exchanges two names for ever.
    private static let exchanging = """
        import ctypes, os, sys
        libc = ctypes.CDLL(None)
        one, other = (os.fsencode(path) for path in sys.argv[1:])
        print("ready", flush=True)
        while True: libc.syscall(316, -100, one, -100, other, 2)
        """

    /// CVE-2021-30465: what is a directory when it is looked at is a link out of the container when it is mounted on.
    @Test(arguments: ["/", "../../../../../../..", "/run/outside"])
    func `a directory that becomes a link while it is mounted on leads nowhere`(target: String) async throws {
        try await TestHost.with { host in
            let mounts = """
                .mounts += [{destination: "/vol/swap/victim", type: "tmpfs", source: "marked", options: ["mode=711"]},
                    {destination: "/vol/swap/bound", type: "none", source: "/run/bound", options: ["rbind"]}]
                """
            let look = "test -e /marker && ! test -e /run/bundle && ! test -e /vol/swap/bundle && echo inside"
            let bundle = try await RuntimeBundle(host, look, mounts)
            try await host.must([
                "bash", "-ec",
                """
                mkdir -p /run/outside /run/bound /run/bundle/rootfs/vol/swap; touch /run/bundle/rootfs/marker
                ln -s \(target) /run/bundle/rootfs/vol/link
                """,
            ])
            let attacker = try host.start([
                "python3", "-c", Self.exchanging, "/run/bundle/rootfs/vol/swap", "/run/bundle/rootfs/vol/link",
            ])
            try await attacker.waitForOutput("ready")
            let result = try await host.shell(
                "for n in $(seq 25); do \(Products.path("swrun")) run --bundle /run/bundle box; done </dev/null")
            await attacker.stop()
            // It may be refused; where it is not, it is in there.
            #expect(!result.lines.isEmpty && Set(result.lines).isSubset(of: ["inside"]), "\(result)")
            let made = try await host.shell("ls -d /victim /bound /run/outside/* /run/victim /run/bundle/victim")
            #expect(made.output == "", "\(made)")
            #expect(try await host.shell("grep -e marked -e /bound /proc/self/mountinfo").output == "")
            #expect(try await bundle.leftovers() == "")
        }
    }

    /// CVE-2025-52565, CVE-2025-31133: what the terminal is mounted on would be a file of the attacker's choice.
    @Test func `a console that becomes a link is not followed`() async throws {
        try await TestHost.with { host in
            let change = """
                .process.terminal = true
                | .mounts |= map(select(.destination != "/dev" and .destination != "/dev/shm" and .destination != "/dev/mqueue"))
                """
            let bundle = try await RuntimeBundle(
                host, "cat /victim; grep ' /victim ' /proc/self/mountinfo; tty", change)
            try await host.must([
                "bash", "-ec",
                """
                cd /run/bundle/rootfs; mkdir -p dev/pts; echo untouched >victim
                touch dev/console; ln -sf /victim dev/trap
                """,
            ])
            let console = "/run/bundle/rootfs/dev/console"
            let attacker = try host.start(["python3", "-c", Self.exchanging, console, "/run/bundle/rootfs/dev/trap"])
            try await attacker.waitForOutput("ready")
            let result = try await host.run([
                "python3", "-c",
                "import pty, sys\nfor _ in range(25): pty.spawn(sys.argv[1:])", Products.path("swrun"), "run",
                "--bundle",
                "/run/bundle", "box",
            ])
            await attacker.stop()
            let lines = result.output.replacingOccurrences(of: "\r", with: "").split(separator: "\n").map(String.init)
            #expect(lines.contains("untouched"), "\(result)")
            for line in lines where line != "untouched" && line != "/dev/pts/0" {
                // Refused as a link, or gone when it was to be made.
                #expect(line.hasPrefix("swrun run failed: unable to start container process: "), "\(line)")
            }
            #expect(try await host.must(["cat", "/run/bundle/rootfs/victim"]) == "untouched")
            #expect(try await bundle.leftovers() == "")
        }
    }

    /// CVE-2022-0492: the kernel executes it with all rights of the host's when a cgroup becomes empty.
    @Test func `nobody in a container names the host's release agent`() async throws {
        try await TestHost.with { host in
            let agents = "find /sys/fs/cgroup -maxdepth 2 -name release_agent | sort | xargs -r tail -vn 1"
            let before = try await host.shell(agents).output
            let attack = """
                for file in $(find /sys/fs/cgroup -name release_agent -o -name notify_on_release); do
                    (echo 1 >$file) 2>/dev/null && echo "wrote $file"
                done
                for flags in -UrmC -Urm; do for name in rdma memory pids cpu freezer; do
                    mkdir -p /tmp/$name
                    unshare $flags sh -c "mount -t cgroup -o $name x /tmp/$name && echo /agent >/tmp/$name/release_agent" \
                        && echo "wrote $name"
                done; done 2>/dev/null
                echo tried
                """
            for change in [".", ".linux.namespaces |= map(select(.type != \"cgroup\"))"] {
                let bundle = try await RuntimeBundle(host, attack, change)
                let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
                #expect(result.output == "tried", "\(result)")
                #expect(try await host.shell(agents).output == before)
                #expect(try await bundle.leftovers() == "")
            }
        }
    }
}
