import CLinux
import LinuxSystem
import SystemPackage

/// Finding, stopping and killing what runs in a cgroup.
extension Cgroup {
    /// The processes in the cgroup and in those below it, as the caller's pid namespace numbers them.
    ///
    /// Equivalent to `cat cgroup.procs`, for each of them.
    public func processes() throws(CgroupError) -> Set<Int32> {
        guard let directory = lookupDirectory else { return [] }
        return try directory.processes()
    }

    /// Whether no process is in the cgroup or below it; true too when it does not exist.
    public func isEmpty() throws(CgroupError) -> Bool {
        if let directory = unifiedDirectory {
            guard let populated = try directory.readTable("cgroup.events")["populated"] else { return true }
            return populated == 0
        }
        return try processes().isEmpty
    }

    /// Kills every process in the cgroup and below it, and waits until none is left. It wins against processes that
    /// fork while it works.
    ///
    /// - Parameter milliseconds: How long to wait; processes in an uninterruptible sleep may take for ever.
    /// - Throws: `CgroupError` with ETIMEDOUT and the processes that are left.
    ///   Equivalent to `echo 1 > cgroup.kill` (Linux 5.14), or freezing, `kill -9` of each and thawing.
    public func kill(waiting milliseconds: Int = 10_000) throws(CgroupError) {
        let pause = Pause(milliseconds: milliseconds)
        if let directory = unifiedDirectory, directory.exists {
            do throws(CgroupError) {
                try directory.write("1", to: "cgroup.kill")
                return try waitUntilEmpty(milliseconds: pause.remaining)
            } catch {
                guard error.errno == .noSuchFileOrDirectory else { throw error }
                if !directory.exists { return }
            }
        }
        try killFrozen(pause)
    }

    /// Waits until the last process has left. The kernel announces it on v2 (a poll of `cgroup.events`).
    ///
    /// - Throws: `CgroupError` with ETIMEDOUT and the processes that are left.
    public func waitUntilEmpty(milliseconds: Int) throws(CgroupError) {
        var pause = Pause(milliseconds: milliseconds)
        if try reached("populated", 0, pause) { return }
        while try !isEmpty() {
            if !pause.wait() { throw try timeout("empty") }
        }
    }

    /// Stops every process in the cgroup and below it, and waits until all have stopped.
    ///
    /// - Throws: `CgroupError`; ETIMEDOUT when one does not stop in time, after thawing the others again, and ENODEV
    ///   on v1 when the cgroup was made without the freezer.
    ///   Equivalent to `echo 1 > cgroup.freeze`, or `echo FROZEN > freezer.state` on v1.
    public func freeze(waiting milliseconds: Int = 10_000) throws(CgroupError) {
        try setFrozen(true)
        var pause = Pause(milliseconds: milliseconds)
        if unifiedDirectory?.exists == true {
            if try reached("frozen", 1, pause) { return }
        } else if let directory = directory(of: .freezer) {
            // v1 may be interrupted half-way by a fork; asking again lets it go on.
            repeat {
                if try directory.read("freezer.state")?.hasPrefix("FROZEN") == true { return }
                try directory.write("FROZEN", to: "freezer.state", controller: .freezer)
            } while pause.wait()
        }
        try? setFrozen(false)
        throw try timeout("freeze")
    }

    /// Lets the processes run again. Equivalent to `echo 0 > cgroup.freeze`, or `echo THAWED > freezer.state` on v1.
    public func thaw() throws(CgroupError) { try setFrozen(false) }

    /// Whether the processes have been stopped.
    public func isFrozen() throws(CgroupError) -> Bool {
        if let directory = unifiedDirectory, directory.exists {
            return try directory.readTable("cgroup.events")["frozen"] == 1
        }
        return try directory(of: .freezer)?.read("freezer.state")?.hasPrefix("FROZEN") == true
    }
}

