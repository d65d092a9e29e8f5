import CLinux
import Cgroups
import LinuxSystem
import RuntimeSpec
import SystemPackage

extension OCIRuntime {
    /// Removes a container and whatever a command that was killed left of it.
    ///
    /// - Parameter force: A container that runs is killed first; one that does not exist is fine.
    /// - Throws: `ContainerError` for one that runs, or does not exist.
    public func delete(_ identifier: String, force: Bool) throws {
        do {
            try delete(try store.open(identifier), force: force)
        } catch let error as ContainerError where force && error.kind == .notFound {
            return
        } catch let error as SystemError where force && error.errno == .notDirectory {
            try store.removeStray(identifier)
        }
    }

    /// Removes a container whose process this one has seen end. It is fine when another command has done so.
    func delete(_ container: borrowing StoredContainer, ended record: StateRecord, in cgroup: Cgroup?) throws {
        try container.lock()
        guard try container.directory.status().st_nlink > 0 else { return }
        if let cgroup { try Self.remove(cgroup) }
        try forget(container, record, waits: record.hasHooks || record.unit != nil)
    }

    private func delete(_ container: borrowing StoredContainer, force: Bool) throws {
        try container.lock()
        // Another command may have deleted it while this one waited.
        guard try container.directory.status().st_nlink > 0 else { throw ContainerError.notFound }
        let record: StateRecord
        do {
            record = try container.record()
        } catch let error as ContainerError where error.kind == .notFound || force {
            // Made by a command that was killed before it wrote anything, or damaged: what there is besides is in the
            // cgroup that the document asks for.
            if let spec = try? container.spec(), let place = try? CgroupPlace(spec, container.identifier, usesSystemd),
                let root = try? CgroupRoot.find()
            {
                try Self.remove(Cgroup(place.path, root: root))
            }
            return try container.remove()
        }
        let cgroup = try record.cgroup
        let status = try container.status(of: record, in: cgroup)
        guard force || status == .stopped || status == .created || status == .creating else {
            throw ContainerError(
                .wrongState, "cannot delete container \(record.id) that is not stopped: \(status.rawValue)")
        }
        if status != .stopped, record.pid > 0 { try end(container, record, cgroup) }
        if let cgroup {
            // Without a process it is not certain that the cgroup is the container's: whoever wrote this was killed, and
            // may not have got to the point where an occupied one is refused.
            if record.pid > 0 {
                try Self.remove(cgroup)
            } else if record.clearUnit() {
                try cgroup.delete()
            }
        }
        try forget(container, record)
    }

    private func forget(_ container: borrowing StoredContainer, _ record: StateRecord, waits: Bool = true) throws {
        debug?("\(record.id) is removed")
        if let groups = record.resctrlGroups { try ResctrlGroup.remove(groups) }
        // Its processes are gone, so that systemd does not wait for their end.
        if record.pid > 0 { try record.stopUnit() }
        let spec = record.hasHooks ? try? container.spec() : nil
        try container.remove(waits: waits)
        if let spec { runPoststop(spec, State(record, .stopped)) }
    }

    /// Kills the first process and waits for its end; whose child it is does not matter.
    private func end(_ container: borrowing StoredContainer, _ record: StateRecord, _ cgroup: Cgroup?) throws {
        guard let process = try? container.process(of: record) else { return }
        try? process.send(signal: SIGKILL)
        // A frozen process of cgroup v1 dies when it thaws.
        if let cgroup, (try? cgroup.isFrozen()) == true { try? cgroup.thaw() }
        // Somebody may have put it into another one.
        try? CgroupRoot.find().release(frozen: record.pid)
        var event = pollfd(fd: process.pidfd.rawValue, events: Int16(POLLIN), revents: 0)
        guard retryingOnInterrupt({ unsafe poll(&event, 1, 10_000) }) == 1 else {
            throw ContainerError(
                .failed, "container \(record.id): process \(record.pid) does not end (SIGKILL was sent)")
        }
    }

    /// Removes a cgroup with everybody in it. Processes are left where a container has no pid namespace of its own.
    static func remove(_ cgroup: Cgroup) throws {
        do throws(CgroupError) {
            try cgroup.delete(waiting: 0)
        } catch {
            guard error.errno == .resourceBusy || error.errno == .directoryNotEmpty else { throw error }
            try cgroup.kill()
            try cgroup.delete()
        }
    }
}
