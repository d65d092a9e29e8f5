import Foundation
import TestSupport
import Testing

/// Each on a machine of its own whose first process is systemd, which is asked what it knows.
@Suite("swrun: with systemd", .enabled(if: hasSystemd, "systemd is not installed (package systemd)"))
struct RuntimeSystemdTests {
    private static let swrun = Products.path("swrun")

    /// `$R` is the runtime, `change` takes the document through jq, `made ID` makes a container without a terminal.
    private static func run(_ script: String) async throws -> CommandResult {
        let images = try await TestImages.shared.folder
        let prelude = """
            R='\(swrun) --systemd-cgroup'
            mkdir -p /run/bundle/rootfs; tar -C /run/bundle/rootfs -xf \(images)/tools.tar; cd /run/bundle
            \(swrun) spec
            change() { jq "$@" config.json >new && mv new config.json; }
            made() { $R create "$@" </dev/null >/dev/null 2>/run/err; local s=$?; cat /run/err; return $s; }
            left() { find /sys/fs/cgroup -name "*$1*"; systemctl list-units --type=scope --all --plain --no-legend "*$1*"; ls /run/swrun; }
            change '.process.terminal = false | .process.args = ["sleep", "1000"] | .linux.cgroupsPath = "lab-a.slice:pre:box"'
            """
        return try await Command.run(
            ["\(Products.package)/tools/with-systemd", "bash", "-c", "set -u\n\(prelude)\n\(script)"])
    }

