import TestSupport
import Testing

/// What the superuser of a container can do to the host's device nodes, who has chown and chmod by default.
@Suite("swrun: the host's device nodes stay as they are")
struct RuntimeNullDeviceTests {
    private static func users(_ first: Int) -> String {
        let map = "[{containerID: 0, hostID: \(first), size: 65536}]"
        return ".linux.namespaces += [{type: \"user\"}] | .linux.uidMappings = \(map) | .linux.gidMappings = \(map)"
    }

    /// Without mounts on /dev or in it.
    private static let plain = #".mounts |= map(select(.destination | startswith("/dev") | not))"#
    private static let mask = #".linux.maskedPaths += ["/one", "/two"]"#
    private static let mayMount = #".process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])"#

    /// Gives the test's host nodes of its own: what goes wrong must not go wrong for the machine.
    private static func withNodes(_ body: (TestHost, _ nodes: @Sendable () async throws -> String) async throws -> Void)
        async throws
    {
        try await TestHost.with { host in
            try await host.must([
                "bash", "-ec",
                """
                mkdir /run/dev; mount -t tmpfs -o mode=755 dev /run/dev; cd /run/dev; umask 0
                mknod null c 1 3; mknod zero c 1 5; mknod full c 1 7; mknod random c 1 8; mknod urandom c 1 9; mknod tty c 5 0
                mkdir pts shm mqueue; mount --bind /dev/pts pts; ln -s pts/ptmx ptmx; ln -s /proc/self/fd fd
                mount --move /run/dev /dev
                """,
            ])
            try await body(host) {
                try await host.must(["sh", "-c", "stat -c '%n %a %u:%g %y %z' /dev/[fnrtuz]*[lomy]"])
            }
            try await host.must(["umount", "-l", "/dev"])
        }
    }

