import CLinux
import LinuxSystem
import SystemPackage

/// A cgroup: one path, in the hierarchies in which it was made.
///
/// It is a name, not an owner: another process finds the same cgroup by making the same value, and asks the kernel
/// what is there. Nothing is kept beside it.
public struct Cgroup: Hashable, Sendable {
    public let path: CgroupPath
    public let root: CgroupRoot

    /// Names a cgroup, whether or not it exists.
    public init(_ path: CgroupPath, root: CgroupRoot) {
        self.path = path
        self.root = root
    }

    /// Makes a cgroup and sets its limits. Parents are made where they are missing, and stay.
    ///
    /// Only those hierarchies are touched that the limits need, plus one in which processes can be found: the v2
    /// hierarchy, or v1's freezer where there is none. An empty cgroup that is there already is adopted.
    ///
    /// - Parameter tracking: Controllers that should account for the cgroup although nothing is limited.
    /// - Parameter everywhere: Whether it is made in every hierarchy, so that a process in it is in no other cgroup: what
    ///   is shown of a hierarchy to a container without a cgroup namespace is the directory that it is in.
    /// - Parameter isInhabited: Whether somebody has made it for this caller, with a process in it.
    /// - Throws: `CgroupError`, naming the controller, the file and the value that were refused; EBUSY for an existing
    ///   cgroup with processes in it. What was made is removed again.
    ///   Equivalent to `mkdir` in each hierarchy, and `echo VALUE > FILE`.
    public static func create(
        _ path: CgroupPath, limits: CgroupLimits = CgroupLimits(), tracking: Set<CgroupController> = [],
        everywhere: Bool = false, isInhabited: Bool = false, root: CgroupRoot
    ) throws(CgroupError) -> Cgroup {
        let cgroup = Cgroup(path, root: root)
        var plan = try CgroupPlan(limits, tracking: tracking, root: root)
        if everywhere { plan.hierarchies += root.hierarchies.filter { !plan.hierarchies.contains($0) } }
        var made: [CgroupDirectory] = []
        do throws(CgroupError) {
            try cgroup.carryOut(plan, made: &made, adopting: !isInhabited)
            return cgroup
        } catch {
            for directory in made.reversed() { try? directory.delete(waiting: 100) }
            throw error.path(path)
        }
    }

    /// Changes the limits of a cgroup that exists.
    ///
    /// Where a v1 controller is needed in which the cgroup was not made, it is made there and the processes are moved
    /// into it, which takes milliseconds.
    ///
    /// - Throws: `CgroupError` as `create`. What was set before the one that was refused is taken back.
    public func update(_ limits: CgroupLimits) throws(CgroupError) {
        var made: [CgroupDirectory] = []
        var before: PresentLimits?
        do throws(CgroupError) {
            let plan = try CgroupPlan(try completed(limits), tracking: [], root: root)
            // A second program would not lift what the first one refuses.
            if plan.deviceProgram != nil {
                throw CgroupError(
                    "change device rules", "", controller: .devices, errno: .notSupported,
                    hint: "on cgroup v2 they stay as they were when the cgroup was made")
            }
            try checkUsage(limits.memory)
            before = presentValues(plan)
            try carryOut(plan, made: &made, adopting: false)
            for directory in made where directory.path != unifiedDirectory?.path {
                try moveProcesses(into: directory)
            }
        } catch {
            before?.putBack()
            throw withUsage(error).path(path)
        }
    }

    /// The kernel of v1 does not say why it refuses a limit of memory.
    private func withUsage(_ error: CgroupError) -> CgroupError {
        if error.errno == .invalidArgument, error.hint == nil, error.file == "memory.limit_in_bytes",
            let limit = error.value.flatMap({ Int64($0) }),
            let both = try? directory(of: .memory)?.readNumber("memory.memsw.limit_in_bytes"),
            limit < 0 || both < UInt64(limit)
        {
            var error = error
            error.hint = "memory and swap together (--memory-swap) are limited to \(both)"
            return error
        }
        guard error.errno == .resourceBusy, error.hint == nil, error.file == "memory.limit_in_bytes",
            let used = try? directory(of: .memory)?.readNumber("memory.usage_in_bytes")
        else { return error }
        var error = error
        error.hint = "\(used) bytes are in use"
        return error
    }

