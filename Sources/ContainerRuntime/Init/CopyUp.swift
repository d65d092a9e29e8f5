import CLinux
import LinuxSystem
import SystemPackage

/// Fills a new tmpfs with what the image has at its place (`tmpcopyup`).
enum CopyUp {
    /// Copies files, directories and links with their modes and owners; anything else is left out.
    static func copy(from source: borrowing Descriptor, to target: borrowing Descriptor) throws(SystemError) {
        let directory = try Descriptor.open(".", O_RDONLY | O_DIRECTORY, relativeTo: source.rawValue)
        for name in try directory.entries() {
            var status = stat()
            guard unsafe fstatat(directory.rawValue, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
                throw SystemError("stat", name, errno: .last)
            }
            let mode = status.st_mode & 0o7777
            switch FileKind(mode: status.st_mode) {
            case .directory:
                try target.makeDirectory(name, mode: mode)
                let from = try Descriptor.open(name, O_PATH | O_DIRECTORY | O_NOFOLLOW, relativeTo: directory.rawValue)
                let to = try Descriptor.open(name, O_PATH | O_DIRECTORY | O_NOFOLLOW, relativeTo: target.rawValue)
                try copy(from: from, to: to)
            case .regular:
                let from = try Descriptor.open(name, O_RDONLY | O_NOFOLLOW, relativeTo: directory.rawValue)
                let to = try Descriptor.open(
                    name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode, relativeTo: target.rawValue)
                try to.writeAll(try from.readAll())
            case .symbolicLink:
                var text = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
                guard unsafe readlinkat(directory.rawValue, name, &text, Int(PATH_MAX)) >= 0,
                    unsafe symlinkat(text, target.rawValue, name) == 0
                else { throw SystemError("copy link", name, errno: .last) }
            default: continue
            }
            guard unsafe fchownat(target.rawValue, name, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) == 0 else {
                throw SystemError("change owner of", name, errno: .last)
            }
        }
    }
}