    @Test(arguments: [
        ".", users(0), users(100_000), plain, "\(users(0)) | \(plain)",
        #".linux.devices = [{path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 438, uid: 7, gid: 8}]"#,
        #".linux.devices = [{path: "/dev/null", type: "c", major: 1, minor: 5}]"#,
        #"\#(plain) | .mounts += [{destination: "/dev", type: "bind", source: "/dev", options: ["rbind"]}]"#,
    ])
    func `what masks a file is empty, and is not changed`(change: String) async throws {
        try await Self.withNodes { host, nodes in
            let before = try await nodes()
            let attack = """
                for f in $(awk '$4 ~ /(null|node)$/ && $5 !~ /^.dev/ {print $5}' /proc/self/mountinfo); do
                    echo $f $(for try in 'chmod 611' 'chown 7:8' 'touch -d 2000-01-01'; do $try $f 2>&1; done | grep -c Read-only)
                    cat $f; echo x >$f
                done
                """
            let bundle = try await RuntimeBundle(host, attack, "\(change) | \(Self.mask)")
            try await host.must(["bash", "-ec", "cd /run/bundle/rootfs; echo secret | tee one >two"])
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.lines.count > 1 && result.lines.allSatisfy { $0.hasSuffix(" 3") }, "\(result)")
            #expect(result.lines.contains("/one 3") && result.lines.contains("/two 3"), "\(result)")
            #expect(result.errors == "" && result.status == 0, "\(result)")
            #expect(try await nodes() == before)
        }
    }

    /// Who may mount makes it writable again: then it is the container's own that is changed.
    @Test(arguments: [".", users(0)])
    func `nor are the host's nodes by who may mount`(change: String) async throws {
        try await Self.withNodes { host, nodes in
            let before = try await nodes()
            let attack = """
                for f in /one /two /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty; do
                    mount -o remount,bind,rw $f 2>/dev/null; chmod 611 $f; chown 7:8 $f; touch -d 2000-01-01 $f
                done 2>/dev/null; stat -c %a:%u:%g /dev/zero
                """
            let bundle = try await RuntimeBundle(host, attack, "\(change) | \(Self.mask) | \(Self.mayMount)")
            try await host.must(["touch", "/run/bundle/rootfs/one", "/run/bundle/rootfs/two"])
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.output == "611:7:8", "\(result)")
            #expect(try await nodes() == before)
        }
    }

    @Test func `of the nodes that a user namespace is shown only the contents can be written`() async throws {
        try await Self.withNodes { host, nodes in
            let before = try await nodes()
            let attack = """
                cd /dev; chmod 611 null zero full random urandom tty 2>&1 | grep -c Read-only
                echo x >null; echo x >full; head -c 2 zero | wc -c
                """
            let bundle = try await RuntimeBundle(host, attack, Self.users(100_000))
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.lines == ["6", "2"] && result.errors.contains("No space left"), "\(result)")
            #expect(try await nodes() == before)
        }
    }

    @Test(arguments: [".", users(0), plain, #".linux.devices = [{path: "/dev/null", type: "c", major: 1, minor: 5}]"#])
    func `standard streams are not the host's null device`(change: String) async throws {
        try await Self.withNodes { host, nodes in
            let before = try await nodes()
            let attack = """
                for n in 0 1 2; do chmod 611 /proc/self/fd/$n; chown 7:8 /proc/self/fd/$n; done
                echo to nobody; cat; (readlink -f /proc/self/fd/0; stat -L -c %t:%T /proc/self/fd/0) >/seen
                """
            _ = try await RuntimeBundle(host, attack, change)
            let swrun = Products.path("swrun")
            try await host.must(["chmod", "-R", "a+w", "/run/bundle/rootfs"])
            let run = try await host.shell("\(swrun) run --bundle /run/bundle box </dev/null >/dev/null 2>&1")
            #expect(run.status == 0, "\(run)")
            let seen = try await host.must(["cat", "/run/bundle/rootfs/seen"])
            #expect(seen.hasSuffix("1:3"), "\(seen)")
            #expect(!change.hasPrefix(".linux.namespaces") && change != "." || seen == "/dev/null\n1:3", "\(seen)")
            #expect(try await nodes() == before)
        }
    }

    @Test func `nor are those of a further process, whatever the container has in its place`() async throws {
        try await Self.withNodes { host, nodes in
            let before = try await nodes()
            let bundle = try await RuntimeBundle(host)
            try await bundle.must("run", "--detach", "--bundle", "/run/bundle", "box")
            let attack = """
                for n in 0 1 2; do chmod 611 /proc/self/fd/$n; chown 7:8 /proc/self/fd/$n; done
                stat -L -c %t:%T /proc/self/fd/0 >>/seen
                """
            let command = "\(Products.path("swrun")) exec box sh -c '\(attack)' </dev/null >/dev/null 2>&1"
            for other in ["true", "ln -s zero null", "mknod null c 1 5", "mkfifo null", "touch null", "mkdir null"] {
                try await bundle.must(
                    "exec", "box", "sh", "-ec", "cd /dev; \(other == "true" ? "" : "rm -rf null;") \(other)")
                let exec = try await host.shell(command)
                #expect(exec.status == 0, "\(other): \(exec)")
                #expect(try await nodes() == before, "\(other)")
            }
            let seen = try await host.must(["cat", "/run/bundle/rootfs/seen"])
            #expect(seen == Array(repeating: "1:3", count: 6).joined(separator: "\n"))
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(arguments: [
        ("touch zero", ".", "1:3 0:0"), ("mknod zero c 1 3", ".", "1:3 1:3"), ("touch null", ".", "0:0 1:5"),
        ("touch zero", users(100_000), "1:3 1:5"), ("mkfifo null", users(100_000), "1:3 1:5"),
    ])
    func `another file in the place of a node stays, or has the node on top`(
        place: String, change: String, expected: String
    ) async throws {
        try await TestHost.with { host in
            let command = "stat -c %t:%T /dev/null /dev/zero | xargs; cat /one; stat -L -c %t:%T /proc/self/fd/0"
            let bundle = try await RuntimeBundle(host, command, "\(change) | \(Self.plain) | \(Self.mask)")
            let prepare =
                "cd /run/bundle/rootfs; echo secret >one; rm -rf dev; mkdir dev; cd dev; \(place); chown -R 100000 ../.."
            try await host.must(["bash", "-ec", prepare])
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.lines == [expected, "1:3"], "\(result)")
        }
    }

    @Test(arguments: [
        (
            "ln -s /etc/passwd null", ".",
            "fill /dev of the root (root.path): file exists (/dev/null is not character device 1:3 but a symbolic link)"
        ),
        ("mkdir zero", ".", "file exists (/dev/zero is not character device 1:5 but a directory)"),
        (
            "mknod x b 7 1", #".linux.devices = [{path: "/dev/x", type: "c", major: 1, minor: 5}]"#,
            "make device (linux.devices[0]) /dev/x: file exists (/dev/x is not character device 1:5 but block device 7:1)"
        ),
    ])
    func `what is in the place of a node is named`(place: String, change: String, words: String) async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "true", "\(change) | \(Self.plain)")
            try await host.must(["bash", "-ec", "cd /run/bundle/rootfs; rm -rf dev; mkdir dev; cd dev; \(place)"])
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.status == 1 && result.errors.hasSuffix(words), "\(result)")
            #expect(try await bundle.leftovers() == "")
        }
    }
}
