import Foundation
import TestSupport
import Testing

/// Limits of controllers that few kernels have: carried out where this one has them, and an error by name where not.
@Suite("swrun: limits of huge pages, networks and remote memory")
struct RuntimeLimitTests {
    /// A hierarchy that a test mounted would be there for the whole machine, and other tests' systemd would settle in it.
    private static func mounted(_ name: String) -> ConditionTrait {
        .enabled(
            if: FileManager.default.fileExists(atPath: "/sys/fs/cgroup/\(name)/cgroup.procs"),
            "this machine has mounted no \(name)")
    }

    /// The files of a container's cgroup, wherever it is, with what they say.
    private func values(_ host: TestHost, _ pattern: String) async throws -> [String] {
        try await host.shell("find /sys/fs/cgroup -path '*swrun/box/\(pattern)' -exec cat {} +").lines
    }

    @Test func `huge pages, as they are promised and as they are used`() async throws {
        try await TestHost.with { host in
            let change = #".linux.resources.hugepageLimits = [{pageSize: "2MB", limit: 4194304}]"#
            let bundle = try await RuntimeBundle(host, "exec sleep 1000", change)
            let result = try await bundle.swrun("create", "--bundle", "/run/bundle", "box")
            let root = "/sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/unified/cgroup.controllers"
            guard try await host.shell("grep -qw hugetlb \(root) || [ -d /sys/fs/cgroup/hugetlb ]").status == 0 else {
                return expectRefusal(result, status: 1, names: "linux.resources.hugepageLimits", "hugetlb")
            }
            #expect(result.status == 0, "\(result)")
            // Both, where the kernel has both (5.7).
            let limits = try await values(host, "hugetlb.2MB.*max") + values(host, "hugetlb.2MB.*limit_in_bytes")
            #expect(limits.count == 2 && Set(limits) == ["4194304"], "\(limits)")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(arguments: [
        (".linux.resources.rdma = {mlx5_1: {hcaHandles: 1}}", "linux.resources.rdma", "rdma"),
        (".linux.resources.network = {classID: 1}", "linux.resources.network.classID", "net_cls"),
        (
            #".linux.resources.network = {priorities: [{name: "lo", priority: 5}]}"#,
            "linux.resources.network.priorities", "net_prio"
        ),
        (#".linux.resources.unified = {"nosuch.max": "1"}"#, "linux.resources.unified.nosuch.max", "nosuch.max"),
    ])
    func `what no hierarchy has is an error by name`(change: String, field: String, controller: String) async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "exec sleep 1000", change)
            let result = try await bundle.swrun("create", "--bundle", "/run/bundle", "box")
            expectRefusal(result, status: 1, names: field, controller)
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `no class of traffic needs no hierarchy`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "echo here", ".linux.resources.network = {classID: 0}")
            #expect(try await bundle.must("run", "--bundle", "/run/bundle", "box") == "here")
        }
    }

    @Test(mounted("net_cls"), mounted("net_prio"))
    func `marks and priorities of traffic`() async throws {
        try await TestHost.with { host in
            // Such a hierarchy is the whole machine's, so that the group has a name of its own.
            let name = "swnet-test-\(UInt32.random(in: 0 ... .max))"
            let bundle = try await RuntimeBundle(
                host, "exec sleep 1000",
                """
                .linux.cgroupsPath = "/\(name)" | .linux.resources.network =
                    {classID: 1048577, priorities: [{name: "lo", priority: 5}, {name: "eth0", priority: 7}]}
                """)
            try await bundle.create()
            let place = "/sys/fs/cgroup/net"
            #expect(try await host.must(["cat", "\(place)_cls/\(name)/net_cls.classid"]) == "1048577")
            let map = try await host.must(["cat", "\(place)_prio/\(name)/net_prio.ifpriomap"]).split(separator: "\n")
            #expect(Set(map).isSuperset(of: ["lo 5", "eth0 7"]), "\(map)")
            let pid = try #require(try await bundle.state()["pid"].integer)
            for controller in ["cls", "prio"] {
                #expect(try await host.must(["cat", "\(place)_\(controller)/\(name)/cgroup.procs"]) == "\(pid)")
            }
            try await bundle.must("delete", "--force", "box")
            #expect(try await host.shell("ls -d \(place)_*/\(name)").output == "")
            // An interface that is not there is the kernel's to refuse, and named.
            let other = try await RuntimeBundle(
                host, "exec sleep 1000",
                #".linux.cgroupsPath = "/\#(name)" | .linux.resources.network = {priorities: [{name: "no0", priority: 5}]}"#
            )
            let result = try await other.swrun("create", "--bundle", "/run/bundle", "box")
            expectRefusal(result, status: 1, names: "linux.resources.network.priorities", "no0")
            #expect(try await host.shell("ls -d \(place)_*/\(name)").output == "")
        }
    }

    private static let isUnified: ConditionTrait = .enabled(
        if: FileManager.default.fileExists(atPath: "/sys/fs/cgroup/cgroup.controllers"), "this machine has cgroup v1")

    @Test(isUnified) func `limits are in the files of cgroup v2, update changes them, and they hold`() async throws {
        try await TestHost.with { host in
            let disk = try await host.must(["sh", "-c", "cat /sys/block/*/dev | head -n 1"])
            let (major, minor) = (disk.prefix { $0 != ":" }, disk.drop { $0 != ":" }.dropFirst())
            let bundle = try await RuntimeBundle(
                host, "exec sleep 1000",
                """
                .linux.resources += {memory: {limit: 67108864, swap: 100663296, reservation: 33554432},
                    cpu: {shares: 512, quota: 50000, period: 100000, burst: 10000, cpus: "0", mems: "0"}, pids: {limit: 9},
                    blockIO: {throttleReadBpsDevice: [{major: \(major), minor: \(minor), rate: 1048576}]},
                    unified: {"memory.high": "62914560"}}
                """)
            func expect(_ files: [String: String]) async throws {
                for (file, value) in files { #expect(try await values(host, file) == [value], "\(file)") }
            }
            try await bundle.create()
            try await bundle.must("start", "box")
            try await expect([
                "memory.max": "67108864", "memory.swap.max": "33554432", "memory.low": "33554432",
                "memory.high": "62914560", "cpu.weight": "59", "cpu.max": "50000 100000", "cpu.max.burst": "10000",
                "cpuset.cpus": "0", "cpuset.mems": "0", "pids.max": "9",
                "io.max": "\(disk) rbps=1048576 wbps=max riops=max wiops=max",
            ])
            try await deviceRulesHold(bundle, disk)
            let forks = try await bundle.swrun(
                "exec", "box", "sh", "-c", "for n in 1 2 3 4 5 6 7 8 9; do sleep 9 & done")
            #expect(forks.errors.contains("fork"), "\(forks)")

            let change =
                #"{"memory": {"limit": 50331648, "swap": 50331648}, "cpu": {"quota": 20000}, "pids": {"limit": 20}}"#
            try await host.must(["sh", "-c", "echo '\(change)' | \(Products.path("swrun")) update --resources - box"])
            try await expect([
                "memory.max": "50331648", "memory.swap.max": "0", "cpu.max": "20000 100000", "pids.max": "20",
                "memory.low": "33554432", "cpu.weight": "59",
            ])
            // Otherwise the kernel would kill until it is met.
            let low = try await host.shell(
                "echo '{\"memory\": {\"limit\": 4096, \"swap\": 4096, \"checkBeforeUpdate\": true}}' | \(Products.path("swrun")) update --resources - box"
            )
            expectRefusal(low, status: 1, names: "memory.swap.max", "are in use")
            try await bundle.must("pause", "box")
            #expect(try await values(host, "cgroup.events").contains("frozen 1"))
            try await bundle.must("resume", "box")
            let statistics = try JSONValue(try await bundle.must("events", "--stats", "box"))["data"]
            #expect(statistics["memory"]["usage"]["limit"].integer == 50_331_648, "\(statistics)")
            #expect(statistics["pids"]["limit"].integer == 20 && statistics["cpu"]["usage"]["total"].integer ?? 0 > 0)
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(isUnified) func `an engine's container has every controller of the host`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "exec sleep 1000", #".linux.cgroupsPath = "/swrun/box""#)
            try await bundle.create()
            let shell = "cat /sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/swrun/box/cgroup.controllers"
            let lists = try await host.must(["sh", "-c", shell]).components(separatedBy: "\n")
            #expect(lists.count == 2 && lists.first == lists.last && lists[0].contains("memory"), "\(lists)")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(isUnified) func `exec finds a place where the container has shared out its cgroup`() async throws {
        try await TestHost.with { host in
            let share = """
                cd /sys/fs/cgroup; mkdir init; echo 1 >init/cgroup.procs; echo +pids >cgroup.subtree_control && touch /ready
                exec sleep 1000
                """
            let bundle = try await RuntimeBundle(
                host, share, #"(.mounts[] | select(.type == "cgroup")).options -= ["ro"]"#)
            try await bundle.create()
            try await bundle.must("start", "box")
            #expect(try await eventually { try await host.shell("[ -e /run/bundle/rootfs/ready ]").status == 0 })
            let result = try await bundle.swrun("exec", "box", "cat", "/proc/self/cgroup")
            #expect(result.lines == ["0::/init"], "\(result)")
            let above = try await bundle.swrun("exec", "--cgroup", "/", "box", "true")
            expectRefusal(above, status: 255, names: "error adding pid", "device or resource busy")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    /// Nodes may be made and not opened: what v1's devices controller does, a program does on v2.
    private func deviceRulesHold(_ bundle: RuntimeBundle, _ disk: String) async throws {
        let numbers = disk.replacing(":", with: " ")
        let result = try await bundle.swrun(
            "exec", "--cap", "CAP_MKNOD", "box", "sh", "-c",
            "mknod /tmp/disk b \(numbers) && echo made; head -c 1 /tmp/disk; head -c 1 /dev/zero | wc -c")
        #expect(result.lines == ["made", "1"] && result.errors.contains("not permitted"), "\(result)")
    }
}
