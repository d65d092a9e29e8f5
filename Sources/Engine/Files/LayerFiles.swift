import CLinux
import LinuxSystem
import SystemPackage

/// Directories of an image, looked up in its layers without mounting them.
///
/// An overlay's rule (Documentation/filesystems/overlayfs.rst of the kernel): the highest layer that has a name decides.
struct LayerFiles {
    /// Lowest first.
    let layers: [String]

    /// The owner and permissions of a directory of the image; nil when it has none of that name.
    func directoryStatus(_ path: String) throws(SystemError) -> stat? {
        for layer in layers.reversed() {
            let root = try Descriptor.openDirectory(layer)
            do throws(SystemError) {
                let status = try Descriptor.open(path, O_PATH, within: root).status()
                return status.st_mode & UInt32(S_IFMT) == UInt32(S_IFDIR) ? status : nil
            } catch {
                if error.errno == .notDirectory { return nil }
                if error.errno != .noSuchFileOrDirectory { throw error }
            }
        }
        return nil
    }
}
