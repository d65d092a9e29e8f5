import CLinux
import LinuxSystem

/// Whether the server asks the resolvers that the host has now. It reads who they are when it reads its files. Since version
/// 1.17 it also watches the file that it found when it started, and so hears of what is written into that one, but not of
/// another that is put in its place, as most programs do it (aardvark-dns, src/server/serve.rs).
extension NameService {
    /// What the server has read, or more. Not in its directory, all files of which it takes for networks.
    var resolversCopy: String { "\(path).resolvers" }

    /// Keeps what the server is about to read. Best effort: without it nobody notices a change, as before.
    func noteResolvers() {
        guard !isInternal, let text = resolvers, let run = try? open(), text != copiedResolvers(run) else { return }
        try? run.replace("\(name).resolvers", with: text)
    }

    /// Whether the resolvers have changed since the server last read them. A file that was only written anew, as by a DHCP
    /// client that has renewed its lease, has not.
    var hasOtherResolvers: Bool {
        guard !isInternal, let run = try? open(), let before = copiedResolvers(run), let now = resolvers else {
            return false
        }
        return now != before && !isWatching
    }

    /// Whether the server watches the file that is there now. The kernel tells, whatever version it is: in a line
    /// `inotify wd:1 ino:2a sdev:fd00001 …` of its descriptor (proc_pid_fdinfo(5)). The device is none that `stat` knows on
    /// file systems with several (btrfs); a file that is watched keeps its number.
    private var isWatching: Bool {
        var file = stat()
        guard let process = running, stat(Self.resolvers, &file) == 0,
            let folder = try? Descriptor.openDirectory("/proc/\(process)/fdinfo"), let names = try? folder.entries()
        else { return false }
        let number = " ino:\(String(file.st_ino, radix: 16)) "
        return names.contains { name in
            guard let bytes = try? Descriptor.open(name, O_RDONLY, relativeTo: folder.rawValue).readAll(limit: 65536)
            else { return false }
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n").contains {
                $0.hasPrefix("inotify ") && $0.contains(number)
            }
        }
    }

    private func copiedResolvers(_ run: borrowing StateDirectory) -> [UInt8]? {
        (try? run.readFile("\(name).resolvers")).flatMap(\.self)
    }

    /// The file is somebody else's, and a link in most places.
    private var resolvers: [UInt8]? {
        try? Descriptor.open(Self.resolvers, O_RDONLY | O_NONBLOCK).readAll(limit: 1 << 20)
    }
}
