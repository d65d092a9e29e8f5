import Foundation
import TestSupport

/// An ordinary user of a test's host, 41234, with a bundle of its own and `swrun` on it.
///
/// The program and the libraries it was built with are shown below `/run/rootless`, because a build folder may be where
/// nobody but its owner comes.
struct RootlessBundle {
    let host: TestHost
    static let user = 41234
    static let folder = "/run/rootless/bundle"
    static let runtime = "/run/user/41234"
    /// `swrun` as another program of the user's would start it.
    static let swrun = """
        env LD_LIBRARY_PATH=/run/rootless/lib XDG_RUNTIME_DIR=\(runtime) HOME=/run/rootless \
        setpriv --reuid=41234 --regid=41234 --clear-groups --inh-caps=-all $(cat /run/rootless/flags 2>/dev/null) /run/rootless/swrun
        """

    /// A host for a test, from which the user's things are taken away when the test is over.
    static func withHost(_ body: (TestHost) async throws -> Void) async throws {
        try await TestHost.with { host in
            try await body(host)
            let mounts = "/etc /run/rootless/lib /run/rootless/swrun $(command -v newuidmap) $(command -v newgidmap)"
            try await host.must(["bash", "-c", "for m in \(mounts); do umount -l $m 2>/dev/null; done; true"])
        }
    }

    /// - Parameter change: A jq program for what `swrun spec --rootless` has made.
    init(_ host: TestHost, _ command: String = "sleep 1000", _ change: String = ".") async throws {
        self.host = host
        try await host.must([
            "bash", "-ec",
            """
            if [ ! -e /run/rootless ]; then
                mkdir -p /run/rootless/lib /run/user/41234 /run/etc/upper /run/etc/work
                mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work overlay /etc
                echo 'tester:x:41234:41234::/run/rootless:/bin/sh' >>/etc/passwd
                echo 'tester:x:41234:' >>/etc/group
                echo 'tester:500000:65536' | tee /etc/subuid >/etc/subgid
                library=$(ldd \(Products.path("swrun")) | sed -n 's,.*=> \\(/.*\\)/libswiftCore.so .*,\\1,p')
                [ -z "$library" ] || mount --bind "$library" /run/rootless/lib
                touch /run/rootless/swrun
                mount --bind \(Products.path("swrun")) /run/rootless/swrun
                mkdir -p \(Self.folder)/rootfs
                tar -C \(Self.folder)/rootfs -xf \(host.images)/tools.tar
                chown -R 41234:41234 \(Self.folder) /run/user/41234
                chmod 700 /run/user/41234
            fi
            rm -f \(Self.folder)/config.json
            \(Self.swrun) spec --rootless --bundle \(Self.folder)
            jq --arg command "$0" '.process.terminal = false | .root.readonly = false
                | .process.args = ["sh", "-c", $command]
                | \(RuntimeBundle.capabilities) | \(change)' \(Self.folder)/config.json > \(Self.folder)/new
            mv \(Self.folder)/new \(Self.folder)/config.json
            chmod 644 \(Self.folder)/config.json
            """, command,
        ])
    }

    /// Runs `swrun` as the user; the standard streams of what it leaves running are /dev/null.
    func swrun(_ words: String...) async throws -> CommandResult {
        let line = "\(Self.swrun) " + words.map { "'\($0)'" }.joined(separator: " ")
        // A container that stays would hold a pipe open.
        return try await host.shell(
            "\(line) </dev/null >/run/out 2>/run/err; status=$?; cat /run/out; cat /run/err >&2; exit $status")
    }

    @discardableResult
    func must(_ words: String...) async throws -> String {
        let line = "\(Self.swrun) " + words.map { "'\($0)'" }.joined(separator: " ")
        let result = try await host.shell(
            "\(line) </dev/null >/run/out 2>/run/err; status=$?; cat /run/out; cat /run/err >&2; exit $status")
        guard result.status == 0, !result.heldOpen else { throw CommandError("\(result)") }
        return result.output
    }

    func create(_ identifier: String = "box") async throws {
        try await must("create", "--bundle", Self.folder, identifier)
    }

    /// The number of a container's first process.
    func processIdentifier(_ identifier: String = "box") async throws -> Int {
        let state = try JSONValue(try await must("state", identifier))
        guard let number = state["pid"].integer, number > 0 else { throw CommandError("no process: \(state)") }
        return number
    }

    /// The kernel's answer: what is left of containers on the host.
    func leftovers() async throws -> String {
        let result = try await host.shell(
            "ls \(Self.runtime)/swrun; find /sys/fs/cgroup -type d -path '*swrun/*'; pgrep -fa '[s]leep 1000'; true")
        return result.output
    }
}