    /// The kernel of v1 refuses a limit below what is used, that of v2 kills until it is met.
    private func checkUsage(_ memory: CgroupLimits.Memory) throws(CgroupError) {
        guard memory.checksUsage, let directory = directory(of: .memory),
            let used = try directory.readNumber("memory.current")
        else { return }
        if let swap = memory.swap, swap > 0 {
            let all = used + (try directory.readNumber("memory.swap.current") ?? 0)
            if all > UInt64(swap) {
                throw CgroupSetting(.memory, "memory.swap.max", swap)
                    .refused("rejecting memory+swap limit: \(all) bytes are in use", errno: .resourceBusy)
            }
        }
        if let limit = memory.limit, limit > 0, used > UInt64(limit) {
            throw CgroupSetting(.memory, "memory.max", limit)
                .refused("rejecting memory limit: \(used) bytes are in use", errno: .resourceBusy)
        }
    }

    /// Moves a process, with all of its threads, into the cgroup. A child had better use `entrance()`: this waits
    /// for an RCU grace period. Equivalent to `echo PID > cgroup.procs` in each hierarchy.
    public func add(process: Int32) throws(CgroupError) {
        for directory in directories where directory.exists { try directory.write("\(process)", to: "cgroup.procs") }
    }

    /// Opens what a child needs to enter the cgroup.
    ///
    /// - Throws: `CgroupError`; ENOENT when the cgroup is in no hierarchy.
    public func entrance() throws(CgroupError) -> CgroupEntrance { try entrance(inside: []) }

    /// Whether the cgroup is in any hierarchy.
    public var exists: Bool { directories.contains { $0.exists } }