    @Test("the scope is where it was asked for, with limits that survive a reload, and goes with the container")
    func scope() async throws {
        let result = try await Self.run(
            #"""
            change '.linux.resources += {memory: {limit: 67108864}, cpu: {shares: 512, quota: 50000, period: 100000},
                pids: {limit: 50}} | .annotations = {"org.systemd.property.TimeoutStopSec": "uint32 3",
                "org.systemd.property.CollectMode": "\u0027inactive-or-failed\u0027"}'
            made box; echo "created $?"
            show() { systemctl show pre-box.scope --value -p "$1"; }
            for p in Slice Delegate Transient DefaultDependencies CPUQuotaPerSecUSec TasksMax DevicePolicy TimeoutStopUSec \
                CollectMode ActiveState ControlGroup; do echo "$p $(show $p)"; done
            cgroups() { cut -d: -f3 /proc/$($R state box | jq .pid)/cgroup | sort -u; }
            cgroups
            memory=$(ls /sys/fs/cgroup/{memory/,}lab.slice/lab-a.slice/pre-box.scope/memory.{limit_in_bytes,max} 2>/dev/null)
            echo "memory $(cat $memory) $(show MemoryMax) $(show MemoryLimit)"
            $R update --memory 33554432 --pids-limit 20 box; echo "updated $?"
            systemctl daemon-reload
            echo "memory $(cat $memory) $(show MemoryMax) $(show MemoryLimit)"; show TasksMax
            $R start box; $R exec box sh -c 'test -w /dev/null && echo x >/dev/null && echo "null works"'
            $R exec --cap CAP_MKNOD box sh -c 'mknod /dev/log c 1 11 && head -c1 /dev/log 2>&1 | grep -o "not permitted"'
            \#(Self.swrun) delete --force box; echo "deleted $?"
            left box
            """#)
        let lines = result.lines
        #expect(
            Array(lines.prefix(12)) == [
                "created 0", "Slice lab-a.slice", "Delegate yes", "Transient yes", "DefaultDependencies no",
                "CPUQuotaPerSecUSec 500ms", "TasksMax 50", "DevicePolicy strict", "TimeoutStopUSec 3s",
                "CollectMode inactive-or-failed", "ActiveState active",
                "ControlGroup /lab.slice/lab-a.slice/pre-box.scope",
            ], "\(result)")
        // In every hierarchy it is at this one place.
        #expect(lines.count == 20 && lines[12] == "/lab.slice/lab-a.slice/pre-box.scope", "\(result)")
        let limits = lines.filter { $0.hasPrefix("memory ") }
        // v2's name and v1's; the other one has no limit.
        #expect(["memory 67108864 67108864 infinity", "memory 67108864 infinity 67108864"].contains(limits.first))
        #expect(["memory 33554432 33554432 infinity", "memory 33554432 infinity 33554432"].contains(limits.last))
        #expect(lines.contains("updated 0") && lines.contains("20") && lines.contains("null works"), "\(result)")
        #expect(lines.suffix(2) == ["not permitted", "deleted 0"], "\(result)")
    }

    @Test("an update that the kernel refuses leaves systemd's limits, and one that it takes leaves the others exact")
    func refusedUpdate() async throws {
        let result = try await Self.run(
            #"""
            change '.linux.resources += {memory: {limit: 67108864}, cpu: {shares: 512, quota: 50005, period: 100000},
                pids: {limit: 50}}'
            made box; echo "created $?"
            properties='MemoryMax MemoryLimit CPUWeight CPUShares CPUQuotaPerSecUSec CPUQuotaPeriodUSec TasksMax AllowedCPUs'
            files='cpu.shares cpu.weight cpu.cfs_quota_us cpu.max memory.limit_in_bytes memory.max pids.max'
            now() {
                for p in $properties; do echo "$p $(systemctl show pre-box.scope --value -p $p)"; done
                for f in $files; do
                    find /sys/fs/cgroup -path "*pre-box.scope/$f" | xargs -r grep -H . | sed 's,.*/,,'
                done
            }
            now >/run/before
            $R update --memory 33554432 --cpu-share 600 --cpu-quota 70000 --cpu-period 50000 --pids-limit 20 \
                --cpuset-cpus 4000 box 2>&1; echo "updated $?"
            now | diff /run/before - && echo same
            $R update --cpu-share 600 box; echo "updated $?"
            now | diff /run/before - | grep '^>'
            \#(Self.swrun) delete --force box; left box
            """#)
        let lines = result.lines
        #expect(lines.first == "created 0" && lines.contains("updated 1") && lines.contains("same"), "\(result)")
        #expect(lines.contains { $0.contains("linux.resources.cpu.cpus") }, "\(result)")
        // What was asked for, to systemd and to the kernel, and no more.
        let shares = Array(lines.drop { $0 != "updated 0" }.dropFirst())
        #expect(
            [["> CPUShares 600", "> cpu.shares:600"], ["> CPUWeight 66", "> cpu.weight:66"]].contains(shares),
            "\(result)")
    }

    @Test("a container that has ended takes its scope along, and one without a name for it gets one")
    func ends() async throws {
        let result = try await Self.run(
            """
            change '.process.args = ["sh", "-c", "cat /proc/self/cgroup | cut -d: -f3 | sort -u; exit 3"]
                | .linux.namespaces |= map(select(.type != "cgroup")) | del(.linux.cgroupsPath)'
            $R run box; echo "run $?"
            change '.linux.cgroupsPath = "-.slice::top"'; $R run box; echo "run $?"
            made box; $R start box; until [ "$($R state box | jq -r .status)" = stopped ]; do sleep 0.1; done
            \(Self.swrun) delete box; echo "deleted $?"; left box; left top
            """)
        #expect(
            result.lines == ["/system.slice/swrun-box.scope", "run 3", "/top.scope", "run 3", "deleted 0"], "\(result)")
    }

    @Test(
        "podman's pods are slices, and their containers scopes in there",
        .enabled(
            if: Products.has("podman", "conmon", "catatonit", "dbus-daemon"),
            "podman, conmon, catatonit or dbus-daemon is not installed"))
    func pods() async throws {
        let result = try await Self.run(
            #"""
            printf '%s\n' [Unit] DefaultDependencies=no [Socket] ListenStream=/run/dbus/system_bus_socket \
                >/run/systemd/system/dbus.socket
            printf '%s\n' [Unit] DefaultDependencies=no Requires=dbus.socket [Service] Type=notify NotifyAccess=main \
                'ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation' \
                >/run/systemd/system/dbus.service
            mkdir -p /run/dbus; systemctl daemon-reload; systemctl start dbus.service
            podman() { command podman --root /run/storage --runroot /run/c --storage-driver vfs --cgroup-manager systemd \
                --runtime \#(Self.swrun) "$@"; }
            limit() { cat /sys/fs/cgroup/{memory$1/memory.limit_in_bytes,$1/memory.max} 2>/dev/null; }
            tar -C rootfs -c . | podman import - localhost/tools >/dev/null 2>&1
            U='--pod p --ulimit nofile=1024:1024 --ulimit nproc=1000:1000'
            podman pod create --name p --network none --share pid,ipc,net,uts --memory 200m >/dev/null
            podman run -d --name a $U --memory 64m tools sleep 1000 >/dev/null; echo "run $?"
            podman run --rm $U --cgroupns host tools sh -c 'cut -d: -f3 /proc/self/cgroup | sort -u; cat /proc/1/comm; exit 7' |
                sed -E 's/[0-9a-f]{64}/ID/g'; echo "run ${PIPESTATUS[0]}"
            path=$(grep -E ':memory:|^0:' /proc/$(podman inspect a --format '{{.State.Pid}}')/cgroup | head -1 | cut -d: -f3)
            limit $path; limit ${path%/*}
            podman update --memory 32m a >/dev/null; limit $path
            podman pod pause p >/dev/null; podman pod ps --format '{{.Status}}'; podman pod unpause p >/dev/null
            podman pod stop -t 1 p >/dev/null; podman pod start p >/dev/null; podman exec a cat /proc/1/comm; echo "exec $?"
            podman pod rm -t 0 -f p >/dev/null; echo "rm $?"
            # podman's conmon takes its time, and systemd remembers the slice as long as its scope is in there.
            units() { systemctl list-units --all --plain --no-legend '*libpod*' | grep -v libpod-conmon; }
            for _ in {1..200}; do [ -n "$(units)" ] || break; sleep 0.1; done
            units; ls /run/swrun
            """#)
        #expect(
            result.lines == [
                "run 0", "/machine.slice/machine-libpod_pod_ID.slice/libpod-ID.scope", "catatonit", "run 7", "67108864",
                "209715200", "33554432", "Paused", "catatonit", "exec 0", "rm 0",
            ], "\(result)")
    }

    @Test("what systemd refuses is said in its words, and a unit of somebody else is left alone")
    func refusals() async throws {
        let result = try await Self.run(
            #"""
            systemd-run --quiet --scope --unit pre-box.scope sleep 1000 &
            until systemctl is-active --quiet pre-box.scope; do sleep 0.1; done
            made box; echo "exists $?"; systemctl is-active pre-box.scope; systemctl stop pre-box.scope
            for a in '{"NoSuch": "true"}' '{"TimeoutStopUSec": "true"}' '{"TimeoutStopSec": "uint32 x"}'; do
                change --argjson a "$a" '.annotations = ($a | with_entries(.key |= "org.systemd.property." + .))'
                made box; echo "annotation $?"
            done
            change 'del(.annotations)'
            for path in a--b.slice:x:y /a/b a.service:x:y :: 'a.slice:x:y/z'; do
                change --arg p "$path" '.linux.cgroupsPath = $p'; made box; echo "path $?"
            done
            change '.linux.cgroupsPath = "lab.slice:pre:box" | .process.args = ["no-such"]'; $R run box 2>&1; echo "run $?"
            mkdir /run/alone; cp \#(Self.swrun) /run/alone; R="/run/alone/swrun --systemd-cgroup"; made box; echo "alone $?"
            left box; ls /run/swrun
            """#)
        let lines = result.lines
        #expect(lines.first?.contains("pre-box.scope: systemd: Unit pre-box.scope") == true, "\(result)")
        #expect(Array(lines.dropFirst().prefix(2)) == ["exists 1", "active"], "\(result)")
        for words in [
            "pre-box.scope: systemd: Cannot set property NoSuch",
            "pre-box.scope: systemd: Failed to set unit properties",
            "annotations.org.systemd.property.TimeoutStopSec: 'x' is no value",
            "'a--b.slice' is not the name of a slice",
            "got '/a/b' instead", "'a.service' is not the name of a slice", "got '::' instead",
            "executable file not found", "needs swrun-systemd beside /run/alone/swrun",
        ] {
            #expect(lines.contains { $0.contains(words) }, "\(words) in \(result)")
        }
        #expect(lines.filter { $0 == "annotation 1" }.count == 3 && lines.filter { $0 == "path 1" }.count == 5)
        #expect(lines.contains("run 127") && lines.last == "alone 1", "\(result)")
    }

    @Test("a scope that was begun when its maker was killed keeps no name")
    func killed() async throws {
        let result = try await Self.run(
            """
            change '.process.args = ["true"]'
            for number in $(seq 9 20); do
                strace -f -qq -o /dev/null -e trace=recvmsg -e inject=recvmsg:signal=KILL:when=$number $R run box 2>/run/err
                echo $?; [ ! -e /run/swrun/box ] || echo "a state: $(cat /run/err)"
                systemctl list-units --state=failed --plain --no-legend 'pre-box*'
            done | sort | uniq -c
            """)
        #expect(result.lines.count == 1 && result.output.hasSuffix(" 1"), "\(result)")
    }

    @Test("nothing of this machine's can be started by mistake")
    func strangers() async throws {
        // Who wants it wants systemd-tmpfiles, which clears /tmp.
        let result = try await Self.run(
            "for u in sysinit.target systemd-tmpfiles-setup.service; do systemctl show $u --value -p LoadState; done")
        #expect(result.lines == ["not-found", "not-found"], "\(result)")
    }

    @Test("without systemd the error says so at once")
    func absent() async throws {
        guard !FileManager.default.fileExists(atPath: "/run/systemd/system") else { return }
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host)
            let result = try await bundle.swrun("--systemd-cgroup", "run", "--bundle", RuntimeBundle.folder, "box")
            #expect(result.status == 1)
            #expect(result.errors.contains("systemd not running on this host, can't use systemd as cgroups manager"))
            #expect(try await bundle.leftovers().isEmpty)
        }
    }
}

private let hasSystemd = FileManager.default.isExecutableFile(atPath: "/lib/systemd/systemd")
