import Cgroups
import CLinux
import LinuxSystem
import NetworkModel
import SystemPackage

extension Engine {
    /// Ends the supervision of a container whose process has been reaped: nothing of it stays in the kernel, and its
    /// record says how it ended, or is gone.
    ///
    /// - Parameter namespace: A descriptor of its network namespace, if that was kept open.
    func finish(
        _ lock: consuming SupervisorLock, exitCode: Int32, error: String? = nil, namespace: Int32? = nil
    ) throws {
        var status = lock.lastStatus()
        // Killed between its last two steps, a supervisor has left nothing but the lock.
        if status.phase == .running, containers.hasEnded(lock.id) { return try containers.release(lock) }
        let record = try containers.container(id: lock.id)?.record
        let cgroup = Cgroup(try CgroupPath(ContainerSpec.cgroupPath(of: lock.id)), root: try CgroupRoot.find())
        if let record { clean(record, cgroup, status, namespace: namespace) }
        guard record != nil, !lock.removesItself, status.phase == .running else {
            removeAnonymousVolumes(record?.mounts ?? [])
            try containers.remove(lock)
            return
        }
        status.phase = .exited
        status.process = nil
        status.startTime = nil
        status.finished = Engine.now()
        status.exitCode = exitCode
        status.error = error
        try containers.finish(lock, status)
    }

    /// Removes what the kernel and the network still hold of a container. Every step is tried; what fails stays for
    /// the network's own collector and for the next command.
    ///
    /// - Parameters:
    ///   - status: How far it got, which says what in the network is its own.
    ///   - namespace: A descriptor of its network namespace, if that was kept open.
    func clean(_ record: ContainerRecord, _ cgroup: Cgroup, _ status: ContainerStatus, namespace: Int32?) {
        if record.isConnected { disconnect(record, status, namespace: namespace) }
        if (try? cgroup.delete(waiting: 0)) == nil {
            try? cgroup.kill()
            try? cgroup.delete()
        }
    }

    /// Cleans up after supervisors that died: part of every command, so that nobody has to know about it.
    public func recover() throws {
        try containers.recover { lock in
            let status = lock.lastStatus()
            if let process = status.process, let start = status.startTime { Self.end(process, startTime: start) }
            try finish(
                lock, exitCode: 128 + SIGKILL, error: "its supervisor was killed, and it ended with its supervisor")
        }
    }

    /// Kills a process, if it is still the one that started then, and waits for its end.
    private static func end(_ process: Int32, startTime: UInt64) {
        guard let handle = try? ProcessHandle(processIdentifier: process),
            ProcessHandle.startTime(of: process) == startTime
        else { return }
        try? handle.send(signal: SIGKILL)
        var ended = pollfd(fd: handle.pidfd.rawValue, events: Int16(POLLIN), revents: 0)
        // A process that has been killed ends, but on a starved machine not soon.
        _ = retryingOnInterrupt { poll(&ended, 1, 60_000) }
    }
}

extension ContainerRecord {
    var mode: NetworkMode? { try? NetworkMode(parsing: network) }

    /// Whether it has endpoints of its own: several networks are written with commas, which no mode has.
    var isConnected: Bool { network.contains(",") || mode?.isConnected ?? false }
}
