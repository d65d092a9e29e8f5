import CLinux
import LinuxSystem
import SystemPackage

/// An overlay of layers.
struct OverlayMount {
    let overlay: RootFilesystem.Overlay

    init(_ overlay: RootFilesystem.Overlay) { self.overlay = overlay }

    /// Makes the mount, attached to nothing yet.
    func make() throws(SystemError) -> Descriptor {
        // The kernel takes no more than 255 bytes for a value of the new mount interface.
        let paths = overlay.lower + [overlay.upper, overlay.work].compactMap { $0 }
        guard paths.allSatisfy({ $0.utf8.count < 256 }) else { return try makeByOptions() }
        do throws(SystemError) {
            return try makeByParameters()
        } catch let first {
            // Linux before 6.5 does not know single layers, and says so only at the end. A kernel that does know them
            // gives the better reasons.
            guard first.errno == .invalidArgument else { throw first }
            do throws(SystemError) {
                return try makeByOptions()
            } catch let second {
                throw second.errno == .invalidArgument ? first : second
            }
        }
    }

    private func makeByParameters() throws(SystemError) -> Descriptor {
        let context = try FileSystemContext("overlay")
        // What `mount` and `df` show in front of the mount point.
        try context.set("source", "overlay")
        for layer in overlay.lower { try context.set("lowerdir+", layer) }
        if let upper = overlay.upper, let work = overlay.work {
            try context.set("upperdir", upper)
            try context.set("workdir", work)
        }
        for option in overlay.options {
            if let value = option.value { try context.set(option.name, value) } else { try context.set(option.name) }
        }
        return try context.mount()
    }

    /// The older way, with one text for all options, in which some characters have to be escaped.
    private func makeByOptions() throws(SystemError) -> Descriptor {
        var options = ["lowerdir=" + overlay.lower.map { Self.escape($0, colons: true) }.joined(separator: ":")]
        if let upper = overlay.upper, let work = overlay.work {
            options.append("upperdir=" + Self.escape(upper, colons: false))
            options.append("workdir=" + Self.escape(work, colons: false))
        }
        options += overlay.options.map { option in option.value.map { "\(option.name)=\($0)" } ?? option.name }
        let text = options.joined(separator: ",")
        guard text.utf8.count < 4096 else {
            throw SystemError("mount overlay with", "\(overlay.lower.count) layers", errno: .argListTooLong)
        }
        // On top of the root directory, where the mount is to be found by going up from it.
        guard unsafe swn_mount("overlay", "/", "overlay", 0, text) == 0 else {
            throw SystemError("mount", "overlay", errno: .last)
        }
        let mounted = try Descriptor.openDirectory("/..")
        let copy = try MountTree.clone(of: mounted, recursive: false)
        try MountTree.detach("/..")
        return copy
    }

    static func escape(_ path: String, colons: Bool) -> String {
        var text = ""
        for character in path {
            if character == "\\" || character == "," || colons && character == ":" { text += "\\" }
            text.append(character)
        }
        return text
    }
}
