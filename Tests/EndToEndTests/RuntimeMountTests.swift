import Foundation
import TestSupport
import Testing

@Suite("swrun: what binds take over from their sources, and what is masked")
struct RuntimeMountTests {
    private static let user = """
        .linux.namespaces += [{type: "user"}]
        | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
        | .linux.gidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
        """

    /// runc's rule: without options that say how the mount is, it is what its source is; with any, it is that alone, but
    /// for what a user namespace cannot take away, and for how times are kept.
    @Test(arguments: [
        ("ro,noexec,nosymfollow,nodiratime", "bind", false, "ro noexec nosymfollow nodiratime"),
        ("ro,noexec,nosymfollow,nodiratime", "bind", true, "ro noexec nosymfollow nodiratime"),
        ("ro,noexec,nosymfollow,nodiratime", "bind,dev", false, "rw nodiratime"),
        ("ro,noexec,nosymfollow,nodiratime", "bind,dev", true, "ro noexec nodiratime"),
        ("ro", "bind,nosuid,rprivate", false, "rw nosuid"), ("ro", "bind,nosuid,rprivate", true, "ro nosuid"),
        ("nodev,nosuid,noexec,noatime", "bind,ro", false, "ro noatime"),
        ("noatime", "bind,atime", false, "rw noatime"), ("noatime", "bind,relatime", false, "rw"),
        ("noatime", "bind,nodiratime", false, "rw nodiratime"), ("nodiratime", "bind,strictatime", false, "rw"),
        ("nodiratime", "bind,relatime", true, "rw nodiratime"), ("strictatime", "bind,nostrictatime", true, "rw"),
        ("nodiratime", "bind,diratime", true, "rw nodiratime"),
        ("nodiratime", "bind,norelatime", true, "rw nodiratime"),
        ("noatime,nodiratime", "bind,atime", true, "rw noatime nodiratime"),
        ("ro,nodiratime", "bind,diratime", false, "rw nodiratime"), ("ro,noatime", "bind,atime", false, "rw noatime"),
        ("nodev,nosuid,noexec,noatime", "bind,ro", true, "ro nosuid nodev noexec noatime"),
        ("nodev,nosymfollow", "bind,ro,symfollow", true, "ro nodev"),
        ("nodev,nosymfollow", "bind,rw", true, "rw nodev"),
    ])
    func `options of a bind and of its source`(
        source: String, options: String, isMapped: Bool, expected: String
    ) async throws {
        try await TestHost.with { host in
            try await host.must([
                "bash", "-ec",
                """
                mkdir /run/source
                mount -t tmpfs -o mode=755 source /run/source
                mount -o remount,bind,\(source) /run/source
                """,
            ])
            let list = options.split(separator: ",").map { "\"\($0)\"" }.joined(separator: ",")
            let change =
                #".mounts += [{destination: "/m", type: "bind", source: "/run/source", options: [\#(list)]}]"#
                + (isMapped ? " | " + Self.user : "")
            let bundle = try await RuntimeBundle(host, "grep ' /m ' /proc/self/mountinfo", change)
            try await host.must(["mkdir", "/run/bundle/rootfs/m"])
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            try await host.must(["umount", "/run/source"])
            let fields = result.output.split(separator: " ")
            #expect(fields.count > 5, "\(result)")
            let found = fields.dropFirst(5).first?.split(separator: ",").filter { $0 != "relatime" } ?? []
            #expect(Set(found) == Set(expected.split(separator: " ")), "\(result)")
        }
    }

    @Test func `a user namespace cannot ask for what is locked to go`() async throws {
        try await TestHost.with { host in
            try await host.must([
                "bash", "-ec",
                "mkdir /run/source; mount -t tmpfs source /run/source; mount -o remount,bind,ro /run/source",
            ])
            let change =
                #".mounts += [{destination: "/m", type: "bind", source: "/run/source", options: ["bind", "rw"]}] | "#
                + Self.user
            let bundle = try await RuntimeBundle(host, "true", change)
            try await host.must(["mkdir", "/run/bundle/rootfs/m"])
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            try await host.must(["umount", "/run/source"])
            #expect(result.status == 1 && result.errors.contains("operation not permitted"), "\(result)")
            #expect(try await bundle.leftovers() == "")
        }
    }

