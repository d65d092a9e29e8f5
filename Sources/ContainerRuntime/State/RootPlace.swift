import CLinux
import LinuxSystem
import SystemPackage

/// Where the root of a container is mounted that has no mount namespace to itself: on a directory in the container's own.
///
/// It is there before the first mount, and nobody else mounts on it. Whoever removes the container, after whatever crash,
/// has nothing to remember and cannot unmount what is another's; and the root's directory, which others may change,
/// cover, move or share, is not looked up again.
struct RootPlace: Hashable, Sendable {
    private static let name = "rootfs"
    /// In the runtime's mount namespace.
    private let path: String
    private let identity: FileIdentity

    /// Makes the place.
    ///
    /// - Parameter container: The container's directory in the store.
    init(in container: borrowing Descriptor) throws(SystemError) {
        try container.makeDirectory(Self.name, mode: 0o700)
        path = "\(try container.path())/\(Self.name)"
        identity = FileIdentity(try Descriptor.openDirectory(path).status())
    }

    /// Opens it in the mount namespace that this process is in now, which may show something else there.
    func open() throws(SystemError) -> Descriptor {
        do throws(SystemError) {
            let place = try Descriptor.openDirectory(path)
            if FileIdentity(try place.status()) == identity { return place }
        } catch {
            guard error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory else { throw error }
        }
        throw SystemError(
            "open", path, errno: .noSuchFileOrDirectory,
            hint: "the mount namespace of linux.namespaces does not show '\(path)', where the root is to be mounted")
    }

    /// Takes the place away, and all that is mounted there.
    static func remove(in container: borrowing Descriptor) throws(SystemError) {
        let path = "\(container.procPath)/\(name)"
        // More than once: there is a mount below the root, and the container may have put one on top of it.
        while let root = try? Descriptor.openDirectory(path), isMount(root) { try MountTree.detach(path) }
        // In other mount namespaces the kernel unmounts what is on a directory that is removed (since Linux 3.18,
        // `detach_mounts` of fs/namei.c); and on what has been removed nothing can be mounted any more, also by a process
        // of a container that was being made.
        try container.remove(name, directory: true)
    }

    /// Whether a directory is a mount's root; then nothing in it is a peer any more: of what is unmounted from a copy of the
    /// host's mounts, the host would lose the original.
    private static func isMount(_ root: borrowing Descriptor) -> Bool {
        (try? MountTree.setAttributes(of: root, propagation: MountOptions.privately, recursive: true)) != nil
    }
}

extension FileIdentity {
    init(_ status: stat) { self.init(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)) }
}
