import CLinux
import LinuxSystem
import SystemPackage

/// Volumes: directories of the store that outlive containers, and paths of the host.
extension Engine {
    /// Makes what a volume option names, where it is missing.
    ///
    /// - Parameters:
    ///   - files: The image, whose directory gives a new volume its content, owner and permissions.
    ///   - id: The container, in whose directory a volume is prepared: it goes with that when it does not get ready.
    func mount(_ option: VolumeOption, _ files: LayerFiles, for id: String) throws -> MountRecord {
        switch option.source {
        case .path(let path):
            if access(path, F_OK) != 0 {
                // docker makes a missing directory for -v, and scripts rely on it.
                guard swn_errno() == ENOENT else { throw SystemError("use volume", path, errno: .last) }
                _ = try openMakingDirectories(path)
            }
            return MountRecord(source: path, destination: option.destination, isReadOnly: option.isReadOnly)
        case .volume(let name): return try volume(name, option, files, id, isAnonymous: false)
        case .anonymous: return try volume(randomHex(bytes: 32), option, files, id, isAnonymous: true)
        }
    }

    private func volume(
        _ name: String, _ option: VolumeOption, _ files: LayerFiles, _ id: String, isAnonymous: Bool
    ) throws -> MountRecord {
        let path = "\(roots.state)/volumes/\(name)/_data"
        if access(path, F_OK) != 0 {
            do {
                try makeVolume(name, option, files, in: containers.directory(of: id))
            } catch {
                throw EngineError(.failed, "make volume \(name) of the image's \(option.destination): \(error)")
            }
        }
        return MountRecord(
            volume: name, source: path, destination: option.destination, isReadOnly: option.isReadOnly,
            isAnonymous: isAnonymous)
    }

    /// Makes a volume with all that is to be in it, and only then gives it its name: nobody gets half of one, however
    /// this ends.
    private func makeVolume(
        _ name: String, _ option: VolumeOption, _ files: LayerFiles, in path: String
    ) throws(SystemError) {
        // Only the volume itself is for everybody in a container; from outside nobody but root gets that far.
        let volumes = try openMakingDirectories("\(roots.state)/volumes", mode: 0o700)
        let workshop = try Descriptor.openDirectory(path)
        try workshop.makeDirectory("volume", mode: 0o755)
        do throws(SystemError) {
            if option.copiesImage, let source = try files.directory(option.destination) {
                let target = try Descriptor.open(
                    "volume", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, relativeTo: workshop.rawValue)
                try TreeCopy.copy(source, to: target)
            }
            try volumes.makeDirectory(name, mode: 0o755)
            let target = "\(name)/_data"
            // Whoever was faster has made the same of the same option.
            if swn_renameat2(workshop.rawValue, "volume", volumes.rawValue, target, UInt32(RENAME_NOREPLACE)) != 0 {
                guard swn_errno() == EEXIST else { throw SystemError("rename volume to", target, errno: .last) }
                try workshop.removeTree("volume")
            }
        } catch {
            try? workshop.removeTree("volume")
            throw error
        }
    }

    /// Removes the volumes that were made for one container alone.
    func removeAnonymousVolumes(_ mounts: [MountRecord]) {
        let names = mounts.filter(\.isAnonymous).compactMap(\.volume)
        guard !names.isEmpty, let volumes = try? Descriptor.openDirectory("\(roots.state)/volumes") else { return }
        for name in names { try? volumes.removeTree(name) }
    }
}
