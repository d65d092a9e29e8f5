import CLinux
import LinuxSystem

/// A cgroup of the v2 hierarchy that an ordinary user was given, to make others in (systemd's `Delegate=`).
public struct DelegatedCgroup: Hashable, Sendable {
    /// The v2 hierarchy alone: nothing is delegated in those of v1.
    public let root: CgroupRoot
    /// Below the hierarchy's root.
    public let components: [String]

    /// The one that this process is in or, better, the one above: limits can be shared out only below a cgroup that has
    /// no processes of its own. Nil where the user may write to neither.
    ///
    /// The corresponding files are /proc/self/cgroup (cgroups(7)) and /proc/self/mountinfo.
    public static func find() -> DelegatedCgroup? {
        guard let mountPoint = (try? CgroupRoot.find())?.unified, let own = own(below: mountPoint) else { return nil }
        for place in [Array(own.dropLast()), own] where !place.isEmpty {
            let path = ([mountPoint] + place).joined(separator: "/")
            // A process may be moved only by who may write to the common ancestor's list, too.
            guard access(path, W_OK) == 0, access("\(path)/cgroup.procs", W_OK) == 0 else { continue }
            return DelegatedCgroup(root: CgroupRoot(unified: mountPoint), components: place)
        }
        return nil
    }

    /// Where this process is, below what is mounted; nil where that cannot be seen.
    fileprivate static func own(below mountPoint: String) -> [String]? {
        guard let bytes = try? Descriptor.open("/proc/self/cgroup").readAll(),
            let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first(where: {
                $0.hasPrefix("0::/")
            }),
            let root = (try? MountInfo.current())?.root(at: mountPoint)
        else { return nil }
        // What is mounted may be a part of the hierarchy, as in a container without a cgroup namespace.
        let shown = root.split(separator: "/")
        let path = line.dropFirst("0::".count).split(separator: "/")
        guard path.starts(with: shown), !path.contains("..") else { return nil }
        return path.dropFirst(shown.count).map(String.init)
    }

    /// A path of a container's, begun here.
    public func path(below path: CgroupPath) -> CgroupPath { CgroupPath(components + path.components) }
}

extension Cgroup {
    /// Whether this process may put its children there. Who is no superuser has to own the list of the nearest cgroup that is
    /// above both (cgroup-v2.rst, "Delegation Containment"), and nobody owns those above a login and a user's services.
    public var isWithinReach: Bool {
        guard let mountPoint = root.unified, let own = DelegatedCgroup.own(below: mountPoint) else { return true }
        let shared = zip(own, path.components).prefix { $0 == $1 }.map(\.0)
        return access(([mountPoint] + shared + ["cgroup.procs"]).joined(separator: "/"), W_OK) == 0
    }
}
