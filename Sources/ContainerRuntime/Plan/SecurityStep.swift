import CLinux
import LinuxSystem
import RuntimeSpec

extension SecurityStep {
    init(
        _ process: Spec.Process, seccomp: SeccompProgram?, personality: Spec.Linux.Personality?, keepsGroups: Bool
    ) throws(SpecError) {
        let user = process.user ?? Spec.User()
        uid = user.uid
        gid = user.gid
        groups = keepsGroups ? nil : Self.unique(user.additionalGids ?? [])
        umask = user.umask ?? 0o022
        capabilities = CapabilityStep(process.capabilities ?? Spec.Capabilities())
        noNewPrivileges = process.noNewPrivileges ?? false
        label = try LabelStep(process)
        self.seccomp = seccomp
        rlimits = try (process.rlimits ?? []).enumerated().map { index, limit throws(SpecError) in
            guard let resource = RlimitStep.resources[limit.type] else {
                throw SpecError("process.rlimits[\(index)].type", "unknown resource limit '\(limit.type)'")
            }
            return RlimitStep(name: limit.type, resource: resource, soft: limit.soft, hard: limit.hard)
        }
        oomScoreAdjustment = process.oomScoreAdj.map { "\($0)" }
        // PER_LINUX and PER_LINUX32 of linux/personality.h.
        self.personality = personality.map { $0.domain == "LINUX32" ? 8 : 0 }
    }

    /// Each group once: engines name those of the image and those of the command line. The kernel sorts them as well.
    private static func unique(_ groups: [UInt32]) -> [UInt32] {
        if groups.count < 2 { return groups }
        return groups.sorted().reduce(into: []) { if $0.last != $1 { $0.append($1) } }
    }
}

extension LabelStep {
    static var hasSELinux: Bool { unsafe access("/sys/fs/selinux/enforce", F_OK) == 0 }

    /// Nil for a document without a label, and for the profile `unconfined` where there is no AppArmor.
    ///
    /// - Throws: `SpecError` for a label that no module of this kernel enforces: leaving it out would be less than the
    ///   document promises.
    fileprivate init?(_ process: Spec.Process) throws(SpecError) {
        if let profile = process.apparmorProfile, !profile.isEmpty {
            let enabled = try? Descriptor.open("/sys/module/apparmor/parameters/enabled").readAll(limit: 16)
            guard enabled?.first == UInt8(ascii: "Y") else {
                if profile == "unconfined" { return nil }
                throw SpecError("process.apparmorProfile", "'\(profile)': AppArmor is not enabled on this host")
            }
            // Linux 5.8 gave each module files of its own; before, the first one had them all.
            let own = "/proc/self/attr/apparmor/exec"
            path = unsafe access(own, F_OK) == 0 ? own : "/proc/self/attr/exec"
            name = profile
            value = "exec \(profile)"
            field = "process.apparmorProfile"
        } else if let selinuxLabel = process.selinuxLabel, !selinuxLabel.isEmpty {
            guard Self.hasSELinux else {
                throw SpecError("process.selinuxLabel", "'\(selinuxLabel)': SELinux is not enabled on this host")
            }
            path = "/proc/self/attr/exec"
            name = selinuxLabel
            value = selinuxLabel
            field = "process.selinuxLabel"
        } else {
            return nil
        }
    }
}

extension CapabilityStep {
    /// What cannot be granted is left out, as the specification wants it (config.md, "Process"): a document's author
    /// cannot know which kernel it will meet.
    init(_ capabilities: Spec.Capabilities) {
        bounding = Self.set(capabilities.bounding)
        permitted = Self.set(capabilities.permitted)
        inheritable = Self.set(capabilities.inheritable)
        // The kernel's rules of capabilities(7).
        effective = Self.set(capabilities.effective).intersection(permitted)
        ambient = Self.set(capabilities.ambient).intersection(permitted).intersection(inheritable)
    }

    private static func set(_ names: [String]?) -> CapabilitySet {
        (names ?? []).reduce(into: CapabilitySet()) { set, name in
            if let capability = CapabilitySet(name: name) { set.formUnion(capability) }
        }
    }

    /// What is left out of the sets of a document, in runc's words where it has any.
    static func warnings(_ capabilities: Spec.Capabilities) -> [String] {
        var unknown: [String] = []
        func look(_ names: [String]?) {
            for name in names ?? [] where CapabilitySet(name: name) == nil && !unknown.contains(name) {
                unknown.append(name)
            }
        }
        look(capabilities.bounding)
        look(capabilities.effective)
        look(capabilities.permitted)
        look(capabilities.inheritable)
        look(capabilities.ambient)
        var warnings: [String] = []
        if !unknown.isEmpty {
            warnings.append("ignoring unknown or unavailable capabilities: [\(unknown.joined(separator: " "))]")
        }
        let step = CapabilityStep(capabilities)
        for name in (capabilities.effective ?? []) where !unknown.contains(name) {
            guard let one = CapabilitySet(name: name), !step.permitted.isSuperset(of: one) else { continue }
            warnings.append("can't make capability \(name) effective: it is not in the permitted set")
        }
        // runc's own documents had three of them for years.
        let left = (capabilities.ambient ?? []).filter { name in
            !unknown.contains(name) && CapabilitySet(name: name).map { !step.ambient.isSuperset(of: $0) } ?? false
        }
        if !left.isEmpty {
            let names = left.joined(separator: " ")
            warnings.append(
                "can't raise ambient capability \(names): not both in the permitted and the inheritable set")
        }
        return warnings
    }
}

extension ProcessPlan {
    /// Those of the document that this process does not have, and so the container's will not.
    var unavailableCapabilities: CapabilitySet {
        // A user namespace gives its first process all there are.
        guard inheritsBoundingSet else { return CapabilitySet() }
        let wanted = security.capabilities
        return CapabilitySet(
            rawValue: wanted.bounding.rawValue & ~inherited.boundingSet.rawValue
                | (wanted.permitted.rawValue | wanted.inheritable.rawValue) & ~inherited.permitted.rawValue)
    }
}

extension RlimitStep {
    static let resources: [String: Int32] = [
        "RLIMIT_AS": Int32(RLIMIT_AS.rawValue), "RLIMIT_CORE": Int32(RLIMIT_CORE.rawValue),
        "RLIMIT_CPU": Int32(RLIMIT_CPU.rawValue), "RLIMIT_DATA": Int32(RLIMIT_DATA.rawValue),
        "RLIMIT_FSIZE": Int32(RLIMIT_FSIZE.rawValue), "RLIMIT_LOCKS": Int32(__RLIMIT_LOCKS.rawValue),
        "RLIMIT_MEMLOCK": Int32(__RLIMIT_MEMLOCK.rawValue), "RLIMIT_MSGQUEUE": Int32(__RLIMIT_MSGQUEUE.rawValue),
        "RLIMIT_NICE": Int32(__RLIMIT_NICE.rawValue), "RLIMIT_NOFILE": Int32(RLIMIT_NOFILE.rawValue),
        "RLIMIT_NPROC": Int32(__RLIMIT_NPROC.rawValue), "RLIMIT_RSS": Int32(__RLIMIT_RSS.rawValue),
        "RLIMIT_RTPRIO": Int32(__RLIMIT_RTPRIO.rawValue), "RLIMIT_RTTIME": Int32(__RLIMIT_RTTIME.rawValue),
        "RLIMIT_SIGPENDING": Int32(__RLIMIT_SIGPENDING.rawValue), "RLIMIT_STACK": Int32(RLIMIT_STACK.rawValue),
    ]
}
