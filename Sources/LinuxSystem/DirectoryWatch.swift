import CLinux
import SystemPackage

/// Directories whose entries come, go or are replaced: that something has happened, not what.
///
/// A directory that is replaced by another of the same path is watched again.
public struct DirectoryWatch: ~Copyable {
    /// Readable when something has happened.
    public let descriptor: Descriptor
    private let paths: [String]

    /// The corresponding system calls are `inotify_init1` and `inotify_add_watch`.
    ///
    /// - Throws: `SystemError` with the path of a directory that is not there.
    public init(_ paths: [String]) throws(SystemError) {
        let number = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        guard number >= 0 else { throw SystemError("watch directories", errno: .last) }
        let opened = Descriptor(owning: number)
        for path in paths {
            guard Self.add(path, to: number) else { throw SystemError("watch", path, errno: .last) }
        }
        descriptor = opened
        self.paths = paths
    }

    private static func add(_ path: String, to number: Int32) -> Bool {
        // Not what is written to a file that stays: whoever only takes a lock has opened it for writing.
        let mask = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE_SELF | IN_ONLYDIR
        return unsafe inotify_add_watch(number, path, UInt32(mask)) >= 0
    }

    /// Forgets what has happened so far, and says whether that was anything.
    public borrowing func drain() -> Bool {
        var hasHappened = false
        var buffer = [UInt8](repeating: 0, count: 16384)
        while retryingOnInterrupt({ unsafe read(descriptor.rawValue, &buffer, buffer.count) }) > 0 {
            hasHappened = true
        }
        if hasHappened {
            // Adding a directory that is watched already changes nothing.
            for path in paths { _ = Self.add(path, to: descriptor.rawValue) }
        }
        return hasHappened
    }
}
