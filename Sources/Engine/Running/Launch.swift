import Cgroups
import CLinux
import ContainerRuntime
import LinuxSystem
import NetworkModel
import RuntimeSpec
import SystemPackage

extension Engine {
    /// Starts a prepared container: the child makes its root while this process makes its network.
    ///
    /// - Throws: What failed; the caller then has to abandon the container.
    func launch(
        _ container: borrowing PreparedContainer, streams: StandardStreams, consoleSize: Spec.ConsoleSize? = nil
    ) throws -> StartedContainer {
        let record = container.record
        let directory = containers.directory(of: record.id)
        var description = ContainerSpec(
            record: record, identity: container.identity, directory: directory, hostFiles: container.hostFiles,
            network: container.network)
        description.consoleSize = consoleSize
        description.openFiles = min(description.openFiles, Self.openFileLimit())
        let spec = try description.spec()

        let cgroup = try Cgroup.create(
            try CgroupPath(ContainerSpec.cgroupPath(of: record.id)), limits: record.cgroupLimits,
            root: try CgroupRoot.find())
        let entrance = try cgroup.entrance()
        let plan = try InitPlan(
            spec: spec,
            options: LaunchOptions(
                bundle: directory,
                root: .overlay(
                    .init(lower: record.layers.reversed(), upper: "\(directory)/upper", work: "\(directory)/work")),
                streams: streams,
                cgroup: CgroupJoin(descriptors: entrance.taskFiles, directory: entrance.directory),
                seccomp: try seccompFilter(record),
                bringsLoopbackUp: !container.mode.isConnected))
        return try start(plan, container)
    }

    private func start(_ plan: InitPlan, _ container: borrowing PreparedContainer) throws -> StartedContainer {
        do {
            var created = try Launcher.create(plan)
            // Written down before the child can do anything that lasts: it holds the lock too until it executes its
            // program, so whoever finds the lock free finds the child here, or finds that there is none.
            var status = ContainerStatus(.creating)
            status.process = created.processIdentifier
            status.startTime = ProcessHandle.startTime(of: created.processIdentifier)
            try container.lock.write(status)
            do {
                try connect(container, process: created.processIdentifier)
            } catch {
                // A child that could not make its root has taken its network namespace with it: its reason is the one.
                try created.waitUntilReady()
                throw error
            }
            let started = try created.start()
            status.phase = .running
            status.started = Engine.now()
            try container.lock.write(status)
            return started
        } catch let error as LaunchError {
            throw EngineError(error)
        }
    }

    private static func openFileLimit() -> UInt64 {
        var limit = rlimit()
        guard getrlimit(RLIMIT_NOFILE, &limit) == 0 else { return 1024 }
        return UInt64(limit.rlim_max)
    }
}

extension NetworkMode {
    /// Whether the container has endpoints of its own.
    var isConnected: Bool { if case .networks = self { true } else { false } }
}

extension ContainerRecord {
    /// The limits of its cgroup. Device rules are always set, because a container may make device nodes.
    var cgroupLimits: CgroupLimits {
        var result = CgroupLimits()
        result.memory.limit = limits.memory
        // Swap beyond the memory would make the limit soft; docker allows as much swap again, so that is what we do.
        result.memory.swap = limits.memory.map { $0 * 2 }
        result.cpu.shares = limits.cpuShares.map { UInt64($0) }
        result.cpu.quota = limits.cpuQuota
        result.cpu.period = limits.cpuPeriod.map { UInt64($0) }
        result.cpu.cpus = limits.cpus
        // 0 is docker's word for no limit, and the runtime's for none at all.
        result.pids = limits.pids == 0 ? -1 : limits.pids
        result.devices = isPrivileged ? DeviceRule.everything : DeviceRule.containerDefault
        return result
    }
}
