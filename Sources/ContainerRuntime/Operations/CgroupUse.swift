import CLinux
import Cgroups
import LinuxSystem
import RuntimeSpec
import SystemPackage

/// Whether containers get cgroups: what an ordinary user may do about them depends on the machine.
public enum CgroupUse: Hashable, Sendable {
    /// As `always` for root, and as `whereAllowed` for others and for root of a user namespace.
    case automatic
    /// A container whose document names a path or a limit has to get one.
    case always
    /// The same, but device rules alone are no reason, and it may be in a cgroup that was given to the user.
    case whereAllowed
    /// None, whatever the document says.
    case never
}

extension CgroupUse {
    /// Makes the cgroup of a container.
    ///
    /// - Parameter make: Makes it in hierarchies of the machine.
    /// - Returns: Nil for a container that goes without.
    /// - Throws: `SpecError` that names what the document asks for and cannot have; `CgroupError`.
    func cgroup(
        for spec: Spec, _ path: CgroupPath, make: (CgroupPath, CgroupRoot) throws(CgroupError) -> Cgroup
    ) throws -> Cgroup? {
        if self == .never { return nil }
        let failure: CgroupError
        do throws(CgroupError) {
            return try make(path, try CgroupRoot.find())
        } catch {
            failure = error
        }
        guard [.permissionDenied, .notPermitted, .readOnlyFileSystem, .noSuchFileOrDirectory].contains(failure.errno)
        else { throw failure }
        let isOrdinary = self == .whereAllowed || (self == .automatic && (geteuid() != 0 || UserNamespace.isOwn))
        if isOrdinary, let place = DelegatedCgroup.find(), !(spec.linux?.cgroupsPath ?? "").hasPrefix("/") {
            return try make(place.path(below: path), place.root)
        }
        guard let field = spec.linux?.cgroupField(besidesDevices: isOrdinary) else { return nil }
        guard isOrdinary else { throw failure }
        throw SpecError(field, "needs a cgroup, which this user may not make: \(failure)")
    }
}

extension Spec.Linux {
    /// The first field that needs a cgroup.
    ///
    /// - Parameter besidesDevices: Whether device rules count for nothing: in a user namespace no node can be made that
    ///   they could be about.
    fileprivate func cgroupField(besidesDevices: Bool) -> String? {
        let field = "linux.resources"
        if let resources {
            if resources.memory != nil { return "\(field).memory" }
            if resources.cpu != nil { return "\(field).cpu" }
            if resources.pids != nil { return "\(field).pids" }
            if resources.blockIO != nil { return "\(field).blockIO" }
            if resources.hugepageLimits?.isEmpty == false { return "\(field).hugepageLimits" }
            if resources.network != nil { return "\(field).network" }
            if resources.rdma?.isEmpty == false { return "\(field).rdma" }
            if resources.unified?.isEmpty == false { return "\(field).unified" }
            if !besidesDevices { return field }
        }
        return (cgroupsPath ?? "").isEmpty ? nil : "linux.cgroupsPath"
    }
}
