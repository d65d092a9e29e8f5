import Foundation
import TestSupport
import Testing

@Suite("swrun: an ordinary user's containers")
struct RuntimeRootlessTests {
    /// The user and the first 65,536 of those that /etc/subuid gives it.
    private static let several = """
        .linux.uidMappings = [{containerID: 0, hostID: 41234, size: 1}, {containerID: 1, hostID: 500000, size: 65536}]
        | .linux.gidMappings = .linux.uidMappings
        """
    private static let hasMapper: ConditionTrait = .enabled(
        if: Products.has("newuidmap", "newgidmap"), "newuidmap is not installed (package uidmap)")

    @Test func `one who maps only itself makes, starts, enters, kills and deletes`() async throws {
        try await RootlessBundle.withHost { host in
            let bundle = try await RootlessBundle(host)
            try await bundle.create()
            #expect(try await host.must(["ls", "\(RootlessBundle.runtime)/swrun"]) == "box")
            let pid = try await bundle.processIdentifier()
            // Before its start too, when its process cannot be looked into.
            let early = try await bundle.swrun(
                "exec", "box", "sh", "-c",
                "id -u; cat /proc/1/comm; hostname; for n in user pid mnt ipc uts; do readlink /proc/self/ns/$n; done")
            #expect(early.status == 0 && early.lines.prefix(3) == ["0", "swrun", "swrun"], "\(early)")
            let links = "for n in user pid mnt ipc uts; do readlink /proc/\(pid)/ns/$n; done"
            #expect(Array(early.lines.dropFirst(3)) == (try await host.shell(links)).lines, "\(early)")
            #expect(try await bundle.must("state", "box").contains("\"created\""))
            try await bundle.must("exec", "--detach", "box", "sh", "-c", "touch /early")
            #expect(
                try await eventually {
                    try await host.shell("test -e \(RootlessBundle.folder)/rootfs/early").status == 0
                })
            try await bundle.must("start", "box")
            // The kernel's answers: who it is, that groups cannot be dropped, which namespaces it has.
            let status = try await host.must(["awk", "/^(Uid|Gid)/ { print $2 }", "/proc/\(pid)/status"])
            #expect(status == "41234\n41234")
            #expect(try await host.must(["cat", "/proc/\(pid)/setgroups"]) == "deny")
            #expect(try await host.must(["xargs", "-a", "/proc/\(pid)/uid_map"]) == "0 41234 1")
            #expect(try await host.must(["xargs", "-a", "/proc/\(pid)/gid_map"]) == "0 41234 1")
            let namespaces = try await host.shell(
                "for n in user pid mnt ipc uts net; do [ $(readlink /proc/self/ns/$n) = $(readlink /proc/\(pid)/ns/$n) ] || echo $n; done"
            )
            #expect(namespaces.lines == ["user", "pid", "mnt", "ipc", "uts"])

            let inside = try await bundle.swrun(
                "exec", "box", "sh", "-c",
                "id -u; cat /proc/1/comm; echo x >/dev/null && stat -c %t:%T /dev/zero; touch /made && stat -c %u /made; ls /sys/class/net"
            )
            #expect(inside.lines.prefix(4) == ["0", "sleep", "1:5", "0"] && inside.lines.contains("lo"), "\(inside)")
            #expect(try await host.must(["stat", "-c", "%u", "\(RootlessBundle.folder)/rootfs/made"]) == "41234")
            // More than itself there is not.
            expectRefusal(
                try await bundle.swrun("exec", "--user", "5:0", "box", "id"), status: 255, names: "process.user.uid",
                "5")
            #expect(try await host.shell("kill -0 \(pid)").status == 0)
            try await bundle.must("exec", "--detach", "box", "sleep", "1000")
            let listed = try await bundle.must("ps", "--format", "json", "box")
            #expect(try JSONValue(listed).items.count == 2, "\(listed)")
            let names = try JSONValue(try await bundle.must("list", "--format", "json")).items.map { $0["id"].text }
            #expect(names == ["box"])
            expectRefusal(try await bundle.swrun("pause", "box"), status: 1, names: "cgroup")
            try await bundle.must("kill", "--all", "box", "KILL")
            #expect(try await eventually { try await bundle.must("state", "box").contains("\"stopped\"") })
            try await bundle.must("delete", "box")
            #expect(try await bundle.leftovers() == "")

            let failing = try await bundle.swrun("run", "--bundle", RootlessBundle.folder, "box; exit")
            #expect(failing.status == 1, "\(failing)")
        }
    }

    @Test(hasMapper) func `a mount whose owners it may not map is named by its number`() async throws {
        try await RootlessBundle.withHost { host in
            let bundle = try await RootlessBundle(
                host, "true",
                """
                .mounts += [{destination: "/mnt", type: "bind", source: "/run/rootless/bundle", options: ["bind", "idmap"],
                    uidMappings: [{containerID: 0, hostID: 0, size: 9}], gidMappings: [{containerID: 0, hostID: 0, size: 9}]}]
                """)
            let count = try await host.must(["jq", ".mounts | length - 1", "\(RootlessBundle.folder)/config.json"])
            expectRefusal(
                try await bundle.swrun("run", "--bundle", RootlessBundle.folder, "box"), status: 1,
                names: "mounts[\(count)].uidMappings")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(hasMapper) func `several identifiers are mapped by newuidmap`() async throws {
        try await RootlessBundle.withHost { host in
            let bundle = try await RootlessBundle(host, "sleep 1000", Self.several)
            try await bundle.must("run", "--detach", "--bundle", RootlessBundle.folder, "box")
            let pid = try await bundle.processIdentifier()
            for map in ["uid_map", "gid_map"] {
                #expect(
                    try await host.must(["xargs", "-a", "/proc/\(pid)/\(map)"]) == "0 41234 1 1 500000 65536", "\(map)")
            }
            #expect(try await host.must(["cat", "/proc/\(pid)/setgroups"]) == "allow")
            let made = try await bundle.swrun(
                "exec", "--user", "5:6", "--additional-gids", "7", "box", "sh", "-c", "id; touch /dev/shm/f")
            #expect(made.lines == ["uid=5 gid=6 groups=7"], "\(made)")
            let owner = try await host.must([
                "bash", "-c", "stat -c %u:%g /proc/\(pid)/root/dev/shm/f",
            ])
            #expect(owner == "500004:500005")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(
        hasMapper,
        arguments: [
            ("", "sed -i s/tester/41234/ /etc/subuid", "0 41234 1 1 500000 65536"),
            (#"| .linux.namespaces |= map(select(.type != "user"))"#, ":", "0 41234 1 1 500000 65536"),
            ("", "echo other:500000:65536 >/etc/subuid", "0 41234 1"),
            ("", "mount --bind /dev/null $(command -v newuidmap)", "0 41234 1"),
        ])
    func `a document without a map has the user as its root, and those that the user was given`(
        change: String, prepare: String, map: String
    ) async throws {
        try await RootlessBundle.withHost { host in
            let bundle = try await RootlessBundle(
                host, "sleep 1000", "del(.linux.uidMappings, .linux.gidMappings) \(change)")
            try await host.must(["bash", "-ec", prepare])
            try await bundle.must("run", "--detach", "--bundle", RootlessBundle.folder, "box")
            let pid = try await bundle.processIdentifier()
            #expect(try await host.must(["xargs", "-a", "/proc/\(pid)/uid_map"]) == map)
            let gids = try await host.must(["xargs", "-a", "/proc/\(pid)/gid_map"])
            #expect(gids == "0 41234 1 1 500000 65536")
            #expect(try await bundle.must("exec", "box", "id", "-u") == "0")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(
        hasMapper,
        arguments: [
            // Not the user's, by /etc/subuid.
            (".linux.uidMappings[1].hostID = 600000", "", ["linux.uidMappings", "1 600000 65536", "not allowed"]),
            (".linux.gidMappings[1].hostID = 600000", "", ["linux.gidMappings", "1 600000 65536", "not allowed"]),
            (".linux.uidMappings[0].hostID = 0", "", ["linux.uidMappings", "0 0 1", "not allowed"]),
            (".linux.uidMappings = [{containerID: 0, hostID: 0, size: 1}]", "", ["linux.uidMappings", "not allowed"]),
            // Not to be had.
            (".", "mount --bind /dev/null $(command -v newuidmap)", ["linux.uidMappings", "newuidmap", "uidmap"]),
            (".", "mount --bind /dev/null $(command -v newgidmap)", ["linux.gidMappings", "newgidmap", "uidmap"]),
            (
                ".",
                "echo --no-new-privs >/run/rootless/flags",
                ["linux.uidMappings", "newuidmap"]
            ),
            (".", "echo >/etc/subuid", ["linux.uidMappings", "newuidmap"]),
        ])
    func `a map that the user may not have is refused in the words of who refuses it`(
        change: String, prepare: String, names: [String]
    ) async throws {
        try await RootlessBundle.withHost { host in
            let bundle = try await RootlessBundle(host, "sleep 1000", "\(Self.several) | \(change)")
            if !prepare.isEmpty { try await host.must(["bash", "-ec", prepare]) }
            let result = try await bundle.swrun("create", "--bundle", RootlessBundle.folder, "box")
            expectRefusal(result, status: 1, names: names[0])
            for name in names { #expect(result.errors.contains(name), "\(result)") }
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(
        arguments: [
            (".process.user.additionalGids = [7]", "process.user.additionalGids"),
            (".process.user.gid = 7", "process.user.gid"),
            (".process.oomScoreAdj = -900", "process.oomScoreAdj"),
            // Of a namespace that is the host's.
            (#".linux.sysctl = {"net.ipv4.ip_forward": "1"}"#, "linux.sysctl.net.ipv4.ip_forward"),
            (#".linux.sysctl = {"kernel.panic": "1"}"#, "linux.sysctl.kernel.panic"),
            (#".linux.namespaces += [{type: "network", path: "/proc/1/ns/net"}]"#, "/proc/1/ns/net"),
            // A node that only root can make, and one whose name on the host is another's.
            (#".linux.devices = [{type: "c", path: "/dev/mine", major: 1, minor: 3}]"#, "/dev/mine"),
            (#".linux.devices = [{type: "c", path: "/dev/kmsg", major: 1, minor: 3}]"#, "/dev/kmsg"),
            (#".mounts += [{destination: "/data", type: "ext4", source: "/dev/vda"}]"#, "mounts[7]"),
            (".linux.resources = {memory: {limit: 100000000}}", "linux.resources.memory"),
            (".linux.resources = {pids: {limit: 10}}", "linux.resources.pids"),
            (".linux.cgroupsPath = \"/mine/box\"", "linux.cgroupsPath"),
        ])
    func `what only root can have is refused by name`(change: String, name: String) async throws {
        try await RootlessBundle.withHost { host in
            let bundle = try await RootlessBundle(host, "true", change)
            expectRefusal(
                try await bundle.swrun("run", "--bundle", RootlessBundle.folder, "box"), status: 1, names: name)
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `what the kernel keeps from a user namespace is the host's, or left out`() async throws {
        try await RootlessBundle.withHost { host in
            let change = #"""
                .linux.devices = [{type: "c", path: "/dev/kmsg", major: 1, minor: 11, uid: 0, gid: 0, fileMode: 438}]
                | .linux.resources = {devices: [{allow: false, access: "rwm"}]}
                | (.mounts[] | select(.destination == "/dev/pts")).options += ["gid=5"]
                | (.mounts[] | select(.destination == "/sys")) = {destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "ro"]}
                """#
            let before = try await host.must(["stat", "-c", "%u:%g:%a", "/dev/kmsg"])
            let bundle = try await RootlessBundle(
                host,
                "stat -c %t:%T:%u /dev/kmsg; ls -d /sys/class/net/eth0; grep -c gid= /proc/mounts; grep ' /dev/pts ' /proc/mounts",
                change)
            let result = try await bundle.swrun("run", "--bundle", RootlessBundle.folder, "box")
            #expect(
                result.lines.prefix(2) == ["1:b:65534", "/sys/class/net/eth0"]
                    && !(result.lines.last ?? "gid=5").contains("gid=5"), "\(result)")
            // The node is the host's, and stays whose it is.
            #expect(try await host.must(["stat", "-c", "%u:%g:%a", "/dev/kmsg"]) == before)
            #expect(try await bundle.leftovers() == "")
        }
    }
}

extension RuntimeRootlessTests {
    @Test func `a program of the user's own is executed from a sealed copy`() async throws {
        try await RootlessBundle.withHost { host in
            let change =
                #".mounts += [{destination: "/mnt", type: "bind", source: "/run/user/41234", options: ["bind"]}]"#
            let bundle = try await RootlessBundle(host, "sleep 1000", change)
            try await host.must(["mkdir", "-p", "\(RootlessBundle.folder)/rootfs/mnt"])
            let look = """
                \(RootlessBundle.swrun) run --bundle \(RootlessBundle.folder) box </dev/null >/run/log 2>&1 &
                for n in $(seq 600); do pgrep -f '^sleep 1000' >/dev/null && break; sleep 0.1; done
                readlink /proc/$!/exe; pgrep -fc '^sleep 1000'; \(RootlessBundle.swrun) delete --force box; wait
                """
            // Root's program is out of the user's reach anyway.
            let own = try await host.shell(look)
            #expect(own.lines.prefix(2) == ["/run/rootless/swrun", "1"], "\(own)")
            try await host.must([
                "bash", "-ec",
                "umount /run/rootless/swrun; cp \(Products.path("swrun")) /run/rootless/swrun; chown 41234 /run/rootless/swrun; chmod 755 /run/rootless/swrun",
            ])
            let copied = try await host.shell(look)
            #expect(copied.lines.prefix(2) == ["/memfd:swrun (deleted)", "1"], "\(copied)")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `in a cgroup that was given to the user, containers get cgroups, and can be paused`() async throws {
        try await RootlessBundle.withHost { host in
            let bundle = try await RootlessBundle(host, "sleep 1000", ".linux.cgroupsPath = \"mine/box\"")
            let given = """
                top=/sys/fs/cgroup; [ -e $top/cgroup.procs ] || top=$top/unified
                mkdir -p $top/given/session && chown 41234 $top/given $top/given/cgroup.procs $top/given/session \\
                    $top/given/cgroup.subtree_control $top/given/session/cgroup.procs
                echo $$ >$top/given/session/cgroup.procs
                """
            let run = try await host.shell(
                "\(given)\n\(RootlessBundle.swrun) run --detach --bundle \(RootlessBundle.folder) box </dev/null >/run/log 2>&1; s=$?; cat /run/log; exit $s"
            )
            #expect(run.status == 0, "\(run)")
            let pid = try await bundle.processIdentifier()
            let place = try await host.must(["sed", "-n", "s/^0:://p", "/proc/\(pid)/cgroup"])
            #expect(place.hasSuffix("/given/mine/box"), "\(place)")
            try await bundle.must("pause", "box")
            #expect(try await bundle.must("state", "box").contains("\"paused\""))
            let frozen = try await host.shell(
                "cat /sys/fs/cgroup/given/mine/box/cgroup.events /sys/fs/cgroup/unified/given/mine/box/cgroup.events 2>/dev/null"
            )
            #expect(frozen.output.contains("frozen 1"), "\(frozen)")
            try await bundle.must("resume", "box")
            try await bundle.must("delete", "--force", "box")
            #expect(try await host.shell("find /sys/fs/cgroup -type d -name box").output == "")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(hasMapper) func `a second container joins the user namespace of the first`() async throws {
        try await RootlessBundle.withHost { host in
            let first = try await RootlessBundle(host, "sleep 1000", Self.several)
            try await first.must("run", "--detach", "--bundle", RootlessBundle.folder, "box")
            let pid = try await first.processIdentifier()
            let second = try await RootlessBundle(
                host, "sleep 1000",
                """
                (.linux.namespaces[] | select(.type == "user" or .type == "ipc")) |= (.path = "/proc/\(pid)/ns/\\(.type)")
                | del(.linux.uidMappings, .linux.gidMappings)
                """)
            try await second.must("run", "--detach", "--bundle", RootlessBundle.folder, "next")
            let number = try await second.processIdentifier("next")
            for (kind, isSame) in [("user", true), ("ipc", true), ("pid", false), ("mnt", false)] {
                let links = try await host.must(["readlink", "/proc/\(pid)/ns/\(kind)", "/proc/\(number)/ns/\(kind)"])
                    .components(separatedBy: "\n")
                #expect((links.first == links.last) == isSame, "\(kind): \(links)")
            }
            let inside = try await second.swrun("exec", "--user", "5", "next", "id", "-u")
            #expect(inside.output == "5", "\(inside)")
            try await second.must("delete", "--force", "next")
            try await first.must("delete", "--force", "box")
            #expect(try await first.leftovers() == "")
        }
    }

    @Test(
        .enabled(if: Products.has("podman", "conmon", "newuidmap"), "podman, conmon or newuidmap is not installed"))
    func `podman of an ordinary user`() async throws {
        try await RootlessBundle.withHost { host in
            _ = try await RootlessBundle(host)
            let script = """
                set -u; umount /sys/fs/cgroup/unified 2>/dev/null
                mkdir /run/rootless/home; cp \(host.images)/tools.tar /run/rootless/home/; chmod 644 /run/rootless/home/*
                chown 41234:41234 /run/rootless/home; cd /run/rootless/home
                # Its children find the libraries in the program's own folder.
                printf '#!/bin/sh\\nexport LD_LIBRARY_PATH=/run/rootless/lib\\nexec /run/rootless/swrun "$@"\\n' >/run/rootless/runtime
                chmod 755 /run/rootless/runtime
                E="env HOME=/run/rootless/home USER=tester XDG_RUNTIME_DIR=\(RootlessBundle.runtime) setpriv --reuid=41234 \\
                    --regid=41234 --clear-groups podman --root /run/rootless/home/storage --runroot \(RootlessBundle.runtime)/c \\
                    --storage-driver vfs --cgroup-manager cgroupfs --runtime /run/rootless/runtime"
                U='--network none --ulimit nofile=1024:1024 --ulimit nproc=1000:1000'
                $E import tools.tar localhost/tools >/dev/null 2>&1
                $E run --rm $U tools sh -c 'id -u; exit 7'; echo $?
                $E run --rm $U -t tools tty | tr -d '\\r'
                $E run --rm $U --userns keep-id tools id -u
                $E run -d --name box $U tools sleep 1000 >/dev/null
                $E exec box cat /proc/1/comm
                $E exec --user 5:6 box id -u
                $E run --rm $U --pid container:box tools cat /proc/1/comm
                $E run -d --name other $U --userns auto tools sleep 1000 >/dev/null
                $E exec other sh -c 'xargs </proc/self/uid_map | cut -d" " -f1-2'
                $E rm -t 0 -f box other >/dev/null; $E ps -aq | wc -l
                ls \(RootlessBundle.runtime)/swrun
                # The process that keeps its user namespace: it calls itself otherwise, or is catatonit where that is installed.
                kill -KILL $(pgrep -f '^podman|^catatonit -P') 2>/dev/null
                """
            let result = try await host.run(["unshare", "-m", "bash", "-c", script])
            #expect(
                result.lines == ["0", "7", "/dev/pts/0", "41234", "sleep", "5", "sleep", "0 1", "0"], "\(result)")
        }
    }
}
