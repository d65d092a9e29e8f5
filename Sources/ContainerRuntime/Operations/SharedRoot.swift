import LinuxSystem
import RuntimeSpec

/// The root of a container that has no mount namespace of its own: what is mounted for it is mounted on the root's directory
/// where everybody sees it, and does not go by itself.
struct SharedRoot {
    let path: String
    /// The mount that the directory was on before.
    private let below: Int?

    /// - Returns: Nil for a container with mounts of its own, and for one in another's namespace, where its mounts go when
    ///   that goes.
    init?(_ spec: Spec, path: String) {
        if spec.linux?.namespace(.mount) != nil { return nil }
        self.path = path
        below = MountTree.identifier(at: path)
    }

    /// The container's mount, once it is there.
    var mount: Int? {
        let now = MountTree.identifier(at: path)
        return now == below ? nil : now
    }

    /// Takes away what has been mounted; nothing, if nothing has.
    func unmount() { if mount != nil { try? MountTree.detach(path) } }

    /// Takes away the mounts of a container that has ended, unless something else is on top of them now.
    static func unmount(_ record: StateRecord) {
        guard let mount = record.rootMount, MountTree.identifier(at: record.rootfs) == mount else { return }
        try? MountTree.detach(record.rootfs)
    }
}