    /// Engines have written the host's path of the container's root into destinations, and runc takes it off.
    @Test func `a destination that begins with the root's path is below the root, and mounts are sources`() async throws
    {
        try await TestHost.with { host in
            try await host.must(["bash", "-ec", "mkdir -p /run/source; echo here >/run/source/file"])
            let change = """
                .mounts += [
                    {destination: "/run/bundle/rootfs/a/b", type: "bind", source: "/run/source", options: ["bind"]},
                    {destination: "/c", type: "bind", source: "/run/bundle/rootfs/a", options: ["rbind"]}]
                """
            let bundle = try await RuntimeBundle(host, "cat /a/b/file /c/b/file", change)
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.output == "here\nhere", "\(result)")
        }
    }

    /// Copies with mapped owners are made in the host's mount namespace, where they are peers of what they show.
    @Test func `what is mounted in mapped files of the host is not mounted on the host`() async throws {
        try await TestHost.with { host in
            try await host.withMappableFolder(at: "/run/source") {
                try await host.must(["sh", "-c", "mkdir /run/source/sub; mount --make-shared /run/source"])
                let change = """
                    \(Self.user) | .process.capabilities |= map_values(["CAP_SYS_ADMIN"]) | .mounts += [{
                        destination: "/m", type: "bind", source: "/run/source", options: ["bind"],
                        uidMappings: .linux.uidMappings, gidMappings: .linux.gidMappings}]
                    """
                let bundle = try await RuntimeBundle(host, "mount -t tmpfs evil /m/sub && exec sleep 1000", change)
                try await host.must(["mkdir", "/run/bundle/rootfs/m"])
                try await bundle.create()
                try await bundle.must("start", "box")
                let isMounted = try await eventually {
                    try await bundle.must("exec", "box", "cat", "/proc/self/mountinfo").contains(" /m/sub ")
                }
                #expect(isMounted)
                #expect(try await !host.must(["cat", "/proc/self/mountinfo"]).contains("/run/source/sub"))
                try await bundle.must("delete", "--force", "box")
            }
        }
    }

    @Test func `a root that is a link to a directory`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "echo here", #".root.path = "link""#)
            try await host.must(["ln", "-s", "rootfs", "/run/bundle/link"])
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.output == "here", "\(result)")
        }
    }

    @Test func `masked directories are one empty file system that nobody writes to`() async throws {
        try await TestHost.with { host in
            let command = """
                stat -c %d /one /two /three | uniq -c | wc -l; ls -A /one /two/ | grep -v : | grep .; stat -c %a /three
                touch /two/x 2>&1 | grep -o 'Read-only file system'; stat -c %d / /one | uniq | wc -l
                """
            // Behind so many mounts that not every descriptor is left to the exec.
            let mounts = #".mounts += [range(300) | {destination: "/tmp/\(.)", type: "tmpfs", source: "tmpfs"}]"#
            let bundle = try await RuntimeBundle(
                host, command, #"\#(mounts) | .linux.maskedPaths = ["/one", "/two", "/three"]"#)
            try await host.must([
                "bash", "-ec", "cd /run/bundle/rootfs; mkdir one two three; touch one/secret two/secret",
            ])
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.lines == ["1", "755", "Read-only file system", "2"], "\(result)")
        }
    }

    @Test func `what is masked or read-only is so by all of its names`() async throws {
        try await TestHost.with { host in
            let command = """
                cat /secret /to/secret /to/folder/file; echo x >/kept; echo x >/to/kept; touch /to/written/new
                ls -l /to/nowhere | cut -c1; readlink /to/secret
                """
            let change = """
                .linux.maskedPaths += ["/to/secret", "/to/folder", "/to/nowhere"]
                | .linux.readonlyPaths += ["/to/kept", "/to/written"]
                """
            let bundle = try await RuntimeBundle(host, command, change)
            try await host.must([
                "bash", "-ec",
                """
                cd /run/bundle/rootfs; mkdir to folder written; echo secret | tee secret folder/file >kept
                ln -s ../secret ../kept ../nowhere to; ln -s /folder /written to
                """,
            ])
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.lines == ["l", "../secret"], "\(result)")
            let refusals = result.errors.split(separator: "\n").filter { $0.hasSuffix("Read-only file system") }
            #expect(refusals.count == 3, "\(result)")
            #expect(try await host.must(["cat", "/run/bundle/rootfs/kept"]) == "secret")
        }
    }

    /// What engines hide and protect in /proc is named there; the document may have put another one in its place, or none.
    @Test(arguments: [
        #".linux.maskedPaths += ["/proc/mounts", "/proc/net"] | .linux.readonlyPaths += ["/proc/self"]"#,
        #".mounts += [{destination: "/proc", type: "bind", source: "/proc", options: ["rbind"]}]"#,
        #".mounts += [{destination: "/link", type: "bind", source: "/proc", options: ["rbind"]}]"#,
        #".mounts |= map(select(.type != "proc"))"#,
        #".mounts |= map(select(.type != "proc")) | .linux.maskedPaths |= ["/sys/firmware"] + ."#,
        #".linux.readonlyPaths = ["/proc"]"#, #".linux.readonlyPaths += ["/proc"]"#,
        #".linux.readonlyPaths = ["/link"]"#, #".linux.readonlyPaths = ["/proc/."] + .linux.readonlyPaths"#,
        #".linux.maskedPaths = ["/proc/timer_list", "/sys/firmware", "/proc/acpi", "/proc/keys", "/proc/interrupts"]"#,
    ])
    func `what is masked or read-only in /proc is so in the one that is there`(change: String) async throws {
        try await TestHost.with { host in
            let command = """
                cat /proc/keys /proc/interrupts /proc/timer_list; ls -A /proc/acpi /sys/firmware 2>/dev/null | grep -v : | grep .
                echo x >/proc/sys/kernel/hostname; mount | grep -c ' /proc/keys '
                echo $(cat /proc/1/mounts | wc -c) $(ls /proc/1/net | wc -l)
                """
            let bundle = try await RuntimeBundle(host, command, change)
            try await host.must([
                "bash", "-ec",
                """
                cd /run/bundle/rootfs; ln -s proc link; cd proc; mkdir -p acpi sys/kernel 1/net; touch acpi/secret self mounts
                echo secret | tee keys interrupts timer_list 1/mounts sys/kernel/hostname
                """,
            ])
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            let hasProc = !change.contains("!= \"proc\"")
            #expect(result.errors.contains("Read-only file system"), "\(result)")
            #expect(!hasProc || change.contains("/proc/net") || result.lines.first == "1", "\(result)")
            #expect(!change.contains("/proc/net") || result.lines.last == "0 0", "\(result)")
            #expect(!result.output.contains("secret") && result.lines.count == 2, "\(result)")
        }
    }

    @Test func `a tmpfs that begins with the image's files may be read-only`() async throws {
        try await TestHost.with { host in
            let change = """
                .mounts += [{destination: "/copied", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "ro"]}]
                """
            _ = try await RuntimeBundle(host, "cat /copied/deep/200; touch /copied/new", change)
            // More of them than a process may have open.
            let files = "mkdir -p copied/deep; for i in $(seq 200); do echo here >copied/deep/$i; done"
            try await host.must(["bash", "-ec", "cd /run/bundle/rootfs; \(files)"])
            let result = try await host.shell("ulimit -n 100; \(Products.path("swrun")) run --bundle /run/bundle box")
            #expect(result.output == "here" && result.errors.contains("Read-only file system"), "\(result)")
        }
    }

    /// As `--tmpfs /dev/shm` of docker and podman has it.
    @Test func `a tmpfs has the mode of what the image has there, and the kernel's in a new /dev`() async throws {
        try await TestHost.with { host in
            let change = """
                .mounts |= map(if .destination == "/dev/shm" then .options = ["nosuid"] else . end)
                | .mounts += [{destination: "/kept", type: "tmpfs"}, {destination: "/dev/new", type: "tmpfs"},
                    {destination: "/new", type: "tmpfs"}, {destination: "/dev/shm/deep", type: "tmpfs"}]
                | .process.user.additionalGids = [9, 7, 9, 7, 7]
                """
            let bundle = try await RuntimeBundle(
                host, "stat -c '%n %a' /dev/shm /dev/new /new /kept /dev/shm/deep; id -G", change)
            try await host.must(["install", "-d", "-m", "2750", "/run/bundle/rootfs/kept"])
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            let modes = ["/dev/shm 1777", "/dev/new 1777", "/new 1777", "/kept 2750", "/dev/shm/deep 1777"]
            #expect(result.lines == modes + ["0 7 9"], "\(result)")
        }
    }

    /// docker looks for the kernel's words to ask whether a file and a directory were mistaken for each other.
    @Test func `a file is not mounted on a directory, nor a directory on a file`() async throws {
        try await TestHost.with { host in
            try await host.must(["sh", "-c", "mkdir /run/directory; echo >/run/file"])
            for (source, destination) in [("/run/file", "/etc"), ("/run/directory", "/bin/busybox")] {
                let bundle = try await RuntimeBundle(
                    host, "true",
                    ".mounts += [{source: \"\(source)\", destination: \"\(destination)\", options: [\"bind\"]}]")
                expectRefusal(
                    try await bundle.swrun("run", "--bundle", "/run/bundle", "box"), status: 1,
                    names: "error mounting \"\(source)\" to rootfs at \"\(destination)\" (mounts[",
                    "): not a directory (are both"
                )
                #expect(try await bundle.leftovers() == "")
            }
        }
    }

    @Test func `a document says how the nodes are that every container has, and core is where it leads somewhere`()
        async throws
    {
        try await TestHost.with { host in
            let change = """
                .linux.devices = [{path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 384, uid: 7, gid: 8},
                    {path: "/dev/random", type: "u", major: 1, minor: 9}, {path: "/dev/zero", type: "c", major: 1, minor: 5}]
                """
            let command =
                "cd /dev; stat -c '%n %t:%T %a %u:%g' null random urandom zero; [ ! -L core ] || [ -e core ] || echo core"
            let expected = ["null 1:3 600 7:8", "random 1:9 666 0:0", "urandom 1:9 666 0:0", "zero 1:5 666 0:0"]
            for more in ["", " | .mounts |= map(select(.destination | startswith(\"/dev\") | not))"] {
                let bundle = try await RuntimeBundle(host, command, change + more)
                let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
                #expect(result.lines == expected, "\(result)")
            }
        }
    }

    @Test func `a root without a mount on /dev may be read-only in a user namespace`() async throws {
        try await TestHost.with { host in
            let change = #".root.readonly = true | .mounts |= map(select(.destination | startswith("/dev") | not)) | "#
            let bundle = try await RuntimeBundle(
                host, "echo x >/dev/null && echo may; touch /dev/x", change + Self.user)
            // The container's root makes places in it.
            try await host.must(["chown", "-R", "100000:100000", "/run/bundle/rootfs"])
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.output == "may" && result.errors.contains("Read-only file system"), "\(result)")
        }
    }

    @Test func `what comes with the host's sysfs is as read-only as the document has it`() async throws {
        try await TestHost.with { host in
            // Who is in the host's network cannot mount one.
            let change = """
                .linux.namespaces |= map(select(.type != "network"))
                | .mounts |= map(select(.type != "cgroup")) |
                """
            let bundle = try await RuntimeBundle(
                host, "awk '$5 ~ /^\\/sys/ { print $5, $6 }' /proc/self/mountinfo", "\(change) \(Self.user)")
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.lines.contains { $0.hasPrefix("/sys ") }, "\(result)")
            #expect(result.lines.contains { $0.hasPrefix("/sys/") }, "\(result)")
            for line in result.lines { #expect(line.contains(" ro,nosuid,nodev,noexec"), "\(result)") }
        }
    }
}
