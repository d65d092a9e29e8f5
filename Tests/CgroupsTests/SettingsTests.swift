import SystemPackage
import Testing

@testable import Cgroups

struct SettingsTests {
    private func table(_ settings: [CgroupSetting]) -> [String] { settings.map { "\($0.file)=\($0.value)" } }

    private var everything: CgroupLimits {
        var limits = CgroupLimits()
        limits.memory = .init(limit: 64 << 20, reservation: 32 << 20, swap: 96 << 20)
        limits.cpu = .init(shares: 1024, quota: 50_000, period: 100_000)
        limits.cpu.cpus = "0-1"
        limits.cpu.mems = "0"
        limits.pids = 100
        limits.blockIO.weight = 500
        limits.blockIO.deviceWeights = [.init(.init(major: 8, minor: 0), 10)]
        limits.blockIO.readBytes = [.init(.init(major: 8, minor: 0), 1 << 20)]
        limits.blockIO.writeOperations = [.init(.init(major: 8, minor: 16), 50)]
        limits.hugePages = ["2MB": 2 << 20]
        limits.rdma = ["mlx5_0": .init(handles: 2), "mlx5_1": .init(objects: 5)]
        return limits
    }

    @Test func version1() throws {
        var limits = everything
        limits.networkClass = 0x100001
        limits.networkPriorities = ["lo": 1, "eth0": 5]
        limits.memory.tcp = 1 << 20
        limits.blockIO.leafWeight = 300
        limits.blockIO.deviceLeafWeights = [.init(.init(major: 8, minor: 0), 20)]
        #expect(
            table(try limits.version1Settings()) == [
                "memory.limit_in_bytes=67108864", "memory.memsw.limit_in_bytes=100663296",
                "memory.soft_limit_in_bytes=33554432", "memory.kmem.tcp.limit_in_bytes=1048576", "cpu.shares=1024",
                "cpu.cfs_period_us=100000",
                "cpu.cfs_quota_us=50000", "cpuset.cpus=0-1", "cpuset.mems=0", "pids.max=100", "blkio.weight=500",
                "blkio.leaf_weight=300", "blkio.leaf_weight_device=8:0 20",
                "blkio.weight_device=8:0 10", "blkio.throttle.read_bps_device=8:0 1048576",
                "blkio.throttle.write_iops_device=8:16 50", "hugetlb.2MB.limit_in_bytes=2097152",
                "hugetlb.2MB.rsvd.limit_in_bytes=2097152",
                "rdma.max=mlx5_0 hca_handle=2 hca_object=max", "rdma.max=mlx5_1 hca_handle=max hca_object=5",
                "net_cls.classid=1048577", "net_prio.ifpriomap=eth0 5", "net_prio.ifpriomap=lo 1",
            ])
    }

    @Test func version2() throws {
        var limits = everything
        limits.unified = ["memory.high": "1000000", "io.max": "8:0 rbps=1\n8:16 wbps=2", "io.x": ""]
        let settings = try limits.version2Settings()
        #expect(
            table(settings) == [
                "memory.max=67108864", "memory.swap.max=33554432", "memory.low=33554432", "cpu.weight=100",
                "cpu.max=50000 100000", "cpuset.cpus=0-1", "cpuset.mems=0", "pids.max=100", "io.bfq.weight=500",
                "io.bfq.weight=8:0 10", "io.max=8:0 rbps=1048576", "io.max=8:16 wiops=50", "hugetlb.2MB.max=2097152",
                "hugetlb.2MB.rsvd.max=2097152",
                "rdma.max=mlx5_0 hca_handle=2 hca_object=max", "rdma.max=mlx5_1 hca_handle=max hca_object=5",
                "io.max=8:0 rbps=1", "io.max=8:16 wbps=2", "io.x=", "memory.high=1000000",
            ])
        #expect(settings.compactMap(\.fallback?.value) == ["4950", "8:0 1"])
    }

    @Test func noLimit() throws {
        var limits = CgroupLimits()
        limits.memory = .init(limit: -1)
        limits.cpu.quota = -1
        limits.pids = -1
        #expect(
            table(try limits.version1Settings()) == [
                "memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1", "cpu.cfs_quota_us=-1", "pids.max=max",
            ])
        #expect(
            table(try limits.version2Settings()) == [
                "memory.max=max", "memory.swap.max=max", "cpu.max=max", "pids.max=max",
            ])
        limits = CgroupLimits()
        limits.memory = .init(limit: 0, reservation: 0, swap: 0)
        limits.cpu = .init(shares: 0, quota: 0, period: 0)
        #expect(try limits.version1Settings().isEmpty && limits.version2Settings().isEmpty)
    }

    @Test func `a limit of no processes lets the first one be`() throws {
        var limits = CgroupLimits()
        limits.pids = 0
        #expect(table(try limits.version1Settings()) == ["pids.max=1"])
        #expect(table(try limits.version2Settings()) == ["pids.max=1"])
    }

    /// Both ends and the default.
    @Test(arguments: [(1, 1), (2, 1), (1024, 100), (262_144, 10_000), (1 << 40, 10_000)])
    func weight(_ shares: UInt64, _ weight: UInt64) {
        #expect(CgroupWeight.cpuWeight(shares: shares) == weight)
    }

    @Test func weightGrows() {
        let weights = stride(from: UInt64(2), through: 262_144, by: 97).map(CgroupWeight.cpuWeight)
        #expect(zip(weights, weights.dropFirst()).allSatisfy { $0 <= $1 })
        #expect([10, 500, 1000].map(CgroupWeight.ioWeight) == [1, 4950, 10_000])
    }

    @Test func processors() throws {
        let half = try CgroupLimits.CPU(processors: 0.5)
        #expect(half.quota == 50_000 && half.period == 100_000)
        for bad in [0, -1, 0.001, .nan, .infinity] {
            #expect(throws: CgroupError.self) { try CgroupLimits.CPU(processors: bad) }
        }
    }

    @Test func refusesWhatNoKernelTakes() {
        var memory = CgroupLimits()
        memory.memory.limit = -5
        var swap = CgroupLimits()
        swap.memory = .init(limit: 100 << 20, swap: 50 << 20)
        var pids = CgroupLimits()
        pids.pids = -2
        var weight = CgroupLimits()
        weight.blockIO.weight = 5
        for limits in [memory, swap, pids, weight] {
            #expect(throws: CgroupError.self) { try limits.version1Settings() }
            #expect(throws: CgroupError.self) { try limits.version2Settings() }
        }
    }

    @Test func refusesWhatOneVersionLacks() {
        var limits = CgroupLimits()
        limits.memory.swappiness = 10
        var error = #expect(throws: CgroupError.self) { try limits.version2Settings() }
        #expect(error?.errno == .notSupported)
        limits = CgroupLimits()
        limits.blockIO.deviceLeafWeights = [.init(.init(major: 8, minor: 0), 20)]
        error = #expect(throws: CgroupError.self) { try limits.version2Settings() }
        #expect(error?.file == "blkio.leaf_weight_device" && error?.errno == .notSupported)
        limits = CgroupLimits()
        limits.unified = ["memory.high": "1"]
        error = #expect(throws: CgroupError.self) { try limits.version1Settings() }
        #expect(error?.errno == .notSupported)
        limits.unified = ["../x": "1"]
        #expect(throws: CgroupError.self) { try limits.version2Settings() }
    }

    @Test func deviceRules() {
        #expect(
            DeviceRule.containerDefault.map(\.description) == [
                "a *:* rwm", "c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm",
                "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm", "c 10:200 rwm",
            ])
    }
}
