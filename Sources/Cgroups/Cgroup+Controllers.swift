import SystemPackage

extension Cgroup {
    /// Switches controllers on in every cgroup above this one. None of ours with children holds processes, which is
    /// v2's rule for this (the root of all is exempt).
    ///
    /// - Parameter tracked: Others that are switched on where that can be done. systemd gives an ordinary user only some
    ///   of them, and older kernels refuse cpuset while a process of somebody else's is below (Linux 6.6 does not).
    func enable(
        _ controllers: Set<CgroupController>, tracked: Set<CgroupController>, in mountPoint: String
    ) throws(CgroupError) {
        let needed = controllers.map(\.rawValue)
        var others = tracked.map(\.rawValue)
        if needed.isEmpty, others.isEmpty { return }
        let own = CgroupDirectory(mountPoint: mountPoint, path: path)
        // What the parent has switched on is what a cgroup finds in its own cgroup.controllers: one read answers.
        if Set(needed + others).isSubset(of: try own.words("cgroup.controllers")) { return }
        for directory in [CgroupDirectory(path: mountPoint)] + parents(in: mountPoint) {
            let available = try directory.words("cgroup.controllers")
            if let missing = needed.sorted().first(where: { !available.contains($0) }) {
                throw CgroupError(
                    "enable", path.description, controller: CgroupController(rawValue: missing),
                    errno: .operationNotSupportedByDevice, hint: "\(directory.path)/cgroup.controllers does not list it"
                )
            }
            others.removeAll { !available.contains($0) }
            let enabled = try directory.words("cgroup.subtree_control")
            let missing = needed.filter { !enabled.contains($0) }
            let wanted = others.filter { !enabled.contains($0) }
            // All or none of them. Mostly it is all, and then it is one write.
            if wanted.isEmpty || !canEnable(missing + wanted, in: directory) {
                try enable(missing, in: directory)
                others.removeAll { wanted.contains($0) && !canEnable([$0], in: directory) }
            }
        }
    }

    private func canEnable(_ controllers: [String], in directory: CgroupDirectory) -> Bool {
        (try? enable(controllers, in: directory)) != nil
    }

    private func enable(_ controllers: [String], in directory: CgroupDirectory) throws(CgroupError) {
        if controllers.isEmpty { return }
        let request = controllers.sorted().map { "+\($0)" }.joined(separator: " ")
        do throws(CgroupError) {
            try directory.write(request, to: "cgroup.subtree_control")
        } catch {
            switch error.errno {
            case .resourceBusy:
                throw CgroupError(
                    error.operation, path.description, value: request, errno: error.errno,
                    hint: "move the processes of \(directory.path) into a cgroup below it first")
            case .permissionDenied:
                let controller = controllers.min().flatMap(CgroupController.init(rawValue:))
                throw CgroupError(
                    "enable", path.description, controller: controller, errno: error.errno,
                    hint: "\(directory.path) is not this user's, and has not given \(request) away")
            default: throw error
            }
        }
    }
}