    /// Removes the cgroup, and any inside it, from every hierarchy; a missing one is fine.
    ///
    /// - Parameter milliseconds: How long to wait for processes that have ended to leave, in all.
    /// - Throws: `CgroupError`, after every hierarchy was tried: EBUSY with the processes that are still inside.
    ///   Equivalent to `rmdir` in each hierarchy.
    public func delete(waiting milliseconds: Int = 1000) throws(CgroupError) {
        let pause = Pause(milliseconds: milliseconds)
        var failure: CgroupError?
        for directory in directories {
            do throws(CgroupError) {
                try directory.delete(waiting: pause.remaining)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }
}

extension Cgroup {
    /// The cgroup in the v2 hierarchy.
    var unifiedDirectory: CgroupDirectory? {
        root.unified.map { CgroupDirectory(mountPoint: $0, path: path) }
    }

    var version1Directories: [CgroupDirectory] {
        root.hierarchies.map { CgroupDirectory(mountPoint: $0.mountPoint, path: path) }
    }

    var directories: [CgroupDirectory] { version1Directories + (unifiedDirectory.map { [$0] } ?? []) }

    /// The directory of a controller, whichever version has it; it need not exist.
    func directory(of controller: CgroupController) -> CgroupDirectory? {
        root.hierarchy(of: controller).map { CgroupDirectory(mountPoint: $0.mountPoint, path: path) }
            ?? unifiedDirectory
    }

    private func carryOut(
        _ plan: CgroupPlan, made: inout [CgroupDirectory], adopting: Bool = true
    ) throws(CgroupError) {
        for hierarchy in plan.hierarchies {
            let directory = CgroupDirectory(mountPoint: hierarchy.mountPoint, path: path)
            let hasCpuset = hierarchy.controllers.contains("cpuset")
            try make(directory, in: hierarchy.mountPoint, made: &made, adopting: adopting, hasCpuset: hasCpuset)
            if hasCpuset {
                try fillCpuset(directory, in: hierarchy.mountPoint, isNew: made.last == directory)
            }
            try directory.write(
                plan.version1Settings.filter {
                    $0.controller.map { hierarchy.controllers.contains($0.version1Name) } ?? false
                })
            if hierarchy.controllers.contains("devices"), let rules = plan.deviceRules {
                try directory.write(deviceRules: rules)
            }
        }
        if let unifiedDirectory, let mountPoint = root.unified, plan.needsUnified {
            try make(unifiedDirectory, in: mountPoint, made: &made, adopting: adopting)
            try enable(plan.version2Controllers, tracked: plan.trackedControllers, in: mountPoint)
            try unifiedDirectory.write(plan.version2Settings)
            try plan.deviceProgram?.attach(to: unifiedDirectory)
        }
    }

    /// Makes the directory and its parents. The leaf is tried first: its parent is nearly always there.
    private func make(
        _ directory: CgroupDirectory, in mountPoint: String, made: inout [CgroupDirectory], adopting: Bool,
        hasCpuset: Bool = false
    ) throws(CgroupError) {
        do throws(CgroupError) {
            if try directory.make() {
                made.append(directory)
            } else if adopting, directory.isFrozen {
                // The container would stop at its first step, and so would whoever waits for it.
                throw CgroupError(
                    "create", path.description, controller: .freezer, errno: .resourceBusy,
                    hint: "container's cgroup unexpectedly frozen")
            } else if adopting, let inside = try? directory.processes(), !inside.isEmpty {
                throw CgroupError(
                    "create", path.description, errno: .resourceBusy,
                    hint: "the container's cgroup is not empty: \(inside.count) processes are in it")
            }
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
            var above = [CgroupDirectory(path: mountPoint)]
            for parent in parents(in: mountPoint) {
                above.append(parent)
                if try parent.make(), hasCpuset { try Self.handDownCpuset(of: above) }
            }
            if try directory.make() { made.append(directory) }
        }
    }

    /// The cgroups above this one, from the top, without the root itself.
    func parents(in mountPoint: String) -> [CgroupDirectory] {
        var prefix = mountPoint
        return path.components.dropLast().map { component in
            defer { prefix += "/" + component }
            return CgroupDirectory(mountPoint: prefix, component: component)
        }
    }

    /// Copies processors and memory nodes down to the cgroup where they are empty: in v1 they begin empty, and a
    /// cgroup without them takes no process (ENOSPC).
    private func fillCpuset(
        _ leaf: CgroupDirectory, in mountPoint: String, isNew: Bool
    ) throws(CgroupError) {
        // Where the kernel handed them down, the last of them is there.
        if isNew, try leaf.readValue("cpuset.mems") != "" { return }
        let above = [CgroupDirectory(path: mountPoint)] + parents(in: mountPoint)
        for file in ["cpuset.cpus", "cpuset.mems"] {
            // What was made a moment ago has none.
            if !isNew, try leaf.readValue(file) != "" { continue }
            guard let inherited = try Self.cpuset(file, of: above[...]) else { continue }
            try leaf.write(inherited, to: file, controller: .cpuset)
        }
    }

    /// Fills a cgroup that we have made for others to be in, the last of these, and has the kernel do so for those.
    private static func handDownCpuset(of cgroups: [CgroupDirectory]) throws(CgroupError) {
        for file in ["cpuset.cpus", "cpuset.mems"] { _ = try cpuset(file, of: cgroups[...]) }
        try cgroups.last?.write("1", to: "cgroup.clone_children", controller: .cpuset)
    }

    /// What the last of some cgroups has in a file; it is filled from those above it where it has nothing. Nil when the
    /// kernel does not have the file.
    private static func cpuset(_ file: String, of cgroups: ArraySlice<CgroupDirectory>) throws(CgroupError) -> String? {
        guard let last = cgroups.last, let present = try last.readValue(file) else { return nil }
        guard present.isEmpty, let inherited = try cpuset(file, of: cgroups.dropLast()) else { return present }
        try last.write(inherited, to: file, controller: .cpuset)
        return inherited
    }

    /// Moves everybody, until nobody new turned up meanwhile.
    private func moveProcesses(into directory: CgroupDirectory) throws(CgroupError) {
        while true {
            let outside = try processes().subtracting(directory.processes())
            if outside.isEmpty { return }
            for process in outside {
                do throws(CgroupError) {
                    try directory.write("\(process)", to: "cgroup.procs")
                } catch {
                    if error.errno != .noSuchProcess { throw error }
                }
            }
        }
    }
}

extension CgroupError {
    /// The same error about a cgroup that was not known where it was found.
    fileprivate func path(_ path: CgroupPath) -> CgroupError {
        var error = self
        if error.object.isEmpty { error.object = path.description }
        return error
    }
}
