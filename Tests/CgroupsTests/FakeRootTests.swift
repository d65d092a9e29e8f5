import SystemPackage
import Testing

@testable import Cgroups

/// What is written where, without a kernel.
struct FakeRootTests {
    @Test func version1WritesOnlyWhereNeeded() throws {
        let fake = try FakeHierarchy()
        let root = CgroupRoot(
            hierarchies: [
                try fake.hierarchy("memory", controllers: ["memory"], files: ["memory.limit_in_bytes": ""]),
                try fake.hierarchy("pids", controllers: ["pids"], files: ["pids.max": ""]),
                try fake.hierarchy(
                    "devices", controllers: ["devices"], files: ["devices.allow": "", "devices.deny": ""]),
                CgroupHierarchy(mountPoint: "\(fake.directory)/blkio", controllers: ["blkio"]),
                try fake.hierarchy("freezer", controllers: ["freezer"], files: [:]),
            ], unified: nil)
        var limits = CgroupLimits()
        limits.memory.limit = 1 << 20
        limits.devices = [DeviceRule(allow: false, kind: .all), DeviceRule(allow: true, kind: .character, major: 1)]
        let cgroup = try Cgroup.create(fake.path, limits: limits, root: root)
        #expect(fake.text("memory/swbox/web/memory.limit_in_bytes") == "1048576")
        #expect(fake.text("devices/swbox/web/devices.deny") == "a *:* rwm\n")
        #expect(fake.text("devices/swbox/web/devices.allow") == "c 1:* rwm\n")
        #expect(fake.text("pids/swbox/web/pids.max") == "")
        let entrance = try cgroup.entrance()
        #expect(entrance.directory == -1)
        #expect(entrance.enter() == 0)
        #expect(fake.text("freezer/swbox/web/tasks") == "0")
        #expect(fake.text("memory/swbox/web/tasks") == "0")
    }

    @Test func version1CopiesCpusetDown() throws {
        let fake = try FakeHierarchy()
        let empty = ["cpuset.cpus": "\n", "cpuset.mems": "\n"]
        let cpuset = try fake.hierarchy("cpuset", controllers: ["cpuset"], files: empty)
        try fake.fill("cpuset", ["cpuset.cpus": "0-3\n", "cpuset.mems": "0\n"])
        try fake.fill("cpuset/swbox", empty)
        var limits = CgroupLimits()
        limits.cpu.cpus = "2"
        _ = try Cgroup.create(fake.path, limits: limits, root: CgroupRoot(hierarchies: [cpuset], unified: nil))
        #expect(fake.text("cpuset/swbox/cpuset.cpus") == "0-3")
        #expect(fake.text("cpuset/swbox/web/cpuset.mems") == "0")
        // The own value went over the copied one, in a file that does not truncate.
        #expect(fake.text("cpuset/swbox/web/cpuset.cpus") == "2-3")
    }

    @Test func version2EnablesControllersFromTheTop() throws {
        let fake = try FakeHierarchy()
        let above = ["cgroup.controllers": "cpu memory pids\n", "cgroup.subtree_control": ""]
        try fake.fill("unified", above)
        try fake.fill("unified/swbox", above)
        try fake.fill(
            "unified/swbox/web",
            ["cgroup.controllers": "", "cgroup.procs": "", "memory.max": "", "cpu.max": "", "pids.max": ""])
        let root = CgroupRoot(unified: "\(fake.directory)/unified")
        var limits = CgroupLimits()
        limits.memory.limit = 4096
        limits.cpu = try .init(processors: 1.5)
        let cgroup = try Cgroup.create(fake.path, limits: limits, tracking: [.pids], root: root)
        #expect(fake.text("unified/cgroup.subtree_control") == "+cpu +memory +pids")
        #expect(fake.text("unified/swbox/cgroup.subtree_control") == "+cpu +memory +pids")
        #expect(fake.text("unified/swbox/web/memory.max") == "4096")
        #expect(fake.text("unified/swbox/web/cpu.max") == "150000 100000")
        let entrance = try cgroup.entrance()
        #expect(entrance.directory >= 0 && entrance.taskFiles.isEmpty)
    }

