import Foundation
import TestSupport
import Testing

@Suite("swrun: user and time namespaces, and mounts changed")
struct RuntimeNamespaceTests {
    private static let user = """
        .linux.namespaces += [{type: "user"}]
        | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
        | .linux.gidMappings = [{containerID: 0, hostID: 200000, size: 65536}]
        """

    @Test func `the container's root is nobody on the host`() async throws {
        try await TestHost.with { host in
            try await host.must([
                "bash", "-ec", "mkdir /run/theirs && echo secret >/run/theirs/file && chmod 600 /run/theirs/file",
            ])
            let change =
                Self.user
                + #" | .mounts += [{destination: "/theirs", type: "bind", source: "/run/theirs", options: ["bind"]}]"#
            let bundle = try await RuntimeBundle(host, "sleep 1000", change)
            // The root belongs to the host's user, so the container's may not make a place in it.
            try await host.must(["mkdir", "/run/bundle/rootfs/theirs"])
            try await bundle.must("run", "--detach", "--bundle", "/run/bundle", "box")
            let pid = try #require(try await bundle.state()["pid"].integer)
            let identity = try await host.must(["awk", "/^(Uid|Gid)/ { print $2 }", "/proc/\(pid)/status"])
            #expect(identity == "100000\n200000")
            let own = try await host.must(["readlink", "/proc/self/ns/user"])
            #expect(try await host.must(["readlink", "/proc/\(pid)/ns/user"]) != own)

            let inside = try await bundle.swrun(
                "exec", "box", "sh", "-c",
                "id -u; readlink /proc/self/ns/user; cat /theirs/file; touch /theirs/new; true")
            #expect(inside.lines.first == "0", "\(inside)")
            #expect(try await host.must(["readlink", "/proc/\(pid)/ns/user"]) == inside.lines.last, "\(inside)")
            #expect(!inside.output.contains("secret"), "\(inside)")
            #expect(try await host.shell("test -e /run/theirs/new").status == 1)
            // What it makes belongs to it, and its devices are the host's nodes.
            let made = try await bundle.swrun(
                "exec", "box", "sh", "-c", "touch /dev/shm/f; stat -c %u /dev/shm/f; echo x >/dev/null && echo may")
            #expect(made.lines == ["0", "may"], "\(made)")
            #expect(try await bundle.swrun("exec", "--user", "5:6", "box", "id", "-u").output == "5")
            #expect(try await bundle.swrun("exec", "--user", "70000", "box", "id", "-u").status == 255)
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    /// A container whose user namespace, and whatever else is named, are those of another.
    @Test(arguments: [
        [], ["network"], ["pid", "network", "ipc", "uts", "cgroup", "time"],
    ])
    func `a user namespace is joined, with its namespaces or with new ones`(others: [String]) async throws {
        try await TestHost.with { host in
            let time = #" | .linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 5000}}"#
            let first = try await RuntimeBundle(host, "exec sleep 1000", Self.user + time)
            try await first.must("run", "--detach", "--bundle", "/run/bundle", "first")
            let pid = try #require(try await first.state("first")["pid"].integer)
            let files = ["network": "net", "mount": "mnt"]
            let paths = (["user"] + others).map { kind in
                #"(.linux.namespaces[] | select(.type == "\#(kind)")).path = "/proc/\#(pid)/ns/\#(files[kind] ?? kind)""#
            }
            let change =
                (#".linux.namespaces += [{type: "user"}, {type: "time"}] | .hostname = "second" | "#)
                + paths.joined(separator: " | ")
            let second = try await RuntimeBundle(host, "exec sleep 1000", change)
            try await second.must("run", "--detach", "--bundle", "/run/bundle", "second")
            let other = try #require(try await second.state("second")["pid"].integer)
            for kind in ["user", "network", "pid", "ipc", "uts", "cgroup", "time", "mount"] {
                let file = files[kind] ?? kind
                let one = try await host.must(["readlink", "/proc/\(pid)/ns/\(file)"])
                let two = try await host.must(["readlink", "/proc/\(other)/ns/\(file)"])
                #expect((one == two) == (kind == "user" || others.contains(kind)), "\(kind)")
            }
            // What is new is its own: loopback is up, and the name is set.
            let inside = try await second.swrun(
                "exec", "second", "sh", "-c", "id -u; hostname; cat /sys/class/net/lo/flags; cat /proc/self/uid_map")
            #expect(inside.lines.prefix(3) == ["0", "second", "0x9"], "\(inside)")
            #expect(inside.lines.last?.split(separator: " ") == ["0", "100000", "65536"], "\(inside)")
            try await second.must("delete", "--force", "second")
            try await first.must("delete", "--force", "first")
            #expect(try await first.leftovers() == "")
        }
    }

    @Test func `a user namespace is joined together with a network of the host's, and one that is none is refused`()
        async throws
    {
        try await TestHost.with { host in
            let first = try await RuntimeBundle(host, "exec sleep 1000", Self.user)
            try await first.must("run", "--detach", "--bundle", "/run/bundle", "first")
            let pid = try #require(try await first.state("first")["pid"].integer)
            try await host.must(["ip", "netns", "add", "web"])
            let change = """
                .linux.namespaces += [{type: "user", path: "/proc/\(pid)/ns/user"}]
                | (.linux.namespaces[] | select(.type == "network")).path = "/run/netns/web"
                | .mounts |= map(select(.type != "sysfs" and .type != "cgroup"))
                """
            let second = try await RuntimeBundle(host, "readlink /proc/self/ns/net", change)
            let result = try await second.swrun("run", "--bundle", "/run/bundle", "second")
            let web = try await host.must(["ip", "netns", "exec", "web", "readlink", "/proc/self/ns/net"])
            #expect(result.output == web, "\(result)")
            for (path, kind) in [("/proc/\(pid)/ns/uts", "user"), ("/run/bundle/config.json", "network")] {
                let wrong = try await RuntimeBundle(
                    host, "true", change + #" | (.linux.namespaces[] | select(.type == "\#(kind)")).path = "\#(path)""#)
                expectRefusal(
                    try await wrong.swrun("create", "--bundle", "/run/bundle", "wrong"), status: 1, names: path,
                    "linux.namespaces")
            }
            try await host.must(["ip", "netns", "del", "web"])
            try await first.must("delete", "--force", "first")
            #expect(try await first.leftovers() == "")
        }
    }

    @Test func `a network of the host's is joined from a new user namespace`() async throws {
        try await TestHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            let change =
                Self.user + """
                     | .linux.namespaces |= map(if .type == "network" then .path = "/run/netns/web" else . end)
                     | .mounts |= map(select(.type != "sysfs" and .type != "cgroup"))
                    """
            let bundle = try await RuntimeBundle(host, "readlink /proc/self/ns/net", change)
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(
                result.output
                    == (try await host.must(["ip", "netns", "exec", "web", "readlink", "/proc/self/ns/net"])),
                "\(result)")
            try await host.must(["ip", "netns", "del", "web"])
        }
    }

    @Test(
        arguments: [
            (".linux.uidMappings = []", "linux.uidMappings"), (".linux.gidMappings = null", "linux.gidMappings"),
            (".linux.uidMappings[0].size = 0", "linux.uidMappings[0].size"),
            (".linux.uidMappings += .linux.uidMappings", "linux.uidMappings"),
            (".linux.uidMappings[0].containerID = 1", "linux.uidMappings"),
            (".linux.namespaces |= map(select(.type != \"user\"))", "linux.uidMappings"),
        ])
    func `maps that cannot be are refused by name`(change: String, name: String) async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000", Self.user + " | " + change)
            expectRefusal(
                try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1, names: name)
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `clocks of a time namespace are set`() async throws {
        try await TestHost.with { host in
            let change = """
                .linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 864000, nanosecs: 5}, monotonic: {secs: 77}}
                """
            let bundle = try await RuntimeBundle(host, "cut -d. -f1 /proc/uptime; exec sleep 1000", change)
            let before = try #require(Int(try await host.must(["bash", "-c", "cut -d. -f1 /proc/uptime"])))
            try await bundle.must("run", "--detach", "--bundle", "/run/bundle", "box")
            let pid = try #require(try await bundle.state()["pid"].integer)
            let offsets = try await host.must(["bash", "-c", "xargs </proc/\(pid)/timens_offsets"])
            #expect(offsets == "monotonic 77 0 boottime 864000 5")
            let own = try await host.must(["readlink", "/proc/self/ns/time"])
            #expect(try await host.must(["readlink", "/proc/\(pid)/ns/time"]) != own)
            let inside = try await bundle.swrun(
                "exec", "box", "sh", "-c", "cut -d. -f1 /proc/uptime; readlink /proc/self/ns/time")
            #expect((inside.lines.first.flatMap { Int($0) } ?? 0) >= before + 864000, "\(inside)")
            #expect(inside.lines.last == (try await host.must(["readlink", "/proc/\(pid)/ns/time"])), "\(inside)")
            try await bundle.must("delete", "--force", "box")
            for (change, name) in [
                (".linux.timeOffsets = {boottime: {secs: 1}}", "linux.timeOffsets"),
                (
                    ".linux.namespaces += [{type: \"time\"}] | .linux.timeOffsets = {realtime: {secs: 1}}",
                    "linux.timeOffsets.realtime"
                ),
                (
                    ".linux.namespaces += [{type: \"time\"}] | .linux.timeOffsets = {boottime: {secs: -99999999}}",
                    "linux.timeOffsets"
                ),
            ] {
                let bundle = try await RuntimeBundle(host, "sleep 1000", change)
                expectRefusal(
                    try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1, names: name)
            }
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a mount that is there is changed by remount, and only a mount`() async throws {
        try await TestHost.with { host in
            let change = #".mounts += [{destination: "/dev/shm", type: "tmpfs", options: ["remount", "ro", "noexec"]}]"#
            let bundle = try await RuntimeBundle(host, "grep /dev/shm /proc/self/mountinfo; touch /dev/shm/x", change)
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(
                result.status != 0 && result.output.contains(" ro,") && result.output.contains("noexec"), "\(result)")
            for (change, name) in [
                (#".mounts += [{destination: "/bin", type: "none", options: ["remount", "ro"]}]"#, "mounts[7]"),
                // runc and crun: EINVAL.
                (
                    #".mounts += [{destination: "/bin", type: "none", source: "x", options: ["rbind", "remount"]}]"#,
                    "it is no mount"
                ),
                (
                    #".mounts += [{destination: "/dev/shm", type: "tmpfs", options: ["remount", "size=1k"]}]"#,
                    "mounts[7].options"
                ),
            ] {
                let bundle = try await RuntimeBundle(host, "true", change)
                expectRefusal(
                    try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1, names: name)
            }
            #expect(try await bundle.leftovers() == "")
        }
    }
}

extension RuntimeNamespaceTests {
    @Test func `the owners of a bind's files are mapped, for one container and not for the host`() async throws {
        try await TestHost.with { host in
            try await host.withMappableFolder(at: "/run/data") { try await mapOwners(host) }
        }
    }

    private func mapOwners(_ host: TestHost) async throws {
        let make = "mkdir other sub; touch file other/file; chown 1000:2000 file other/file; mount --bind other sub"
        try await host.must(["bash", "-ec", "cd /run/data; \(make)"])
        let maps = """
            uidMappings: [{containerID: 1000, hostID: 5000, size: 10}],
            gidMappings: [{containerID: 2000, hostID: 6000, size: 10}]
            """
        func mount(_ options: String) -> String {
            """
            .mounts += [{destination: "/data", type: "bind", source: "/run/data", options: \(options), \(maps)}]
            """
        }
        let look = "stat -c %u:%g /data/file /data/sub/file"
        let one = try await RuntimeBundle(host, look, mount(#"["rbind", "idmap"]"#))
        let single = try await one.swrun("run", "--bundle", "/run/bundle", "box")
        #expect(single.lines == ["5000:6000", "1000:2000"], "\(single)")
        let all = try await RuntimeBundle(host, look, mount(#"["rbind", "ridmap"]"#))
        let recursive = try await all.swrun("run", "--bundle", "/run/bundle", "box")
        #expect(recursive.lines == ["5000:6000", "5000:6000"], "\(recursive)")
        // crun's and podman's way to say the same, in an option.
        let option = #"["rbind", "ridmap=uids=1000-5000-1#1001-5001-9;gids=2000-6000-10"]"#
        let spelt = try await RuntimeBundle(
            host, look, #".mounts += [{destination: "/data", type: "bind", source: "/run/data", options: \#(option)}]"#)
        let same = try await spelt.swrun("run", "--bundle", "/run/bundle", "box")
        #expect(same.lines == ["5000:6000", "5000:6000"], "\(same)")
        // What the container has mounted in its root is a source too.
        let inner = try await RuntimeBundle(
            host, "stat -c %u:%g /inner/file",
            """
            .mounts += [{destination: "/data", type: "bind", source: "/run/data", options: ["bind"]},
                {destination: "/inner", type: "bind", source: "/run/bundle/rootfs/data", options: ["bind", "idmap"], \(maps)}]
            """)
        let inside = try await inner.swrun("run", "--bundle", "/run/bundle", "box")
        #expect(inside.lines == ["5000:6000"], "\(inside)")
        // What nobody is mapped to cannot be made.
        let foreign = try await RuntimeBundle(host, "touch /data/new", mount(#"["bind", "idmap"]"#))
        let refused = try await foreign.swrun("run", "--bundle", "/run/bundle", "box")
        #expect(refused.status != 0 && refused.errors.contains("Value too large"), "\(refused)")
        #expect(try await host.must(["stat", "-c", "%u:%g", "/run/data/file"]) == "1000:2000")

        // With the container's own maps: its root owns what root owns on the host.
        try await host.must(["bash", "-ec", "touch /run/data/roots; mkdir /run/bundle/rootfs/data || true"])
        let change =
            Self.user
            + #" | .mounts += [{destination: "/data", type: "bind", source: "/run/data", options: ["bind", "idmap"]}]"#
        let bundle = try await RuntimeBundle(
            host, "stat -c %u:%g /data/roots; touch /data/made && stat -c %u:%g /data/made", change)
        let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
        #expect(result.lines == ["0:0", "0:0"], "\(result)")
        #expect(try await host.must(["stat", "-c", "%u:%g", "/run/data/made"]) == "0:0")
        // And in its numbers: 1000 is seen as what is 7 in there.
        let relative = try await RuntimeBundle(
            host, "stat -c %u:%g /data/file",
            Self.user
                + #" | .mounts += [{destination: "/data", type: "bind", source: "/run/data", options: ["bind", "#
                + #""idmap=uids=@1000-7-1;gids=@2000-8-1"]}]"#)
        let own = try await relative.swrun("run", "--bundle", "/run/bundle", "box")
        #expect(own.lines == ["7:8"], "\(own)")
        try await host.must(["umount", "/run/data/sub"])
        #expect(try await bundle.leftovers() == "")
    }

    @Test(
        arguments: [
            (#"{type: "bind", source: "/run", options: ["bind", "idmap"]}"#, "mounts[7].options"),
            (
                #"{type: "bind", source: "/run", uidMappings: [{containerID: 0, hostID: 1, size: 1}]}"#,
                "mounts[7].gidMappings"
            ),
            (
                #"{type: "bind", source: "/run", uidMappings: [{containerID: 0, hostID: 1, size: 0}],"#
                    + #" gidMappings: [{containerID: 0, hostID: 1, size: 1}]}"#, "mounts[7].uidMappings[0].size"
            ),
            (#"{type: "tmpfs", options: ["idmap"]}"#, "mounts[7].uidMappings"),
            (
                #"{type: "bind", source: "/proc", uidMappings: [{containerID: 0, hostID: 1, size: 1}],"#
                    + #" gidMappings: [{containerID: 0, hostID: 1, size: 1}]}"#, "mounts[7].uidMappings"
            ),
        ])
    func `a mapping that cannot be is refused by name`(mount: String, name: String) async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "true", #".mounts += [{destination: "/data"} + \#(mount)]"#)
            expectRefusal(try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1, names: name)
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a destination without a slash begins at the root, and two names of a domain that differ are refused`()
        async throws
    {
        try await TestHost.with { host in
            let change = #".mounts += [{destination: "srv/data", type: "tmpfs"}] | .domainname = "lab""#
            let bundle = try await RuntimeBundle(
                host, "grep -c ' /srv/data tmpfs' /proc/mounts; cat /proc/sys/kernel/domainname",
                change + #" | .linux.sysctl = {"kernel.domainname": "lab"}"#)
            #expect(try await bundle.must("run", "--bundle", RuntimeBundle.folder, "box") == "1\nlab")
            let contradiction = try await RuntimeBundle(
                host, "true", change + #" | .linux.sysctl = {"kernel.domainname": "other"}"#)
            expectRefusal(
                try await contradiction.swrun("run", "--bundle", RuntimeBundle.folder, "box"), status: 1,
                names: "linux.sysctl.kernel.domainname", "lab")
            #expect(try await bundle.leftovers() == "")
        }
    }
}
