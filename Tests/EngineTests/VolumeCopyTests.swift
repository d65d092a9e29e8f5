import CLinux
import Foundation
import LinuxSystem
import TestSupport
import Testing

@testable import Engine

/// What of an image gets into a new volume. The kernel's overlay of the same layers is the oracle.
@Suite struct VolumeCopyTests {
    /// Three layers with everything that an overlay makes one of, and everything that a file can be.
    private static let layers = #"""
        set -eu
        cd "$1"
        mkdir low mid top
        mkdir -p low/data/sub/deep low/data/gone low/data/opaque low/data/file-then-dir low/real low/etc
        echo low > low/data/a; echo low > low/data/b; echo low > low/data/sub/deep/x; echo low > low/data/gone/x
        echo low > low/data/opaque/hidden; echo low > low/data/dir-then-file-x
        mkdir low/data/dir-then-file; echo low > low/data/dir-then-file/x
        echo secret > low/etc/secret
        mkdir -p mid/data/sub top/data/opaque mid/data/opaque top/data/sub top/data/file-then-dir
        echo mid > mid/data/b; echo mid > mid/data/sub/y; echo mid > mid/data/dir-then-file
        mknod top/data/gone c 0 0
        mknod mid/data/a c 0 0
        python3 - <<'P'
        import os
        os.setxattr("top/data/opaque", "trusted.overlay.opaque", b"y")
        open("mid/data/opaque/under", "w").close()
        f = open("top/data/set-user-id", "w"); f.write("x"); f.close()
        os.chown("top/data/set-user-id", 1000, 1001); os.chmod("top/data/set-user-id", 0o4755)
        open("top/data/capable", "w").close()
        os.setxattr("top/data/capable", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
        f = open("top/data/sparse", "wb"); f.write(b"begin"); f.seek(50_000_000); f.write(b"end"); f.close()
        f = open(b"top/data/\xff\xfe name", "w"); f.close()
        os.link("top/data/set-user-id", "top/data/sub/second-name")
        os.mkdir("top/data/private", 0o700); os.chown("top/data/private", 999, 999)
        os.utime("top/data/private", ns=(1_000_000_000_000_000_001, 1_000_000_000_000_000_002))
        P
        echo top > top/data/opaque/new
        ln -s /etc/secret top/data/out; ln -s ../../../../etc top/data/up; ln -s nowhere top/data/dangling
        mkfifo top/data/fifo; mknod top/data/null c 1 3
        ln -s data low/link; ln -s /real/../../../../data mid/far; ln -s loop low/loop
        """#

    private func withLayers(_ body: (_ path: String, _ files: LayerFiles) async throws -> Void) async throws {
        let path = NSTemporaryDirectory() + "volume-tests-\(randomHex(bytes: 6))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let made = try await Command.run(["bash", "-c", Self.layers, "layers", path])
        try #require(made.status == 0, "\(made)")
        try await body(path, LayerFiles(layers: ["low", "mid", "top"].map { "\(path)/\($0)" }))
    }

    /// Everything about the files below a directory, as other programs see it.
    private static let listing = #"""
        find . -mindepth 0 -printf '%P|%y|%m|%U|%G|%n|%l|%T@' \( -type d -printf '\n' -o -printf '|%s\n' \) \
            | sed 's/^|d|\(.*\)|[0-9]*||/|d|\1||/' | awk -F'|' -v OFS='|' '$2 == "d" {$6 = ""} {print}' | sort
        find . -type f -exec sha256sum {} + | sort -k 2
        getfattr -Rd -m 'security|user' . 2>/dev/null | sort || true
        """#

    @Test(arguments: ["/data", "/link", "/far", "/data/../data/./", "/../data"])
    func aVolumeGetsWhatTheOverlayShows(place: String) async throws {
        try await withLayers { path, files in
            let source = try #require(try files.directory(place))
            try FileManager.default.createDirectory(atPath: "\(path)/copy", withIntermediateDirectories: true)
            try TreeCopy.copy(source, to: try Descriptor.openDirectory("\(path)/copy", forListing: true))
            let script = """
                cd "$1" && mkdir merged && mount -t overlay overlay -o lowerdir=top:mid:low merged \
                && cd merged/data && \(Self.listing)
                """
            let wanted = try await Command.run(["unshare", "-m", "bash", "-c", script, "list", path])
            try #require(wanted.status == 0 && wanted.lines.count > 20, "\(wanted)")
            let copied = try await Command.run(["bash", "-c", "cd \"$1/copy\" && \(Self.listing)", "list", path])
            #expect(copied.output == wanted.output, "\(copied)\n\(wanted)")
            let capability = try await Command.run(["getcap", "\(path)/copy/capable"])
            if capability.status == 0 { #expect(capability.output.contains("cap_net_raw"), "\(capability)") }
            // What was a hole is one still, and what had two names is one file still.
            var status = stat()
            #expect(stat("\(path)/copy/sparse", &status) == 0 && status.st_blocks < 1000)
            #expect(stat("\(path)/copy/sub/second-name", &status) == 0 && status.st_nlink == 2)
        }
    }

    @Test(arguments: ["/nothing", "/data/b", "/data/gone", "/data/null", "/data/dangling", "/data/out/x"])
    func whatIsNoDirectoryIsNoSource(place: String) async throws {
        try await withLayers { _, files in
            let found = try files.directory(place)
            #expect(found.map(\.parts.count) == nil, "\(place)")
        }
    }

    @Test func linksNeverLeadOut() async throws {
        try await withLayers { path, files in
            // /data/up is ../../../../etc: the image's, not the host's.
            let found = try #require(try files.directory("/data/up"))
            let names = try found.names()
            #expect(names == [Array("secret".utf8)])
            #expect(throws: (any Error).self) { _ = try files.directory("/loop") }
        }
    }
}
