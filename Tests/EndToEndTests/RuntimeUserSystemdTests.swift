import Foundation
import TestSupport
import Testing

/// Each on a machine of its own, on which an ordinary user has a systemd, as `user@.service` would start it.
@Suite(
    "swrun: with a user's systemd", .enabled(if: hasSystemd, "systemd is not installed (package systemd)"))
struct RuntimeUserSystemdTests {
    private static let isUnified: ConditionTrait = .enabled(
        if: hasUnified, "a user's systemd has no controllers of cgroup v1")

    /// The user is 41234. `as_user COMMAND` is a login of its own, in a cgroup of root's, and `as_service FILE` runs a script
    /// as a service of the user's; both have `change`, `made ID`, `show PROPERTY` and `place ID` at hand.
    private static let prelude = #"""
        set -u
        user=/run/user/41234
        for file in passwd group; do cp /etc/$file /run/$file; done
        echo 'tester:x:41234:41234::/run/home:/bin/sh' >>/run/passwd
        echo 'tester:x:41234:' >>/run/group
        for file in passwd group; do mount --bind /run/$file /etc/$file; done
        mkdir -p $user/systemd/user /run/home/bundle/rootfs /run/bin /run/lib
        printf '[Unit]\nDefaultDependencies=no\n' >$user/systemd/user/nothing.target
        cp "$products/swrun" "$products/swrun-systemd" /run/bin
        library=$(ldd /run/bin/swrun | sed -n 's,.*=> \(/.*\)/libswiftCore.so .*,\1,p')
        [ -z "$library" ] || mount --bind "$library" /run/lib
        tar -C /run/home/bundle/rootfs -xf "$images/tools.tar"
        chown -R 41234:41234 /run/home $user
        chmod 700 $user
        start_manager() {
            systemd-run --quiet --unit manager --uid 41234 -p DefaultDependencies=no -p Delegate=yes -p Type=notify \
                --setenv XDG_RUNTIME_DIR=$user --setenv HOME=/run/home \
                --setenv SYSTEMD_UNIT_PATH=$user/systemd/user.control:$user/systemd/transient:$user/systemd/user \
                /lib/systemd/systemd --user --unit=nothing.target --log-target=null --show-status=0
        }
        # What the system's systemd and the user's meet at.
        start_bus() {
            printf '%s\n' [Unit] DefaultDependencies=no [Socket] ListenStream=/run/dbus/system_bus_socket \
                >/run/systemd/system/dbus.socket
            printf '%s\n' [Unit] DefaultDependencies=no Requires=dbus.socket [Service] Type=notify NotifyAccess=main \
                'ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation' \
                >/run/systemd/system/dbus.service
            systemctl daemon-reload && systemctl start dbus.service
        }
        cat >/run/bin/env.sh <<'X'
        set -u
        export XDG_RUNTIME_DIR=/run/user/41234 LD_LIBRARY_PATH=/run/lib HOME=/run/home
        R='/run/bin/swrun --systemd-cgroup'
        cd /run/home/bundle
        change() { jq "$@" config.json >new && mv new config.json; }
        made() { $R run --detach "$@" </dev/null >/dev/null 2>$HOME/err; local s=$?; cat $HOME/err; return $s; }
        show() { systemctl --user show pre-box.scope --value -p "$1"; }
        place() { cut -d: -f3 /proc/$($R state "$1" | jq .pid)/cgroup; }
        left() { find /sys/fs/cgroup -name "*$1*"; [ ! -e $XDG_RUNTIME_DIR/systemd/private ] ||
                systemctl --user list-units --type=scope --all --plain --no-legend "*$1*"; ls $XDG_RUNTIME_DIR/swrun; }
        [ -e config.json ] || { /run/bin/swrun spec --rootless
            change '.process.terminal = false | .process.args = ["sleep", "1000"] | .linux.cgroupsPath = ":pre:box"'; }
        X
        as_user() { setpriv --reuid=41234 --regid=41234 --clear-groups bash -c ". /run/bin/env.sh; $1"; }
        as_service() { as_user "systemd-run --user --quiet -p Type=oneshot -p DefaultDependencies=no --unit test \
            -p StandardOutput=file:/run/home/out -p StandardError=file:/run/home/out bash -c '. /run/bin/env.sh; . $1'"
            cat /run/home/out; }
        # Where logins are: below a slice of root's.
        [ ! -e /sys/fs/cgroup/cgroup.procs ] || {
            mkdir -p /sys/fs/cgroup/user.slice/login; echo $$ >/sys/fs/cgroup/user.slice/login/cgroup.procs; }
        """#

    private static func run(_ script: String) async throws -> CommandResult {
        let images = try await TestImages.shared.folder
        let values = "products=\(Products.folder) images=\(images)"
        return try await Command.run(
            ["\(Products.package)/tools/with-systemd", "bash", "-c", "\(values)\n\(prelude)\n\(script)"])
    }

    @Test(
        "with cgroup v1 it is said that there are none",
        .enabled(if: !hasUnified, "this machine's cgroups are of version 2"))
    func version1() async throws {
        let result = try await Self.run("as_user 'made box; echo \"$?\"; left box' 2>&1")
        #expect(result.lines.count == 2 && result.lines.last == "1", "\(result)")
        #expect(result.lines.first?.contains("a user's systemd has controllers of cgroup v2 only") == true, "\(result)")
    }

    @Test("a service of the user's makes scopes with limits, changes them, enters, freezes and deletes", isUnified)
    func service() async throws {
        let result = try await Self.run(
            #"""
            cat >/run/bin/test.sh <<'X'
            change '.linux.resources = {memory: {limit: 67108864}, cpu: {shares: 512, quota: 50000, period: 100000},
                pids: {limit: 50}}'
            made box; echo "made $?"
            place box; file=/sys/fs/cgroup$(place box)
            for p in Slice Delegate MemoryMax CPUQuotaPerSecUSec TasksMax ControlGroup; do echo "$p $(show $p)"; done
            cat $file/{memory.max,cpu.max,pids.max}
            $R update --memory 33554432 --pids-limit 20 box; echo "updated $?"
            systemctl --user daemon-reload; echo "reloaded $(cat $file/{memory.max,pids.max} | xargs) $(show MemoryMax)"
            $R exec box cat /proc/self/cgroup; echo "exec $?"
            $R pause box; grep frozen $file/cgroup.events; $R resume box
            $R delete --force box; echo "deleted $?"
            change '.linux.resources.hugepageLimits = [{pageSize: "2MB", limit: 0}]'; made box; echo "refused $?"
            left box; echo end
            X
            start_manager && as_service /run/bin/test.sh
            """#)
        let path = "/system.slice/manager.service/user.slice/pre-box.scope"
        let expected = [
            "made 0", path, "Slice user.slice", "Delegate yes", "MemoryMax 67108864", "CPUQuotaPerSecUSec 500ms",
            "TasksMax 50", "ControlGroup \(path)", "67108864", "50000 100000", "50", "updated 0",
            "reloaded 33554432 20 33554432", "0::/", "exec 0", "frozen 1", "deleted 0",
        ]
        #expect(Array(result.lines.prefix(expected.count)) == expected, "\(result)")
        // Of what a user's systemd was not given, by name.
        let refusal = result.lines.dropFirst(expected.count)
        #expect(refusal.first?.contains("linux.resources.hugepageLimits") == true, "\(result)")
        #expect(refusal.first?.contains("has not given +hugetlb away") == true, "\(result)")
        #expect(refusal.dropFirst() == ["refused 1", "end"], "\(result)")
    }

    @Test(
        "whoever has logged in may not put a process there, and has systemd do it", isUnified,
        .enabled(if: Products.has("dbus-daemon"), "dbus-daemon is not installed (package dbus)"))
    func login() async throws {
        let result = try await Self.run(
            #"""
            start_bus && start_manager && as_user '
                cut -d: -f3 /proc/self/cgroup
                made box; echo "made $?"; place box
                $R exec box cat /proc/self/cgroup; echo "exec $?"
                mkdir /sys/fs/cgroup$(place box)/inner
                $R exec --cgroup /inner box cat /proc/self/cgroup; echo "exec $?"
                $R exec --detach box sleep 999; $R ps --format json box | jq length
                $R exec --cgroup /none box true; echo "exec $?"
                $R delete --force box; echo "deleted $?"
                change ".process.args = [\"cat\", \"/proc/self/cgroup\"]"; $R run box </dev/null; echo "run $?"
                change ".process.args = [\"no-such\"]"; $R run box </dev/null 2>&1; echo "run $?"
                left box; echo end' 2>&1
            """#)
        let lines = result.lines
        #expect(
            Array(lines.prefix(8)) == [
                "/user.slice/login", "made 0", "/system.slice/manager.service/user.slice/pre-box.scope", "0::/",
                "exec 0",
                "0::/inner", "exec 0", "2",
            ], "\(result)")
        #expect(lines.count == 16 && lines[8].contains("/none"), "\(result)")
        // The cgroup namespace begins where systemd has put the process.
        #expect(Array(lines.dropFirst(9).prefix(4)) == ["exec 255", "deleted 0", "0::/", "run 0"], "\(result)")
        #expect(lines.last == "end" && lines.dropLast().last == "run 127", "\(result)")
    }

    @Test(
        "podman of an ordinary user has its containers in the user's scopes", isUnified,
        .enabled(
            if: Products.has("podman", "conmon", "dbus-daemon", "newuidmap")
                && FileManager.default.fileExists(atPath: "/etc/subuid"),
            "podman, conmon, dbus-daemon or newuidmap is not installed, or there is no /etc/subuid"))
    func podman() async throws {
        let result = try await Self.run(
            #"""
            echo 'tester:500000:65536' >/run/ids
            for file in subuid subgid; do mount --bind /run/ids /etc/$file; done
            # podman speaks with the user's systemd at a bus of the user's.
            printf '%s\n' [Unit] DefaultDependencies=no [Socket] ListenStream=%t/bus >$user/systemd/user/dbus.socket
            printf '%s\n' [Unit] DefaultDependencies=no Requires=dbus.socket [Service] Type=notify NotifyAccess=main \
                'ExecStart=/usr/bin/dbus-daemon --session --address=systemd: --nofork --nopidfile --systemd-activation' \
                >$user/systemd/user/dbus.service
            printf '#!/bin/sh\nexport LD_LIBRARY_PATH=/run/lib\nexec /run/bin/swrun "$@"\n' >/run/bin/runtime
            chmod 755 /run/bin/runtime; cp "$images/tools.tar" /run/home; chmod 644 /run/home/tools.tar
            cat >/run/bin/test.sh <<'X'
            systemctl --user start dbus.service; unset LD_LIBRARY_PATH; cd $HOME
            export DBUS_SESSION_BUS_ADDRESS=unix:path=$XDG_RUNTIME_DIR/bus USER=tester
            podman() { command podman --root $HOME/storage --runroot $XDG_RUNTIME_DIR/c --storage-driver vfs \
                --cgroup-manager systemd --runtime /run/bin/runtime "$@"; }
            U='--network none --ulimit nofile=1024:1024 --ulimit nproc=1000:1000'
            podman import tools.tar localhost/tools >/dev/null 2>&1
            podman run --rm $U tools sh -c 'cat /proc/self/cgroup; exit 7'; echo "run $?"
            podman run -d --name box $U --memory 64m --pids-limit 50 --cpus 0.5 tools sleep 1000 >/dev/null
            path=$(cut -d: -f3 /proc/$(podman inspect box | jq '.[0].State.Pid')/cgroup)
            echo $path | sed 's/[0-9a-f]\{64\}/ID/'; cat /sys/fs/cgroup$path/{memory,pids,cpu}.max
            podman exec box cat /proc/1/comm
            podman update --memory 32m box >/dev/null; cat /sys/fs/cgroup$path/memory.max
            systemctl --user show ${path##*/} --value -p MemoryMax
            podman pause box >/dev/null; grep frozen /sys/fs/cgroup$path/cgroup.events; podman unpause box >/dev/null
            podman rm -t 0 -f box >/dev/null; systemctl --user list-units --type=scope --all --no-legend --plain 'libpod*'
            ls /sys/fs/cgroup${path%/*}
            X
            start_bus && start_manager && as_user '. /run/bin/test.sh' 2>&1
            """#)
        let lines = result.lines
        #expect(
            Array(lines.prefix(10)) == [
                "0::/", "run 7", "/system.slice/manager.service/user.slice/libpod-ID.scope", "67108864", "50",
                "50000 100000", "sleep", "33554432", "33554432", "frozen 1",
            ], "\(result)")
        // podman's conmon takes its time.
        let left = lines.dropFirst(10).filter { $0.contains("libpod") && !$0.contains("libpod-conmon") }
        #expect(lines.count > 10 && left.isEmpty, "\(result)")
    }

    @Test("without the system's bus, or the user's systemd, it is said what is missing, and nothing is left", isUnified)
    func refusals() async throws {
        let result = try await Self.run(
            #"""
            as_user 'made box; echo "none $?"'
            start_manager
            as_user 'made box; echo "outside $?"; left box'
            as_user 'unset XDG_RUNTIME_DIR; $R --root /run/home/state run box; echo "unset $?"' 2>&1
            # Somebody else's.
            cp -a /run/home/bundle /run/other; chown -R 41235 /run/other
            LD_LIBRARY_PATH=/run/lib XDG_RUNTIME_DIR=$user setpriv --reuid=41235 --regid=41235 --clear-groups \
                /run/bin/swrun --systemd-cgroup --root /run/other/state run --bundle /run/other box 2>&1; echo "other $?"
            as_user 'left box'; ls /run/other/state
            """#)
        let lines = result.lines
        for number in [0, 2, 4, 6] {
            let words = number == 2 ? "without the system's bus" : "connect to the user's systemd"
            #expect(lines.count == 8 && lines[number].contains(words), "\(words) in \(result)")
        }
        #expect(
            lines.enumerated().filter { $0.offset % 2 == 1 }.map(\.element) == [
                "none 1", "outside 1", "unset 1", "other 1",
            ], "\(result)")
    }
}

private let hasSystemd = FileManager.default.isExecutableFile(atPath: "/lib/systemd/systemd")
private let hasUnified = FileManager.default.fileExists(atPath: "/sys/fs/cgroup/cgroup.controllers")
