import CLinux
import LinuxSystem

/// Whether the server asks the resolvers that the host has now. It reads who they are when it reads its files, and most
/// versions (those before 1.17) at no other time.
extension NameService {
    /// What the server has read, or more. Not in its directory, all files of which it takes for networks.
    var resolversCopy: String { "\(path).resolvers" }

    /// Keeps what the server is about to read. Best effort: without it nobody notices a change, as before.
    func noteResolvers() {
        guard !isInternal, isCopyOlder, let text = Self.content(Self.resolvers) else { return }
        let new = "\(resolversCopy).new"
        // Made first: who changes the resolvers while they are copied is newer.
        guard let copy = try? Descriptor.open(new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600),
            (try? copy.writeAll(text)) != nil, rename(new, resolversCopy) == 0
        else {
            unlink(new)
            return
        }
    }

    /// Whether the resolvers have changed since the server was last told to read them. A file that was only written anew,
    /// as by a DHCP client that has renewed its lease, has not.
    var hasOtherResolvers: Bool {
        guard !isInternal, let before = Self.content(resolversCopy), let now = Self.content(Self.resolvers) else {
            return false
        }
        return now != before
    }

    /// Whether the resolvers may have changed since they were copied: the file, or where a link in its place leads to.
    private var isCopyOlder: Bool {
        var (link, file, copy) = (stat(), stat(), stat())
        guard stat(resolversCopy, &copy) == 0, lstat(Self.resolvers, &link) == 0, stat(Self.resolvers, &file) == 0
        else { return true }
        return [link.st_ctim, file.st_ctim].contains {
            ($0.tv_sec, $0.tv_nsec) >= (copy.st_mtim.tv_sec, copy.st_mtim.tv_nsec)
        }
    }

    private static func content(_ file: String) -> [UInt8]? {
        try? Descriptor.open(file, O_RDONLY | O_NONBLOCK).readAll(limit: 1 << 20)
    }
}
