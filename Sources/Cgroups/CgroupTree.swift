import CLinux
import LinuxSystem

/// The cgroups inside of one, of any depth.
///
/// A container that may write its cgroup may nest it as deep as it likes: deeper than a path is long (4,096 bytes), than
/// a process may have files open, or than a stack holds calls. So one descriptor goes down and up again, by names of one
/// level. `..` leads where it came from, because a cgroup never moves to another parent.
struct CgroupTree: ~Copyable {
    private var directory: Descriptor
    /// From the first level down to where the descriptor is.
    private var names: [String] = []
    /// At each of these levels and at the top, those that are still to be visited.
    private var waiting: [[String]]

    /// - Returns: nil when there are none, or the cgroup has gone.
    init?(in path: String) {
        // A directory's link count is 2 and one for each directory in it: the common leaf costs no listing.
        var status = stat()
        guard stat(path, &status) == 0, status.st_nlink != 2, let top = try? Descriptor.openDirectory(path) else {
            return nil
        }
        waiting = [Self.children(of: top)]
        directory = top
    }

    /// Calls a function for each cgroup, after those inside of it. One that goes meanwhile is passed over.
    ///
    /// - Parameter visit: Gets the directory above the cgroup, and its name in there.
    consuming func visit<Failure: Error>(
        _ visit: (borrowing Descriptor, String) throws(Failure) -> Void
    ) throws(Failure) {
        while let last = waiting.indices.last {
            if let name = waiting[last].popLast() {
                guard let inside = try? Descriptor.open(name, O_PATH | O_DIRECTORY, relativeTo: directory.rawValue)
                else { continue }
                waiting.append(Self.children(of: inside))
                names.append(name)
                directory = inside
            } else {
                waiting.removeLast()
                guard let name = names.popLast(),
                    let above = try? Descriptor.open("..", O_PATH | O_DIRECTORY, relativeTo: directory.rawValue)
                else { return }
                directory = above
                try visit(directory, name)
            }
        }
    }

    private static func children(of directory: borrowing Descriptor) -> [String] {
        var status = stat()
        guard fstat(directory.rawValue, &status) == 0, status.st_nlink != 2, let names = try? directory.entries() else {
            return []
        }
        return names.filter { name in
            var status = stat()
            return fstatat(directory.rawValue, name, &status, AT_SYMLINK_NOFOLLOW) == 0
                && status.st_mode & UInt32(S_IFMT) == UInt32(S_IFDIR)
        }
    }
}
