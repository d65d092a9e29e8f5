import CLinux
import Cgroups
import Foundation
import Synchronization
import LinuxSystem
import SystemPackage
import Testing

/// The layouts that the machine at hand can play: its own, and v1 alone when it has v1's freezer.
private let roots: [CgroupRoot] = {
    guard getuid() == 0, let root = try? CgroupRoot.find() else { return [] }
    return root.mode == .hybrid ? [root, CgroupRoot(hierarchies: root.hierarchies, unified: nil)] : [root]
}()

/// Processes that do nothing but make more of themselves; a test that is killed leaves them for half a minute at most.
private let bomb =
    "exec setsid sh -c '(sleep 30; kill -9 0) & bomb() { while :; do (bomb) & done; }; bomb 2>/dev/null'"

/// Runs a test in a cgroup of its own that is gone afterwards.
private func withCgroup(
    _ root: CgroupRoot, _ limits: CgroupLimits = CgroupLimits(), tracking: Set<CgroupController> = [],
    _ test: (Cgroup) throws -> Void
) throws {
    let path = try CgroupPath("swboxtest-\(UUID().uuidString)/inner")
    let parent = Cgroup(try CgroupPath(path.components[0]), root: root)
    defer {
        try? parent.kill()
        #expect(throws: Never.self) { try parent.delete() }
        #expect(!parent.exists)
    }
    try test(try Cgroup.create(path, limits: limits, tracking: tracking, root: root))
}

/// A file of the cgroup, as the kernel shows it.
private func kernelFile(_ cgroup: Cgroup, _ controller: String, _ file: String) -> String? {
    let mount = cgroup.root.hierarchies.first { $0.controllers.contains(controller) }?.mountPoint ?? cgroup.root.unified
    let text = mount.flatMap { try? String(contentsOfFile: "\($0)/\(cgroup.path)/\(file)", encoding: .utf8) }
    return text?.trimmingCharacters(in: .whitespacesAndNewlines)
}

@Suite(.enabled(if: !roots.isEmpty, "needs root and a cgroup file system"))
struct KernelTests {
    @Test(arguments: roots) func childEntersByItself(_ root: CgroupRoot) throws {
        var limits = CgroupLimits()
        limits.memory.limit = 64 << 20
        limits.pids = 50
        try withCgroup(root, limits) { cgroup in
            let child = try Child("exec sleep 60", in: cgroup)
            let seen = try String(contentsOfFile: "/proc/\(child.identifier)/cgroup", encoding: .utf8)
            let places = seen.split(separator: "\n").filter { $0.hasSuffix("/\(cgroup.path)") }
            #expect(places.contains { $0.hasPrefix("0::") } == (root.unified != nil))
            #expect(places.contains { $0.contains("memory:") } == (root.mode != .unified))
            #expect(places.contains { $0.contains("blkio:") } == false)
            #expect(try cgroup.processes() == [child.identifier])
            #expect(try !cgroup.isEmpty())
            let version1 = root.mode != .unified
            let limit = kernelFile(cgroup, "memory", version1 ? "memory.limit_in_bytes" : "memory.max")
            #expect(limit == "67108864")
            #expect(kernelFile(cgroup, "pids", "pids.max") == "50")
            #expect(try cgroup.statistics().memory?.limit == 64 << 20)
            #expect(try cgroup.statistics().pids?.limit == 50)
            try cgroup.kill()
            #expect(try child.process.wait() == 137)
            #expect(try cgroup.processes().isEmpty)
            try cgroup.delete()
            #expect(!cgroup.exists)
            try cgroup.delete()
        }
    }

    @Test(arguments: roots) func memoryLimitKills(_ root: CgroupRoot) throws {
        var limits = CgroupLimits()
        limits.memory = .init(limit: 32 << 20, swap: 32 << 20)
        try withCgroup(root, limits) { cgroup in
            let child = try Child("exec python3 -c 'bytearray(256 << 20)'", in: cgroup)
            #expect(try child.process.wait() == 137)
            #expect(try cgroup.outOfMemoryKills() == 1)
            #expect(try cgroup.statistics().memory?.outOfMemoryKills == 1)
        }
    }

