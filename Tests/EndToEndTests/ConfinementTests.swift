import Foundation
import TestSupport
import Testing

@Suite("limits and confinement")
struct ConfinementTests {
    /// One value of a container's cgroup, whichever version the host has.
    private func cgroup(
        _ host: TestHost, _ container: String, v1: (controller: String, file: String), v2: String
    ) async throws -> String {
        let number = try await host.processIdentifier(of: container)
        let groups = try await host.must(["cat", "/proc/\(number)/cgroup"]).components(separatedBy: "\n")
        let id = try JSONValue(await host.box("inspect", container))[0]["Id"].text ?? "?"
        #expect(groups.contains { $0.contains(id.prefix(12)) }, "\(groups)")
        let line =
            "find /sys/fs/cgroup -path '*\(id.prefix(12))*' \\( -path '*/\(v1.controller)/*' -name \(v1.file) -o -name \(v2) \\)"
            + " | awk '{print length, $0}' | sort -n | head -1 | cut -d' ' -f2- | xargs cat"
        return try await host.must(["sh", "-c", line])
    }

    @Test func `memory, cpu and pids limits are the kernel's`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach(
                "--name", "a", "-m", "64m", "--cpus", "0.5", "--cpu-shares", "512", "--pids-limit", "30", "tools",
                "sleep",
                "1000")
            let memory = try await cgroup(host, "a", v1: ("memory", "memory.limit_in_bytes"), v2: "memory.max")
            #expect(memory == "67108864")
            let pids = try await cgroup(host, "a", v1: ("pids", "pids.max"), v2: "pids.max")
            #expect(pids == "30")
            let quota = try await cgroup(host, "a", v1: ("cpu", "cpu.cfs_quota_us"), v2: "cpu.max")
            #expect(quota == "50000" || quota == "50000 100000")
            let shares = try await cgroup(host, "a", v1: ("cpu", "cpu.shares"), v2: "cpu.weight")
            // In v2 as runc and crun have it since they follow the curve by which 1024 is 100.
            #expect(shares == "512" || shares == "59", "\(shares)")
            try await host.remove("a")
        }
    }

    @Test func `too much memory is the end, too many processes an error`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let memory = try await host.swbox(
                "run", "--rm", "--net", "none", "-m", "16m", "tools", "sh", "-c", "exec tail /dev/zero")
            #expect(memory.status == 137, "\(memory)")
            let processes = try await host.swbox(
                "run", "--rm", "--net", "none", "--pids-limit", "5", "tools", "sh", "-c",
                "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; echo survived")
            #expect(processes.errors.contains("fork"), "\(processes)")
        }
    }

    @Test func `cpu-quota is what it says`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach("--name", "a", "--cpu-quota", "25000", "tools", "sleep", "1000")
            let quota = try await cgroup(host, "a", v1: ("cpu", "cpu.cfs_quota_us"), v2: "cpu.max")
            #expect(quota == "25000" || quota == "25000 100000")
            try await host.remove("a")
        }
    }

    /// The capability bits of a container's first process.
    private func capabilities(_ host: TestHost, _ words: [String]) async throws -> [String: UInt64] {
        let text = try await host.must(
            [Products.path("swbox"), "run", "--rm", "--net", "none"] + words + ["tools", "cat", "/proc/self/status"])
        var values: [String: UInt64] = [:]
        for line in text.components(separatedBy: "\n") {
            let parts = line.split(separator: "\t")
            if parts.count == 2, parts[0].hasPrefix("Cap") {
                values[String(parts[0].dropLast())] = UInt64(parts[1], radix: 16)
            }
        }
        return values
    }

    @Test func `capabilities are docker's default, no more`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let standard = try await capabilities(host, [])
            #expect(
                standard["CapEff"] == 0xa804_25fb && standard["CapBnd"] == 0xa804_25fb
                    && standard["CapPrm"] == 0xa804_25fb)
            #expect(standard["CapInh"] == 0 && standard["CapAmb"] == 0)
            let netAdmin: UInt64 = 1 << 12
            #expect(try await capabilities(host, ["--cap-add", "NET_ADMIN"])["CapEff"] == 0xa804_25fb | netAdmin)
            #expect(try await capabilities(host, ["--cap-add=CAP_NET_ADMIN"])["CapEff"] == 0xa804_25fb | netAdmin)
            #expect(try await capabilities(host, ["--cap-drop", "ALL", "--cap-add", "CHOWN"])["CapEff"] == 1)
            #expect(try await capabilities(host, ["--cap-drop", "all"])["CapBnd"] == 0)
            // A process that is not root has none in effect.
            #expect(try await capabilities(host, ["-u", "1000"])["CapEff"] == 0)
            let own = try await host.must(["sed", "-n", "s/^CapEff:\t//p", "/proc/self/status"])
            #expect(try await capabilities(host, ["--privileged"])["CapEff"] == UInt64(own, radix: 16))
        }
    }

    @Test func `a privileged container has the host's devices and may use them`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let list = "find /dev -path /dev/pts -prune -o \\( -type c -o -type b \\) -print | sort"
            let own = try await host.shell(list).lines.filter { !["/dev/console", "/dev/ptmx"].contains($0) }
            let theirs = try await host.box(
                "run", "--rm", "--net", "none", "--privileged", "tools", "sh", "-c", list
            ).components(separatedBy: "\n")
            #expect(Set(theirs).isSuperset(of: own) && own.count > 10, "\(Set(own).subtracting(theirs))")
            let few = try await host.box("run", "--rm", "--net", "none", "tools", "sh", "-c", list)
            #expect(few.components(separatedBy: "\n").count == 6, "\(few)")
            // Opening it is what the device rules decide: /dev/kmsg is nobody's by default.
            let read = "mknod /tmp/k c 1 11; dd if=/tmp/k of=/dev/null bs=9000 count=1 2>&1"
            let refused = try await host.swbox("run", "--rm", "--net", "none", "tools", "sh", "-c", read)
            #expect(refused.output.contains("not permitted"), "\(refused)")
            let allowed = try await host.swbox(
                "run", "--rm", "--net", "none", "--privileged", "tools", "sh", "-c", "exec 3</dev/kmsg && echo opened")
            #expect(allowed.output == "opened", "\(allowed)")
            // The host's own /dev may be given whole.
            let whole = try await host.swbox(
                "run", "--rm", "--net", "none", "--privileged", "-v", "/dev:/dev", "tools", "true")
            #expect(whole.status == 0, "\(whole)")
        }
    }

    @Test func `seccomp filters, masked and read-only paths`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let status = try await host.box("run", "--rm", "--net", "none", "tools", "cat", "/proc/self/status")
            #expect(status.contains("Seccomp:\t2"))
            let script = """
                for f in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts; do
                    [ -s $f ] && head -c 1 $f >/dev/null 2>&1 && [ -n "$(head -c 1 $f | tr -d '\\000')" ] && echo open $f
                done
                ls -A /proc/acpi /sys/firmware /proc/scsi 2>/dev/null | grep -v : | grep . && echo not masked
                for f in /proc/sys/kernel/hostname /proc/sysrq-trigger; do (echo x > $f) 2>/dev/null && echo writable $f; done
                mkdir /sys/fs/cgroup/x 2>/dev/null && echo writable cgroup
                mount -t tmpfs tmpfs /tmp 2>/dev/null && echo may mount
                unshare -U true 2>/dev/null && echo may unshare
                mknod /tmp/sda b 8 0 && cat /tmp/sda >/dev/null 2>&1 && echo device opened
                echo done
                """
            let found = try await host.swbox("run", "--rm", "--net", "none", "tools", "sh", "-c", script)
            #expect(found.output == "done", "\(found)")
            let free = try await host.box(
                "run", "--rm", "--net", "none", "--privileged", "tools", "cat", "/proc/self/status")
            #expect(free.contains("Seccomp:\t0"))
        }
    }

    /// Also for who has docker's capabilities, chown and fowner among them.
    @Test func `what hides a file is not the host's null device, nor are the streams`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            // Not the machine's, should it go wrong.
            try await host.must(["sh", "-c", "mount -t tmpfs -o mode=755 dev /dev; mknod -m 666 /dev/null c 1 3"])
            let attack =
                "for f in /proc/keys /proc/timer_list /proc/self/fd/0; do chmod 611 $f; chown 7:8 $f; touch $f; done"
            let before = try await host.must(["stat", "/dev/null"])
            for flags in ["", "-d"] {
                let line = "run \(flags) --net none tools sh -c '\(attack)' </dev/null"
                try await host.shell("\(Products.path("swbox")) \(line)")
            }
            let ended = try await eventually { try await host.box("ps", "-q") == "" }
            #expect(ended)
            #expect(try await host.must(["stat", "/dev/null"]) == before)
            try await host.shell("\(Products.path("swbox")) ps -aq | xargs -n 1 \(Products.path("swbox")) rm")
            try await host.must(["umount", "-l", "/dev"])
        }
    }

    @Test func `the container sees its own processes, mounts, devices and nothing open`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let script =
                "echo $$; ls /proc | grep -c '^[0-9]'; ls /proc/self/fd | wc -l; cat /proc/1/comm; ls /dev; cat /proc/mounts"
            let output = try await host.box("run", "--rm", "--net", "none", "tools", "sh", "-c", script)
            let lines = output.components(separatedBy: "\n")
            #expect(lines[0] == "1" && lines[3] == "sh", "\(output)")
            // 0, 1, 2 and the directory that ls reads.
            #expect(lines[2] == "4", "\(output)")
            for node in [
                "null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "mqueue", "fd", "stdin",
            ] {
                #expect(lines.contains(node), "/dev/\(node) in \(output)")
            }
            #expect(lines.contains { $0.contains(" / overlay rw") })
            #expect(!lines.contains { $0.contains("/var/lib/swbox") && !$0.contains(" / overlay ") })
            for name in ["mqueue", "devpts", "sysfs"] { #expect(output.contains(" \(name) "), "\(name): \(output)") }
            #expect(output.contains("\ncgroup /sys/fs/cgroup"), "\(output)")
        }
    }

    @Test func `--read-only is read-only but for what is mounted`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let script = "touch /x || echo refused; touch /dev/shm/y && echo shm"
            let result = try await host.swbox(
                "run", "--rm", "--net", "none", "--read-only", "tools", "sh", "-c", script)
            #expect(result.output.contains("refused") && result.output.contains("shm"), "\(result)")
            #expect(result.errors.contains("Read-only file system"))
            // The image's layers are never written to.
            try await host.box("run", "--rm", "--net", "none", "tools", "sh", "-c", "rm -rf /bin/sh; touch /new")
            #expect(
                try await host.box("run", "--rm", "--net", "none", "tools", "sh", "-c", "ls /new 2>&1 || echo clean")
                    .contains("clean"))
        }
    }

    @Test func `every namespace is the container's own`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let line = "for n in cgroup ipc mnt net pid uts; do readlink /proc/self/ns/$n; done"
            let outside = Set(try await host.must(["sh", "-c", line]).components(separatedBy: "\n"))
            let inside = Set(try await host.box("run", "--rm", "tools", "sh", "-c", line).components(separatedBy: "\n"))
            #expect(inside.count == 6 && inside.isDisjoint(with: outside))
        }
    }
}
