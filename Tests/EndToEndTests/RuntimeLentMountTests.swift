import Foundation
import TestSupport
import Testing

/// Mounts that the superuser of a user namespace may not make, and the host's makes for it.
@Suite("swrun: mounts that the launcher makes for a user namespace")
struct RuntimeLentMountTests {
    private static let user = """
        .linux.namespaces += [{type: "user"}]
        | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
        | .linux.gidMappings = [{containerID: 0, hostID: 200000, size: 65536}]
        """
    private static let mapped = """
        uidMappings: [{containerID: 0, hostID: 100000, size: 65536}],
        gidMappings: [{containerID: 0, hostID: 200000, size: 65536}]
        """
    /// For a container that may mount in its own namespaces.
    private static let privileged = """
         | .process.capabilities |= map_values(["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_FOWNER"])
        | del(.linux.seccomp)
        """

    private func mounts(_ host: TestHost) async throws -> String {
        try await host.must(["cat", "/proc/self/mountinfo"])
    }

    @Test func `a bind's source may be in a folder that is closed to everybody`() async throws {
        try await TestHost.with { host in
            try await host.must([
                "bash", "-ec",
                """
                mkdir -p /run/closed/shown /run/closed/other
                echo shown >/run/closed/shown/file; echo secret >/run/closed/other/file
                chmod 0 /run/closed
                """,
            ])
            let change =
                Self.user
                + #" | .mounts += [{destination: "/m", type: "bind", source: "/run/closed/shown", options: ["bind", "ro"]}]"#
            let bundle = try await RuntimeBundle(
                host, "cat /m/file /m/../other/file; touch /m/new; for file in /proc/1/fd/*; do readlink $file; done",
                change)
            try await host.must(["mkdir", "/run/bundle/rootfs/m"])
            let before = try await mounts(host)
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.lines.first == "shown" && !result.output.contains("secret"), "\(result)")
            #expect(result.errors.contains("/m/new: Read-only file system"), "\(result)")
            // Its standard streams and nothing else are open in it.
            #expect(result.lines.count == 4 && !result.output.contains("/run/closed"), "\(result)")

            // What is not there either is said as if nobody had been asked.
            try await host.must(["rm", "-r", "/run/closed/shown"])
            let missing = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            let words = #"error mounting "/run/closed/shown" to rootfs at "/m" (mounts[7]): no such file or directory"#
            #expect(missing.status == 1 && missing.errors.contains(words), "\(missing)")
            #expect(try await mounts(host) == before)
            #expect(try await bundle.leftovers() == "")
        }
    }

    /// The kernel copies no mount without those below into a mount namespace of a user namespace's.
    @Test func `a bind may be without what is mounted in its source`() async throws {
        try await TestHost.with { host in
            try await host.must([
                "bash", "-ec",
                """
                mkdir -p /run/source/below; echo covered >/run/source/below/file
                mount -t tmpfs tmpfs /run/source/below
                """,
            ])
            let change =
                Self.user
                + #" | .mounts += [{destination: "/m", type: "bind", source: "/run/source", options: ["bind", "ro"]}]"#
            let bundle = try await RuntimeBundle(host, "cat /m/below/file; touch /m/new", change)
            try await host.must(["mkdir", "/run/bundle/rootfs/m"])
            let before = try await mounts(host)
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.output == "covered" && result.errors.contains("Read-only file system"), "\(result)")
            #expect(try await mounts(host) == before)
            try await host.must(["umount", "/run/source/below"])
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `the owners of what the container has mounted are mapped`() async throws {
        try await TestHost.with { host in
            try await host.withMappableFolder(at: "/run/data") {
                try await host.must([
                    "bash", "-ec", "mkdir /run/data/d; touch /run/data/d/file; chown 5:6 /run/data/d /run/data/d/file",
                ])
                let change =
                    Self.user + """
                         | .mounts += [
                            {destination: "/first", type: "bind", source: "/run/data", options: ["rbind"]},
                            {destination: "/second", type: "bind", source: "/run/bundle/rootfs/first/d", options: ["bind"],
                             \(Self.mapped)},
                            {destination: "/third", type: "bind", source: "/run/data/d/file", options: ["bind"],
                             \(Self.mapped)}]
                        """
                let bundle = try await RuntimeBundle(host, "stat -c %u:%g /first/d/file /second/file /third", change)
                try await host.must(["bash", "-ec", "cd /run/bundle/rootfs; mkdir first second; touch third"])
                let before = try await mounts(host)
                let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
                #expect(result.lines == ["65534:65534", "5:6", "5:6"], "\(result)")
                #expect(try await mounts(host) == before)
                #expect(try await bundle.leftovers() == "")
            }
        }
    }

    /// With a user namespace the launcher looks it up, and else the superuser: either could come there.
    @Test(arguments: [true, false])
    func `a link in the image does not lead to files of the host, whose owners would be mapped`(
        hasUsers: Bool
    ) async throws {
        try await TestHost.with { host in
            try await host.withMappableFolder(at: "/run/secret") {
                let change = """
                    \(hasUsers ? Self.user : ".") | .mounts += [
                        {destination: "/m", type: "bind", source: "/run/bundle/rootfs/data/d", options: ["bind"], \(Self.mapped)}]
                    """
                let bundle = try await RuntimeBundle(host, "cat /m/file", change)
                try await host.must([
                    "bash", "-ec",
                    """
                    mkdir /run/secret/d; echo secret >/run/secret/d/file; chmod 0700 /run/secret
                    cd /run/bundle/rootfs; mkdir m; ln -s ../../../../../../run/secret data
                    """,
                ])
                let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
                #expect(result.status == 1 && result.errors.contains("no such file or directory"), "\(result)")
                #expect(try await bundle.leftovers() == "")
            }
        }
    }

    @Test func `what the host has locked stays so in a copy with mapped owners`() async throws {
        try await TestHost.with { host in
            try await host.withMappableFolder(at: "/run/data") {
                try await host.must(["bash", "-ec", "mkdir /run/data/below; mount -o remount,bind,ro,nosuid /run/data"])
                let mount =
                    #"{destination: "/m", type: "bind", source: "/run/data", options: ["rbind"], \#(Self.mapped)}"#
                let command = """
                    mount -o remount,bind,rw,nosuid /m; mount -o remount,bind,ro,suid /m; touch /m/new; umount /m/below
                    ls /m /m/below
                    """
                let bundle = try await RuntimeBundle(
                    host, command, Self.user + Self.privileged + " | .mounts += [\(mount)]")
                try await host.must(["bash", "-c", "mkdir /run/bundle/rootfs/m; mount -t tmpfs below /run/data/below"])
                try await host.must(["mkdir", "/run/data/below/there"])
                let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
                #expect(result.lines == ["/m:", "below", "", "/m/below:", "there"], "\(result)")
                #expect(result.errors.contains("Read-only file system"), "\(result)")
                #expect(result.errors.components(separatedBy: "ermission denied").count == 3, "\(result)")

                // Alone it is as locked as with what is below it.
                try await host.must(["bash", "-c", "sed -i s/rbind/bind/ /run/bundle/config.json"])
                let single = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
                #expect(single.lines == ["/m:", "below", "", "/m/below:"], "\(single)")
                #expect(single.errors.contains("Read-only file system"), "\(single)")
                #expect(single.errors.components(separatedBy: "ermission denied").count == 3, "\(single)")
                try await host.must(["umount", "/run/data/below"])
                #expect(try await bundle.leftovers() == "")
            }
        }
    }

    @Test func `what is mounted in what was lent is not mounted on the host`() async throws {
        try await TestHost.with { host in
            try await host.withMappableFolder(at: "/run/data") {
                try await host.must([
                    "bash", "-ec",
                    """
                    mkdir -p /run/data/d /run/closed/shown/d; chmod 0 /run/closed; mount -t tmpfs shown /run/closed/shown
                    mkdir /run/closed/shown/d; mount --make-rshared /
                    """,
                ])
                let change = """
                    \(Self.user)\(Self.privileged) | .linux.rootfsPropagation = "rshared" | .mounts += [
                        {destination: "/m", type: "bind", source: "/run/closed/shown", options: ["rbind", "rshared"]},
                        {destination: "/n", type: "bind", source: "/run/data", options: ["rbind", "rshared"], \(Self.mapped)},
                        {destination: "/o", type: "bind", source: "/run/data", options: ["bind"], \(Self.mapped)}]
                    | .linux.devices = [{path: "/own", type: "c", major: 1, minor: 5}]
                    """
                let command = """
                    mount -t tmpfs inner /m/d && mount -t tmpfs inner /n/d &&
                    mount -t tmpfs inner /o/d && mount --bind /proc/version /own &&
                    echo mounted; exec sleep 1000
                    """
                let bundle = try await RuntimeBundle(host, command, change)
                try await host.must([
                    "bash", "-ec", "cd /run/bundle/rootfs; mkdir m n o; chown 100000:200000 .",
                ])
                let before = try await mounts(host)
                try await host.shell("\(Products.path("swrun")) run --detach --bundle /run/bundle box >/run/said 2>&1")
                #expect(try await eventually { try await host.must(["cat", "/run/said"]) != "" })
                #expect(try await host.must(["cat", "/run/said"]) == "mounted")
                #expect(try await mounts(host) == before)
                // What the host mounts is seen in it.
                try await host.must(["mount", "-t", "tmpfs", "outer", "/run/data"])
                try await host.must(["umount", "/run/data"])
                try await bundle.must("delete", "--force", "box")
                #expect(try await mounts(host) == before)
                try await host.must(["bash", "-c", "mount --make-rprivate /; umount /run/closed/shown"])
                #expect(try await bundle.leftovers() == "")
            }
        }
    }

    /// Kills one of the processes at each call that is about mounts, and lets each fail; prints what is wrong afterwards.
    private static let killing = #"""
        set -u
        swrun=$1
        cd /run/bundle
        others() { ps -e -o pid,stat,comm --no-headers | grep -vE ' Z| (bash|cat|ps|grep|strace)( |$)'; }
        look() { cat /proc/self/mountinfo; others; find /dev -type c -printf '%p %i %U:%G %m\n' 2>&1 | grep -v /pts/; }
        strace -f -qq -o /run/trace "$swrun" run box </dev/null || exit
        before=$(look)
        calls='clone3|prctl|unshare|setns|chroot|fchdir|open_tree|move_mount|mount|mount_setattr|fsmount|fchownat|mknodat|openat2'
        awk '{ split($2, words, "("); count[$1 " " words[1]]++ }
            END { for (key in count) { split(key, words, " ")
                if (count[key] > most[words[2]]) most[words[2]] = count[key] }
                for (call in most) print call, most[call] < 9 ? most[call] : 9 }' /run/trace |
            grep -E "^($calls|sendmsg|recvmsg) " >/run/calls
        tried=0
        while read -r call count; do
            for number in $(seq "$count"); do
                for fault in signal=KILL error=EIO; do
                    timeout -s KILL 60 strace -f -qq -o /dev/null -e trace="$call" -e inject="$call:$fault:when=$number" \
                        "$swrun" run box </dev/null >/run/out 2>&1
                    status=$?
                    # Some calls may fail.
                    [ "$status" != 124 ] && [ "$status" != 137 -o "$fault" = signal=KILL ] || echo "$call $number $fault: hangs"
                    [ ! -e /run/swrun/box ] || "$swrun" delete --force box || echo "$call $number $fault: not deleted"
                    for wait in $(seq 50); do [ "$(look)" = "$before" ] && break; sleep 0.1; done
                    [ "$(look)" = "$before" ] || { echo "$call $number $fault: $(look | diff - <(echo "$before"))"; before=$(look); }
                    tried=$((tried + 1))
                done
            done
        done </run/calls
        [ "$tried" -gt 100 ] || echo "few faults: $tried"
        """#

    @Test func `whoever of them is killed, nothing stays mounted and nobody stays`() async throws {
        try await TestHost.with { host in
            try await host.withMappableFolder(at: "/run/data") {
                try await host.must(["bash", "-ec", "mkdir -p /run/closed/shown; chmod 0 /run/closed"])
                let change = """
                    \(Self.user) | .process.args = ["true"] | .mounts += [
                        {destination: "/m", type: "bind", source: "/run/closed/shown", options: ["rbind"]},
                        {destination: "/n", type: "bind", source: "/run/data", options: ["bind"], \(Self.mapped)}]
                    | .linux.devices = [{path: "/dev/own", type: "c", major: 1, minor: 5}]
                    """
                _ = try await RuntimeBundle(host, "true", change)
                try await host.must(["mkdir", "/run/bundle/rootfs/m", "/run/bundle/rootfs/n"])
                let result = try await host.run(
                    ["bash", "-c", Self.killing, "killing", Products.path("swrun")], timeout: 900)
                #expect(result.output == "" && result.status == 0, "\(result)")
            }
        }
    }
}