extension CgroupRoot {
    /// Moves a process out of a frozen cgroup of v1, whichever it is in: signals reach it only then. What else is frozen
    /// there stays so. Nothing happens to a process that is not frozen, and on v2, where a kill needs no thaw.
    ///
    /// Equivalent to `echo PID > freezer/cgroup.procs`.
    public func release(frozen process: Int32) throws(CgroupError) {
        guard let freezer = hierarchy(of: .freezer) else { return }
        guard let place = try Self.place(of: process, in: .freezer), let path = try? CgroupPath(place) else { return }
        let directory = CgroupDirectory(mountPoint: freezer.mountPoint, path: path)
        // What is mounted may show only a part, which the process is not in: nobody knows then.
        if try directory.read("freezer.state")?.hasPrefix("THAWED") == true { return }
        try CgroupDirectory(path: freezer.mountPoint).write("\(process)", to: "cgroup.procs")
    }

    /// Where a process is in the hierarchy of v1 that has a controller, with a leading slash. The corresponding file is
    /// /proc/PID/cgroup, lines of HIERARCHY:CONTROLLERS:PATH (cgroups(7)).
    static func place(of process: Int32, in controller: CgroupController) throws(CgroupError) -> String? {
        let groups: [UInt8]
        do throws(SystemError) {
            groups = try Descriptor.open("/proc/\(process)/cgroup").readAll(limit: 1 << 16)
        } catch {
            throw CgroupError("find cgroups of", "\(process)", error)
        }
        for line in String(decoding: groups, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            for name in fields[1].split(separator: ",") where name == controller.version1Name {
                return String(fields[2])
            }
        }
        return nil
    }
}

extension Cgroup {
    /// The directory in which every process of the cgroup can be found.
    private var lookupDirectory: CgroupDirectory? {
        if let unifiedDirectory, unifiedDirectory.exists { return unifiedDirectory }
        return version1Directories.first { $0.exists }
    }

    private func setFrozen(_ frozen: Bool) throws(CgroupError) {
        if let directory = unifiedDirectory, directory.exists {
            try directory.write(frozen ? "1" : "0", to: "cgroup.freeze", controller: .freezer)
        } else if let directory = directory(of: .freezer), directory.exists {
            try directory.write(frozen ? "FROZEN" : "THAWED", to: "freezer.state", controller: .freezer)
        } else {
            throw CgroupError("freeze", path.description, controller: .freezer, errno: .operationNotSupportedByDevice)
        }
    }

    /// Waits for a value in `cgroup.events`; false where there is no such file or the time is over.
    private func reached(_ key: Substring, _ value: UInt64, _ pause: Pause) throws(CgroupError) -> Bool {
        guard let directory = unifiedDirectory,
            let file = try? Descriptor.open("\(directory.path)/cgroup.events")
        else { return false }
        // The file is opened before it is read: a change after the reading then wakes the poll.
        while true {
            if try directory.readTable("cgroup.events")[key] == value { return true }
            var poll = pollfd(fd: file.rawValue, events: Int16(POLLPRI), revents: 0)
            let remaining = pause.remaining
            if remaining == 0 { return false }
            // No single wait is long: a file that was changed between two readings does not tell twice.
            _ = CLinux.poll(&poll, 1, Int32(min(remaining, 50)))
        }
    }

    /// Kills without `cgroup.kill`: what is frozen does not fork, so that one pass over the processes gets them all.
    private func killFrozen(_ pause: Pause) throws(CgroupError) {
        var pause = pause
        repeat {
            // A process that cannot be frozen (or no freezer at all) leaves repeated passes.
            let canFreeze = (try? setFrozen(true)) != nil
            var patience = Pause(milliseconds: min(pause.remaining, 1000))
            while canFreeze, (try? isFrozen()) == false, patience.wait() {}
            for process in try processes() { _ = CLinux.kill(process, SIGKILL) }
            // v1 delivers signals to frozen processes only when they thaw.
            try? thaw()
            if try isEmpty() { return }
        } while pause.wait()
        throw try timeout("kill")
    }

    private func timeout(_ operation: String) throws(CgroupError) -> CgroupError {
        let left = try processes().sorted()
        let list = left.prefix(5).map { "\($0)" }.joined(separator: ", ")
        return CgroupError(
            operation, path.description, errno: .timedOut, hint: "\(left.count) processes are in it: \(list)")
    }
}
