import CLinux
import Cgroups
import RuntimeSpec
import SystemPackage

extension Spec {
    /// The user of the host who runs the container's process, where the container is to have its cgroup for itself: in a new
    /// cgroup namespace, with a cgroup file system to write to (config-linux.md, "Cgroup ownership"). Nil otherwise, and for
    /// a user namespace of others, whose maps nobody knows here.
    private var cgroupOwner: UInt32? {
        guard let namespace = linux?.namespace(.cgroup), (namespace.path ?? "").isEmpty,
            mounts?.contains(where: {
                $0.destination == "/sys/fs/cgroup" && $0.source == "cgroup" && $0.options?.contains("ro") != true
            }) == true
        else { return nil }
        let user = process?.user?.uid ?? 0
        guard let own = linux?.namespace(.user) else { return user }
        guard (own.path ?? "").isEmpty else { return nil }
        guard let maps = linux?.uidMappings, !maps.isEmpty else { return user }
        return maps.first { user >= $0.containerID && user - $0.containerID < $0.size }
            .map { $0.hostID + (user - $0.containerID) }
    }

    /// Gives a container's cgroup to who may have it. The superuser of this user namespace has it anyway.
    func delegate(_ cgroup: Cgroup?) throws {
        guard let cgroup, cgroup.root.mode == .unified, let owner = cgroupOwner, owner != 0 else { return }
        do throws(CgroupError) {
            try cgroup.delegate(to: owner)
        } catch {
            // An ordinary user can give nothing away, and has its own already.
            guard error.errno == .notPermitted, geteuid() != 0 else { throw error }
        }
    }
}
