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
