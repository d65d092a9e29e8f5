import Foundation
import TestSupport
import Testing

@Suite("swrun: whose a cgroup is")
struct RuntimeCgroupTests {
    private static let maps = """
        .linux.namespaces += [{type: "user"}]
        | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
        | .linux.gidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
        | del(.linux.resources)
        """
    private static let writable = #"(.mounts[] | select(.type == "cgroup")) |= (.options -= ["ro"])"#

    /// Has the host see cgroup v2 alone.
    private func showUnified(_ host: TestHost) async throws {
        try await host.must([
            "sh", "-c",
            "[ ! -d /sys/fs/cgroup/unified ] || mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup; test -e /sys/fs/cgroup/cgroup.procs",
        ])
    }

    @Test func `one that can be written to belongs to the container's user, and its limits do not`() async throws {
        try await TestHost.with { host in
            try await showUnified(host)
            let bundle = try await RuntimeBundle(
                host, "mkdir /sys/fs/cgroup/inside && echo $$ >/sys/fs/cgroup/inside/cgroup.procs && exec sleep 1000",
                "\(Self.maps) | \(Self.writable)")
            try await host.must(["chown", "-R", "100000:100000", "/run/bundle/rootfs"])
            try await bundle.create()
            let place = try await host.must(["sh", "-c", "find /sys/fs/cgroup -type d -path '*swrun/box'"])
            func owner(_ file: String) async throws -> String {
                try await host.must(["stat", "-c", "%u:%g", "\(place)/\(file)"])
            }
            for file in [".", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
                #expect(try await owner(file) == "100000:0", "\(file)")
            }
            for file in ["cgroup.freeze", "cgroup.max.depth", "../cgroup.procs"] {
                #expect(try await owner(file) == "0:0", "\(file)")
            }
            try await bundle.must("start", "box")
            #expect(try await eventually { try await host.shell("grep . \(place)/inside/cgroup.procs").status == 0 })
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(arguments: [
        // Read-only, and elsewhere.
        maps,
        "\(maps) | \(writable) | (.mounts[] | select(.type == \"cgroup\")).destination = \"/mnt\"",
    ])
    func `any other stays whose it is`(change: String) async throws {
        try await TestHost.with { host in
            try await showUnified(host)
            let bundle = try await RuntimeBundle(host, "exec sleep 1000", change)
            try await host.must(["chown", "-R", "100000:100000", "/run/bundle/rootfs"])
            try await bundle.create()
            let owners = "find /sys/fs/cgroup -path '*swrun/box*' -exec stat -c %u {} + | sort -u"
            #expect(try await host.must(["sh", "-c", owners]) == "0")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `the kernel is told the options of the mount`() async throws {
        try await TestHost.with { host in
            try await showUnified(host)
            func run(_ option: String) async throws -> CommandResult {
                let change = #"(.mounts[] | select(.type == "cgroup")).options += ["\#(option)"]"#
                let bundle = try await RuntimeBundle(host, "echo ran", change)
                return try await bundle.swrun("run", "--bundle", RuntimeBundle.folder, "box")
            }
            let known = try await run("memory_recursiveprot")
            #expect(known.status == 0 && known.output == "ran", "\(known)")
            let unknown = try await run("nosuch")
            #expect(unknown.status == 1 && unknown.errors.contains("mounts["), "\(unknown)")
            #expect(unknown.errors.contains("'nosuch'"), "\(unknown)")
        }
    }
}
