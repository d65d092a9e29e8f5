import CLinux
import LinuxSystem

/// The mount namespace of others that a container is in.
///
/// The root and what is mounted in it are made in a copy of that namespace, in which nothing is a peer of anything outside,
/// and brought over at once: mounted one by one, what lands on a bind of the host's files, also by a link in the image,
/// would be mounted on the host's files too. And until then there is nothing to clean up.
final class SharedMounts {
    private let namespace: Namespace
    private let place: Descriptor

    /// Goes on in a copy of the namespace that the plan names, or that this process is in. The corresponding system calls
    /// are `setns` and `unshare`.
    ///
    /// - Returns: Nil for a container that has one to itself.
    init?(_ plan: InitPlan) throws(InitFailure) {
        guard let place = plan.place else { return nil }
        let join = plan.joins.firstIndex { $0.kind == .mnt }
        do throws(SystemError) {
            namespace = try Namespace(path: join.map { plan.joins[$0].path } ?? "/proc/self/ns/mnt")
            if join != nil { try Self.enter(namespace) }
        } catch {
            throw InitFailure(.joinNamespace, Int32(join ?? 0), error)
        }
        do throws(SystemError) {
            self.place = try place.open()
        } catch {
            throw InitFailure(.attachRoot, 0, error)
        }
        guard unshare(Int32(NamespaceKind.mnt.flag)) == 0 else { throw InitFailure(.attachRoot) }
    }

    private static func enter(_ namespace: borrowing Namespace) throws(SystemError) {
        guard setns(namespace.descriptor.rawValue, Int32(NamespaceKind.mnt.flag)) == 0 else {
            throw SystemError("setns", errno: .last)
        }
    }

    /// Goes back to the namespace itself, and mounts the root there with all that is in it. The corresponding system calls
    /// are `open_tree`, `setns` and `move_mount`.
    ///
    /// - Returns: The root there.
    func attach(_ root: borrowing Descriptor) throws(SystemError) -> Descriptor {
        let tree = try MountTree.clone(of: root, recursive: true)
        try Self.enter(namespace)
        // What is attached below a shared mount, as a distribution's /run is one, is so wherever that is seen, in services
        // and other containers. Here that is the empty directory alone.
        let floor = try MountTree.clone(of: place, recursive: false)
        try MountTree.attach(floor, to: place)
        try MountTree.setAttributes(of: floor, propagation: MountOptions.privately)
        try MountTree.attach(tree, to: floor)
        return tree
    }
}