    @Test func version2EnablesWhatOnlyUnifiedNames() throws {
        let fake = try FakeHierarchy()
        try fake.fill("unified", ["cgroup.controllers": "cpu misc\n", "cgroup.subtree_control": ""])
        try fake.fill("unified/swbox", ["cgroup.controllers": "cpu misc\n", "cgroup.subtree_control": ""])
        try fake.fill(
            "unified/swbox/web", ["cgroup.controllers": "cpu\n", "misc.max": "", "cgroup.max.depth": ""])
        let root = CgroupRoot(unified: "\(fake.directory)/unified")
        var limits = CgroupLimits()
        limits.unified = ["misc.max": "sev 1", "cgroup.max.depth": "3"]
        _ = try Cgroup.create(fake.path, limits: limits, root: root)
        #expect(fake.text("unified/cgroup.subtree_control") == "+misc")
        #expect(fake.text("unified/swbox/cgroup.subtree_control") == "+misc")
        #expect(fake.text("unified/swbox/web/misc.max") == "sev 1")
        #expect(fake.text("unified/swbox/web/cgroup.max.depth") == "3")
        limits.unified = ["misc.max": "sev 1", "nosuch.max": "1"]
        let error = #expect(throws: CgroupError.self) { try Cgroup.create(fake.path, limits: limits, root: root) }
        #expect(
            "\(try #require(error))"
                == "cgroup swbox/web: set nosuch.max to '1': no such file or directory "
                + "(the requested cgroup controller `nosuch` is not available)")
    }

    @Test func version2RefusesLimitsBelowWhatIsUsed() throws {
        let fake = try FakeHierarchy()
        try fake.fill(
            "swbox/web",
            [
                "cgroup.controllers": "memory\n", "memory.current": "3000\n", "memory.swap.current": "2000\n",
                "memory.max": "max\n", "memory.swap.max": "max\n",
            ])
        let cgroup = try Cgroup.create(fake.path, root: CgroupRoot(unified: fake.directory))
        var limits = CgroupLimits()
        limits.memory.checksUsage = true
        for (limit, swap, word) in [(2048, nil, "memory limit: 3000"), (2048, 4096, "memory+swap limit: 5000")] {
            limits.memory.limit = Int64(limit)
            limits.memory.swap = swap.map { Int64($0) }
            let error = #expect(throws: CgroupError.self) { try cgroup.update(limits) }
            #expect("\(try #require(error))".contains("rejecting \(word) bytes are in use"))
            #expect(fake.text("swbox/web/memory.max") == "max\n")
        }
        limits.memory.limit = 3072
        limits.memory.swap = 5120
        try cgroup.update(limits)
        #expect(fake.text("swbox/web/memory.max")?.hasPrefix("3072") == true)
    }

    @Test func whatIsOnlyTrackedCanBeMissing() throws {
        let fake = try FakeHierarchy()
        try fake.fill(
            "unified", ["cgroup.controllers": "cpu memory pids\n", "cgroup.subtree_control": "cpu memory pids\n"])
        // What systemd gives an ordinary user on Debian 12.
        try fake.fill("unified/swbox", ["cgroup.controllers": "memory pids\n", "cgroup.subtree_control": ""])
        try fake.fill("unified/swbox/web", ["cgroup.controllers": "", "cgroup.procs": "", "memory.max": ""])
        let root = CgroupRoot(unified: "\(fake.directory)/unified")
        var limits = CgroupLimits()
        limits.memory.limit = 4096
        _ = try Cgroup.create(fake.path, limits: limits, tracking: [.cpu, .pids], root: root)
        #expect(fake.text("unified/swbox/cgroup.subtree_control") == "+memory +pids")
        #expect(fake.text("unified/swbox/web/memory.max") == "4096")
        limits.cpu.shares = 512
        let error = #expect(throws: CgroupError.self) {
            try Cgroup.create(fake.path, limits: limits, tracking: [.pids], root: root)
        }
        #expect(error?.controller == .cpu)
    }

    @Test func version2WeightFallsBack() throws {
        let fake = try FakeHierarchy()
        try fake.fill("swbox/web", ["cgroup.controllers": "io\n", "cgroup.procs": "", "io.weight": ""])
        var limits = CgroupLimits()
        limits.blockIO.weight = 1000
        _ = try Cgroup.create(fake.path, limits: limits, root: CgroupRoot(unified: fake.directory))
        #expect(fake.text("swbox/web/io.weight") == "10000")
    }

    @Test func missingControllerIsNamed() throws {
        let fake = try FakeHierarchy()
        try fake.fill("", ["cgroup.controllers": "cpu\n", "cgroup.subtree_control": ""])
        try fake.fill("swbox/web", ["cgroup.controllers": "", "cgroup.procs": ""])
        var limits = CgroupLimits()
        limits.memory.limit = 4096
        var error = #expect(throws: CgroupError.self) {
            try Cgroup.create(fake.path, limits: limits, root: CgroupRoot(unified: fake.directory))
        }
        #expect(error?.controller == .memory && error?.errno == .operationNotSupportedByDevice)
        #expect("\(try #require(error))".contains("cgroup.controllers does not list it"))
        let freezer = try fake.hierarchy("freezer", controllers: ["freezer"], files: [:])
        error = #expect(throws: CgroupError.self) {
            try Cgroup.create(fake.path, limits: limits, root: CgroupRoot(hierarchies: [freezer], unified: nil))
        }
        #expect(error?.controller == .memory)
    }

    @Test func missingFileIsNamed() throws {
        let fake = try FakeHierarchy()
        let blkio = try fake.hierarchy("blkio", controllers: ["blkio"], files: [:])
        var limits = CgroupLimits()
        limits.blockIO.weight = 100
        let error = #expect(throws: CgroupError.self) {
            try Cgroup.create(fake.path, limits: limits, root: CgroupRoot(hierarchies: [blkio], unified: nil))
        }
        #expect(
            "\(try #require(error))"
                == "cgroup swbox/web: set blkio.weight to '100' (io controller): no such file or directory "
                + "(this kernel does not have the file)")
    }

    @Test func occupiedCgroupIsNotAdopted() throws {
        let fake = try FakeHierarchy()
        try fake.fill("swbox/web", ["cgroup.procs": "12\n13\n"])
        let error = #expect(throws: CgroupError.self) {
            try Cgroup.create(fake.path, root: CgroupRoot(unified: fake.directory))
        }
        #expect(error?.errno == .resourceBusy)
    }

    @Test func statisticsOfVersion2() throws {
        let fake = try FakeHierarchy()
        try fake.fill(
            "swbox/web",
            [
                "memory.current": "5000\n", "memory.peak": "6000\n", "memory.max": "max\n",
                "memory.swap.current": "7\n",
                "memory.stat": "anon 1\nfile 80\ninactive_file 400\n", "memory.events": "oom 3\noom_kill 2\n",
                "cpu.stat": """
                usage_usec 90
                user_usec 60
                system_usec 30
                nr_periods 5
                nr_throttled 4
                throttled_usec 8

                """,
                "memory.pressure":
                    "some avg10=0.25 avg60=1.00 avg300=12.50 total=4711\nfull avg10=0.00 avg60=0.50 avg300=0.00 total=11\n",
                "cpu.pressure": "some avg10=1.00 avg60=2.00 avg300=3.00 total=4\n", "io.pressure": "nonsense\n",
                "pids.current": "3\n", "pids.max": "10\n",
                "io.stat": "254:0 rbytes=4096 wbytes=512 rios=2 wios=1 dbytes=0 dios=0\n",
                "hugetlb.2MB.current": "4194304\n", "hugetlb.2MB.max": "max\n", "hugetlb.2MB.events": "max 5\n",
                "hugetlb.2MB.rsvd.current": "0\n", "hugetlb.2MB.rsvd.max": "max\n", "hugetlb.1GB.current": "0\n",
                "hugetlb.1GB.max": "1073741824\n",
            ])
        let statistics = try Cgroup(fake.path, root: CgroupRoot(unified: fake.directory)).statistics()
        #expect(
            statistics.memory
                == .init(
                    usage: 5000, peak: 6000, limit: nil, swap: 7, inactiveFile: 400, outOfMemoryKills: 2,
                    withSwap: .init(usage: 5007), cache: 80, details: ["anon": 1, "file": 80, "inactive_file": 400],
                    pressure: .init(
                        some: .init(averages: [0.25, 1, 12.5], total: 4711),
                        full: .init(averages: [0, 0.5, 0], total: 11))))
        #expect(
            statistics.cpu
                == .init(
                    usage: 90, user: 60, system: 30, periods: 5, throttledPeriods: 4, throttledTime: 8,
                    pressure: .init(some: .init(averages: [1, 2, 3], total: 4))))
        #expect(statistics.pids == .init(current: 3, limit: 10))
        #expect(
            statistics.hugePages == [
                "2MB": .init(usage: 4_194_304, failures: 5), "1GB": .init(usage: 0, limit: 1_073_741_824),
            ])
        let device = CgroupLimits.BlockDevice(major: 254, minor: 0)
        #expect(
            statistics.blockIO
                == .init(
                    bytes: [
                        .init(device: device, name: "Read", count: 4096),
                        .init(device: device, name: "Write", count: 512),
                    ],
                    operations: [
                        .init(device: device, name: "Read", count: 2), .init(device: device, name: "Write", count: 1),
                    ]))
    }

    @Test func statisticsOfVersion1() throws {
        let fake = try FakeHierarchy()
        let memory = try fake.hierarchy(
            "memory", controllers: ["memory"],
            files: [
                "memory.usage_in_bytes": "5000\n", "memory.max_usage_in_bytes": "6000\n",
                "memory.limit_in_bytes": "8192\n", "memory.failcnt": "3\n",
                "memory.memsw.usage_in_bytes": "5100\n", "memory.memsw.max_usage_in_bytes": "6100\n",
                "memory.memsw.limit_in_bytes": "16384\n", "memory.memsw.failcnt": "4\n",
                "memory.kmem.usage_in_bytes": "10\n", "memory.kmem.max_usage_in_bytes": "20\n",
                "memory.kmem.limit_in_bytes": "9223372036854771712\n", "memory.kmem.failcnt": "0\n",
                "memory.stat": "cache 80\ntotal_inactive_file 400\n",
            ])
        let time = try fake.hierarchy(
            "cpuacct", controllers: ["cpuacct"],
            files: [
                "cpuacct.usage": "30000\n", "cpuacct.usage_percpu": "10000 20000 \n",
                "cpuacct.usage_all": "cpu user system\n0 7000 3000\n1 15000 5000\n",
            ])
        let pages = try fake.hierarchy(
            "hugetlb", controllers: ["hugetlb"],
            files: [
                "hugetlb.2MB.usage_in_bytes": "4194304\n", "hugetlb.2MB.max_usage_in_bytes": "6291456\n",
                "hugetlb.2MB.limit_in_bytes": "9223372036852678656\n", "hugetlb.2MB.failcnt": "2\n",
                "hugetlb.2MB.rsvd.limit_in_bytes": "9223372036852678656\n",
            ])
        let processors = try fake.hierarchy(
            "cpuset", controllers: ["cpuset"],
            files: [
                "cpuset.cpus": "0-2,7\n", "cpuset.mems": "1\n", "cpuset.cpu_exclusive": "1\n",
                "cpuset.mem_exclusive": "0\n", "cpuset.mem_hardwall": "1\n", "cpuset.memory_migrate": "1\n",
                "cpuset.memory_pressure": "12\n", "cpuset.memory_spread_page": "0\n",
                "cpuset.memory_spread_slab": "1\n",
                "cpuset.sched_load_balance": "1\n", "cpuset.sched_relax_domain_level": "-1\n",
            ])
        let root = CgroupRoot(hierarchies: [memory, time, pages, processors], unified: nil)
        let statistics = try Cgroup(fake.path, root: root).statistics()
        var set = CgroupStatistics.CPUSet()
        (set.processors, set.memoryNodes) = ([0, 1, 2, 7], [1])
        (set.processorsAreExclusive, set.memoryIsHardwalled, set.memoryMigrates) = (1, 1, 1)
        (set.memoryPressure, set.memorySpreadsSlabs, set.balancesLoad, set.relaxDomainLevel) = (12, 1, 1, -1)
        #expect(statistics.cpuset == set)
        #expect(statistics.hugePages == ["2MB": .init(usage: 4_194_304, peak: 6_291_456, failures: 2)])
        #expect(statistics.memory?.failures == 3 && statistics.memory?.cache == 80)
        #expect(statistics.memory?.withSwap == .init(usage: 5100, peak: 6100, limit: 16384, failures: 4))
        #expect(statistics.memory?.kernel == .init(usage: 10, peak: 20, limit: nil))
        #expect(statistics.memory?.kernelTCP == nil)
        #expect(statistics.cpu?.processors == [10000, 20000])
        #expect(statistics.cpu?.userProcessors == [7000, 15000] && statistics.cpu?.systemProcessors == [3000, 5000])
    }

    @Test func updateKeepsWhatCgroupVersion2HasInTheSameFile() throws {
        let fake = try FakeHierarchy()
        try fake.fill(
            "swbox/web",
            [
                "cgroup.controllers": "cpu memory pids\n", "cgroup.procs": "", "cpu.max": "20000 100000\n",
                "memory.max": "67108864\n", "memory.swap.max": "00000000\n",
            ])
        let cgroup = Cgroup(fake.path, root: CgroupRoot(unified: fake.directory))
        var limits = CgroupLimits()
        limits.cpu.period = 200_000
        limits.memory.swap = 134_217_728
        try cgroup.update(limits)
        #expect(fake.text("swbox/web/cpu.max") == "20000 200000\n")
        #expect(fake.text("swbox/web/memory.swap.max") == "67108864\n")
        #expect(fake.text("swbox/web/memory.max") == "67108864\n")

        // There is no file for the last of them.
        limits.cpu.period = 300_000
        limits.pids = 7
        #expect(throws: CgroupError.self) { try cgroup.update(limits) }
        #expect(fake.text("swbox/web/cpu.max") == "20000 200000\n")
    }
}