    @Test(arguments: roots) func pidsLimitStopsForkBomb(_ root: CgroupRoot) throws {
        var limits = CgroupLimits()
        limits.pids = 40
        try withCgroup(root, limits) { cgroup in
            let child = try Child(bomb, in: cgroup)
            var refusals = ""
            for _ in 0..<400 {
                refusals = kernelFile(cgroup, "pids", "pids.events") ?? ""
                if !refusals.hasPrefix("max 0") { break }
                usleep(10_000)
            }
            #expect(!refusals.hasPrefix("max 0"))
            #expect((try cgroup.statistics().pids?.current ?? .max) <= 40)
            try cgroup.kill()
            #expect(try cgroup.isEmpty())
            // The first shell ends by itself when it may not fork.
            _ = try child.process.wait()
        }
    }

    /// Every process forks as fast as it can: killing them one after another would lose.
    @Test(arguments: roots) func killWinsAgainstForkBomb(_ root: CgroupRoot) throws {
        var limits = CgroupLimits()
        limits.pids = 100
        try withCgroup(root, limits) { cgroup in
            let child = try Child(bomb, in: cgroup)
            var most: UInt64 = 0
            for _ in 0..<2000 where most < 50 {
                most = max(most, try cgroup.statistics().pids?.current ?? 0)
                usleep(5000)
            }
            #expect(most >= 50)
            try cgroup.kill()
            #expect(try cgroup.isEmpty())
            try cgroup.delete()
            _ = try child.process.wait()
        }
    }

    @Test(arguments: roots) func quotaThrottles(_ root: CgroupRoot) throws {
        var limits = CgroupLimits()
        limits.cpu = try .init(processors: 0.1)
        try withCgroup(root, limits) { cgroup in
            let child = try Child("ulimit -t 60; while :; do :; done", in: cgroup)
            for _ in 0..<300 where (try cgroup.statistics().cpu?.throttledPeriods ?? 0) < 5 { usleep(20_000) }
            let table = kernelFile(cgroup, "cpu", "cpu.stat") ?? ""
            #expect(table.contains("nr_throttled"))
            #expect(!table.contains("nr_throttled 0"))
            let cpu = try #require(try cgroup.statistics().cpu)
            #expect(cpu.throttledPeriods >= 5 && cpu.throttledTime > 0)
            #expect(cpu.usage > 0 && cpu.usage < cpu.periods * 40_000)
            _ = child.identifier
        }
    }

    @Test(arguments: roots) func cpusetHolds(_ root: CgroupRoot) throws {
        var limits = CgroupLimits()
        limits.cpu.cpus = "0"
        try withCgroup(root, limits) { cgroup in
            let child = try Child("exec grep -q 'Cpus_allowed_list:.0$' /proc/self/status", in: cgroup)
            #expect(try child.process.wait() == 0)
        }
    }

    @Test(arguments: roots) func freezeStopsAndThawGoesOn(_ root: CgroupRoot) throws {
        try withCgroup(root, tracking: [.cpu]) { cgroup in
            let child = try Child("ulimit -t 60; while :; do :; done", in: cgroup)
            let time = { try String(contentsOfFile: "/proc/\(child.identifier)/stat", encoding: .utf8) }
            try cgroup.freeze()
            #expect(try cgroup.isFrozen())
            let before = try time()
            usleep(100_000)
            #expect(try time() == before)
            try cgroup.thaw()
            #expect(try !cgroup.isFrozen())
            for _ in 0..<200 where try time() == before { usleep(10_000) }
            #expect(try time() != before)
            try cgroup.freeze()
            try cgroup.kill()
            #expect(try child.process.wait() == 137)
        }
    }

    @Test(arguments: roots) func deletesWhatIsInside(_ root: CgroupRoot) throws {
        try withCgroup(root, tracking: [.memory]) { cgroup in
            let inner = try Cgroup.create(
                try CgroupPath("\(cgroup.path)/a/b"), tracking: root.mode == .unified ? [] : [.memory], root: root)
            let child = try Child("exec sleep 60", in: inner)
            #expect(try cgroup.processes() == [child.identifier])
            let error = #expect(throws: CgroupError.self) { try cgroup.delete(waiting: 20) }
            #expect(error?.errno == .resourceBusy)
            #expect("\(try #require(error))".contains("\(child.identifier)"))
            try cgroup.kill()
            try cgroup.delete()
            #expect(!inner.exists)
        }
    }

