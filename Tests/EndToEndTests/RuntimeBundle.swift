import Foundation
import TestSupport

/// A bundle at `/run/bundle` of a test's host, and `swrun` on it.
struct RuntimeBundle {
    let host: TestHost
    static let folder = "/run/bundle"

    /// Docker's capabilities, which programs of images expect, in the place of the few of `swrun spec`.
    static let capabilities = """
        .process.capabilities |= map_values([
            "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
            "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL",
            "CAP_AUDIT_WRITE"])
        """

    /// Unpacks the bundle and changes its document, which runs `command`, by a jq program.
    init(_ host: TestHost, _ command: String = "sleep 1000", _ change: String = ".") async throws {
        self.host = host
        let swrun = Products.path("swrun")
        try await host.must([
            "bash", "-ec",
            """
            mkdir -p \(Self.folder)/rootfs
            [ -e \(Self.folder)/rootfs/bin ] || tar -C \(Self.folder)/rootfs -xf \(host.images)/tools.tar
            rm -f \(Self.folder)/config.json
            \(swrun) spec --bundle \(Self.folder)
            jq --arg command "$0" '.process.terminal = false | .root.readonly = false
                | .linux.namespaces |= (map(select(.type != "cgroup")) + [{type: "cgroup"}])
                | .process.args = ["sh", "-c", $command] | \(Self.capabilities) | \(change)' \(Self.folder)/config.json > \(Self.folder)/new
            mv \(Self.folder)/new \(Self.folder)/config.json
            """, command,
        ])
    }

    /// Runs `swrun`; the standard input of what it leaves running is /dev/null.
    func swrun(_ words: String...) async throws -> CommandResult {
        let line = ([Products.path("swrun")] + words).map { "'\($0)'" }.joined(separator: " ")
        let isLasting = words.contains("create") || words.contains("--detach") || words.contains("start")
        guard isLasting else { return try await host.run([Products.path("swrun")] + words) }
        return try await host.shell(Self.withFiles(line))
    }

    /// What it says goes to files, because the container would hold a pipe open: to new ones, because it may write to those
    /// of an earlier command yet.
    private static func withFiles(_ line: String) -> String {
        """
        rm -f /run/out /run/err; \(line) </dev/null >/run/out 2>/run/err
        status=$?; cat /run/out; cat /run/err >&2; exit $status
        """
    }

    @discardableResult
    func must(_ words: String...) async throws -> String {
        let line = ([Products.path("swrun")] + words).map { "'\($0)'" }.joined(separator: " ")
        let result = try await host.shell(Self.withFiles(line))
        guard result.status == 0, !result.heldOpen else { throw CommandError("\(result)") }
        return result.output
    }

    func create(_ identifier: String = "box") async throws {
        try await must("create", "--bundle", Self.folder, identifier)
    }

    func state(_ identifier: String = "box") async throws -> JSONValue {
        try JSONValue(try await must("state", identifier))
    }

    /// The kernel's answer: what is left of containers on the host.
    func leftovers() async throws -> String {
        let result = try await host.shell(
            "ls /run/swrun; find /sys/fs/cgroup -type d -path '*swrun/*'; pgrep -fa '[s]leep 1000|[s]wrun create'; true"
        )
        return result.output
    }
}

extension TestHost {
    /// Runs a part of a test with an empty folder at a path of the host's, and takes it away.
    ///
    /// It is on a file system whose owners a mount can map: Linux maps those of a tmpfs, as /run is one, since 6.3.
    func withMappableFolder(at path: String, _ body: () async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "swnet-mapped-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await must([
            "bash", "-ec",
            """
            mkdir -p \(path)
            case $(stat -f -c %T \(folder.path)) in
                ext2/ext3|xfs|btrfs) mount --bind \(folder.path) \(path) ;;
                *) mount -t tmpfs tmpfs \(path) ;;
            esac
            """,
        ])
        try await body()
        try await must(["umount", path])
    }
}
