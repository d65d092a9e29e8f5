import TestSupport
import Testing

/// Device nodes of containers in a user namespace, and who owns those of the host.
@Suite("swrun: device nodes that the launcher makes for a user namespace")
struct RuntimeLentDeviceTests {
    private static let user = users(100_000)

    private static func users(_ first: Int) -> String {
        let map = "[{containerID: 0, hostID: \(first), size: 65536}]"
        return ".linux.namespaces += [{type: \"user\"}] | .linux.uidMappings = \(map) | .linux.gidMappings = \(map)"
    }

    /// All of the host's, with who they are and who may open them.
    private static let nodes = [
        "bash", "-c",
        #"find /dev /run/nodes \( -type c -o -type b \) -printf '%p %D %i %U:%G %m\n' 2>/dev/null | grep -v /pts/"#,
    ]

    @Test func `a device node is the document's, and the host need not have it`() async throws {
        try await TestHost.with { host in
            let device = #"{path: "/dev/own/zero", type: "c", major: 1, minor: 5, fileMode: 416, uid: 10, gid: 11}"#
            let bundle = try await RuntimeBundle(
                host,
                "cd /dev/own; stat -c %u:%g:%a:%t:%T zero; head -c 3 zero | wc -c; mknod two c 1 5 && head -c 1 two",
                Self.user + " | .linux.devices = [\(device)]")
            let before = try await host.must(["cat", "/proc/self/mountinfo"])
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.lines == ["10:11:640:1:5", "3"], "\(result)")
            #expect(result.errors.contains("mknod: two: Operation not permitted"), "\(result)")
            #expect(try await host.must(["cat", "/proc/self/mountinfo"]) == before)

            // Nobody in the container is its owner, and the host has no such node to be shown in its place.
            let stranger = try await RuntimeBundle(
                host, "true", Self.user + " | .linux.devices = [\(device) | .uid = 70000]")
            let refused = try await stranger.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(refused.status == 1 && refused.errors.contains("linux.devices[0]"), "\(refused)")
            // The cgroup's rules are about it as about any.
            let denied = try await RuntimeBundle(
                host, "head -c 1 /dev/own/fuse",
                Self.user + """
                     | .linux.devices = [{path: "/dev/own/fuse", type: "c", major: 10, minor: 229, fileMode: 438}]
                    | .linux.resources.devices = [{allow: false, access: "rwm"}]
                    """)
            let closed = try await denied.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(closed.errors.contains("Operation not permitted"), "\(closed)")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `the host's nodes stay what they are, whatever a document says of them`() async throws {
        try await TestHost.with { host in
            // In the place of the host's: what goes wrong must not go wrong for the machine.
            try await host.must([
                "bash", "-ec",
                """
                mkdir /run/nodes; cd /run/nodes; mknod -m 640 mine c 1 3; mknod -m 640 zero c 1 5; mknod -m 600 block b 1 5
                mkdir -p shm pts mqueue
                """,
            ])
            let before = try await host.must(Self.nodes)
            let bind = """
                .mounts |= map(select(.destination | startswith("/dev") | not))
                | .mounts += [{destination: "/dev", type: "bind", source: "/run/nodes", options: ["rbind"]}]
                """
            let devices = """
                .linux.devices = [
                    {path: "/dev/mine", type: "c", major: 1, minor: 3, fileMode: 511, uid: 10, gid: 11},
                    {path: "/dev/block", type: "b", major: 1, minor: 5, fileMode: 511, uid: 10, gid: 11}]
                """
            // Who is the superuser there too may be told to change them, and does not.
            for users in [".", Self.user, Self.users(0)] {
                for place in [".", bind] {
                    let bundle = try await RuntimeBundle(
                        host, "stat -c %u:%g:%a /dev/mine", [users, place, devices].joined(separator: " | "))
                    let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
                    let isHosts = place == bind
                    let owner = users == Self.user ? "65534:65534" : "0:0"
                    #expect(result.output == (isHosts ? "\(owner):640" : "10:11:777"), "\(users) \(place) \(result)")
                    #expect(try await host.must(Self.nodes) == before)
                    #expect(try await bundle.leftovers() == "")
                }
            }
        }
    }
}