    /// A container that may write its cgroup can make more of them in each other than a path is long, and hide there.
    @Test(arguments: roots) func deletesWhatNoPathReaches(_ root: CgroupRoot) throws {
        try withCgroup(root, tracking: [.pids]) { cgroup in
            let child = try Child("exec sleep 60", in: cgroup)
            let pids = root.hierarchies.first { $0.controllers.contains("pids") }?.mountPoint
            let mount = try #require(pids ?? root.unified)
            let name = String(repeating: "n", count: 100)
            var inside = try Descriptor.openDirectory("\(mount)/\(cgroup.path)")
            for _ in 0..<300 {
                try inside.makeDirectory(name)
                inside = try Descriptor.open(name, O_PATH | O_DIRECTORY, relativeTo: inside.rawValue)
            }
            try Descriptor.open("cgroup.procs", O_WRONLY, relativeTo: inside.rawValue).write(
                text: "\(child.identifier)")
            #expect(try cgroup.processes() == [child.identifier])
            let error = #expect(throws: CgroupError.self) { try cgroup.delete(waiting: 20) }
            #expect(error?.errno == .resourceBusy)
            try cgroup.kill()
            try cgroup.delete()
            #expect(!cgroup.exists)
        }
    }

    @Test(arguments: roots) func updateReachesNewControllers(_ root: CgroupRoot) throws {
        var limits = CgroupLimits()
        limits.memory = .init(limit: 32 << 20, swap: 32 << 20)
        try withCgroup(root, limits) { cgroup in
            let child = try Child("exec sleep 60", in: cgroup)
            // Larger than the present limit on memory and swap: the order of writing matters on v1.
            limits.memory = .init(limit: 64 << 20, swap: 128 << 20)
            limits.pids = 7
            try cgroup.update(limits)
            #expect(kernelFile(cgroup, "pids", "pids.max") == "7")
            #expect(kernelFile(cgroup, "pids", "pids.current") == "1")
            #expect(try cgroup.statistics().memory?.limit == 64 << 20)
            _ = child.identifier
        }
    }

    @Test(arguments: roots) func refusalsAreNamedAndLeaveNothing(_ root: CgroupRoot) throws {
        let path = try CgroupPath("swboxtest-\(UUID().uuidString)")
        func refused(_ limits: CgroupLimits) throws -> CgroupError {
            let error = #expect(throws: CgroupError.self) { try Cgroup.create(path, limits: limits, root: root) }
            #expect(!Cgroup(path, root: root).exists)
            return try #require(error)
        }
        var limits = CgroupLimits()
        limits.pids = 10
        limits.cpu.cpus = "4000"
        let version2 = root.mode == .unified
        // v2 takes any processor and uses those that are there.
        if !version2 {
            let error = try refused(limits)
            #expect(error.controller == .cpuset && error.value == "4000")
            #expect("\(error)".hasPrefix("cgroup \(path): set cpuset.cpus to '4000' (cpuset controller): "))
        }
        limits.cpu = .init(quota: 1, period: 100_000)
        var error = try refused(limits)
        #expect(error.controller == .cpu && error.errno == .invalidArgument)
        #expect(error.value == (version2 ? "1 100000" : "1"))
        limits.cpu = .init()
        limits.blockIO.readBytes = [.init(.init(major: 4000, minor: 1), 1000)]
        error = try refused(limits)
        #expect(error.controller == .io && error.errno == .operationNotSupportedByDevice)
    }

