import CLinux
import LinuxSystem
import SystemPackage

/// Volumes: directories of the store that outlive containers, and paths of the host.
extension Engine {
    /// Makes what a volume option names, where it is missing.
    ///
    /// - Parameter files: The image, whose directory gives a new volume its owner and permissions.
    func mount(_ option: VolumeOption, _ files: LayerFiles) throws -> MountRecord {
        switch option.source {
        case .path(let path):
            if access(path, F_OK) != 0 {
                // docker makes a missing directory for -v, and scripts rely on it.
                guard swn_errno() == ENOENT else { throw SystemError("use volume", path, errno: .last) }
                _ = try openMakingDirectories(path)
            }
            return MountRecord(source: path, destination: option.destination, isReadOnly: option.isReadOnly)
        case .volume(let name): return try volume(name, option, files, isAnonymous: false)
        case .anonymous: return try volume(randomHex(bytes: 32), option, files, isAnonymous: true)
        }
    }

    private func volume(
        _ name: String, _ option: VolumeOption, _ files: LayerFiles, isAnonymous: Bool
    ) throws -> MountRecord {
        let path = "\(roots.state)/volumes/\(name)/_data"
        if access(path, F_OK) != 0 {
            // Only the volume itself is for everybody in a container; from outside nobody but root gets that far.
            _ = try openMakingDirectories("\(roots.state)/volumes", mode: 0o700)
            _ = try openMakingDirectories(path, mode: 0o755)
            if let status = try files.directoryStatus(String(option.destination.dropFirst())) {
                guard chown(path, status.st_uid, status.st_gid) == 0, chmod(path, status.st_mode & 0o7777) == 0 else {
                    throw SystemError("set the owner of volume", name, errno: .last)
                }
            }
        }
        return MountRecord(
            volume: name, source: path, destination: option.destination, isReadOnly: option.isReadOnly,
            isAnonymous: isAnonymous)
    }

    /// Removes the volumes that were made for one container alone.
    func removeAnonymousVolumes(_ mounts: [MountRecord]) {
        let names = mounts.filter(\.isAnonymous).compactMap(\.volume)
        guard !names.isEmpty, let volumes = try? Descriptor.openDirectory("\(roots.state)/volumes") else { return }
        for name in names { try? volumes.removeTree(name) }
    }
}