    @Test(arguments: roots) func manyAtOnce(_ root: CgroupRoot) throws {
        var limits = CgroupLimits()
        limits.pids = 10
        limits.memory.limit = 16 << 20
        let same = limits
        try withCgroup(root) { parent in
            let paths = try (0..<16).map { try CgroupPath("\(parent.path)-\($0)/x") }
            let failures = Mutex<[String]>([])
            DispatchQueue.concurrentPerform(iterations: paths.count) { index in
                do {
                    for _ in 0..<10 {
                        let cgroup = try Cgroup.create(paths[index], limits: same, root: root)
                        _ = try Child.run("exit 0", in: cgroup)
                        try cgroup.delete()
                    }
                    try Cgroup(CgroupPath(paths[index].components.dropLast().joined(separator: "/")), root: root)
                        .delete()
                } catch {
                    failures.withLock { $0.append("\(error)") }
                }
            }
            #expect(failures.withLock { $0 } == [])
        }
    }
}

@Suite(.enabled(if: !roots.isEmpty, "needs root and a cgroup file system"))
struct DeviceTests {
    /// With a BPF program, as where there is v2 alone, whatever else the machine has.
    @Test(.enabled(if: (try? CgroupRoot.find())?.unified != nil, "needs a cgroup v2 hierarchy"))
    func programLetsOnlyTheDefaultDevicesOpen() throws {
        let found = try CgroupRoot.find()
        let root = CgroupRoot(
            hierarchies: found.hierarchies.filter { !$0.controllers.contains("devices") }, unified: found.unified)
        var limits = CgroupLimits()
        limits.devices = DeviceRule.containerDefault
        try withCgroup(root, limits) { cgroup in
            let answers = try ["echo x > /dev/null", "head -c 1 /dev/urandom > /dev/null", "head -c 1 /dev/kmsg"]
                .map { try Child.run("\($0) 2> /dev/null", in: cgroup) }
            #expect(answers == [0, 0, 1])
            // Making a node is allowed, using it is not: the kernel's messages, 1:11, in a directory of the test's.
            let node = NSTemporaryDirectory() + "swboxtest-\(UUID().uuidString)"
            defer { unlink(node) }
            let made = try Child.run("mknod \(node) c 1 11 && ! head -c 1 \(node) 2> /dev/null", in: cgroup)
            #expect(made == 0)
            let error = #expect(throws: CgroupError.self) { try cgroup.update(limits) }
            #expect(error?.errno == .notSupported)
        }
        // The last rule that matches decides; a refusal of one access is a refusal of both.
        limits.devices = [
            DeviceRule(allow: true, kind: .all),
            DeviceRule(allow: false, kind: .character, major: 1, minor: 5, access: .write),
        ]
        try withCgroup(root, limits) { cgroup in
            let answers = try [
                "head -c 1 < /dev/zero", "echo x > /dev/zero", "echo x 1<> /dev/zero", "echo x > /dev/full",
            ]
            .map { try Child.run("(\($0)) > /dev/null 2>&1", in: cgroup) }
            #expect(answers[0] == 0 && answers[1] != 0 && answers[2] != 0)
        }
    }

    @Test(.enabled(if: (try? CgroupRoot.find())?.mode != .unified, "needs the devices controller of cgroup v1"))
    func onlyTheDefaultDevicesOpen() throws {
        let root = try CgroupRoot.find()
        var limits = CgroupLimits()
        limits.devices = DeviceRule.containerDefault
        try withCgroup(root, limits) { cgroup in
            #expect(kernelFile(cgroup, "devices", "devices.list")?.contains("c 1:3 rwm") == true)
            let null = try Child.run("echo x > /dev/null", in: cgroup)
            #expect(null == 0)
            let messages = try Child.run("head -c 1 /dev/kmsg 2>/dev/null", in: cgroup)
            #expect(messages == 1)
        }
    }

    @Test func controllerWithoutHierarchyIsNamed() throws {
        let root = try CgroupRoot.find()
        var limits = CgroupLimits()
        limits.hugePages = ["2MB": 0]
        limits.pids = 3
        let path = try CgroupPath("swboxtest-\(UUID().uuidString)")
        let version1 = CgroupRoot(hierarchies: root.hierarchies.filter { $0.controllers != ["hugetlb"] }, unified: nil)
        let error = #expect(throws: CgroupError.self) { try Cgroup.create(path, limits: limits, root: version1) }
        #expect(error?.controller == .hugetlb && error?.errno == .operationNotSupportedByDevice)
        #expect(!Cgroup(path, root: root).exists)
    }
}
