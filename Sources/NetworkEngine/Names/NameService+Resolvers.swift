import CLinux
import LinuxSystem

/// Whether the server asks the resolvers that the host has now. It reads who they are when it reads its files, and most
/// versions (those before 1.17) at no other time.
extension NameService {
    /// What the server has read, or more. Not in its directory, all files of which it takes for networks.
    var resolversCopy: String { "\(path).resolvers" }

    /// Keeps what the server is about to read. Best effort: without it nobody notices a change, as before.
    func noteResolvers() {
        guard !isInternal, let text = resolvers, let run = try? open(), text != copiedResolvers(run) else { return }
        try? run.replace("\(name).resolvers", with: text)
    }

    /// Whether the resolvers have changed since the server was last told to read them. A file that was only written anew,
    /// as by a DHCP client that has renewed its lease, has not.
    var hasOtherResolvers: Bool {
        guard !isInternal, let run = try? open(), let before = copiedResolvers(run), let now = resolvers else {
            return false
        }
        return now != before
    }

    private func copiedResolvers(_ run: borrowing StateDirectory) -> [UInt8]? {
        (try? run.readFile("\(name).resolvers")).flatMap(\.self)
    }

    /// The file is somebody else's, and a link in most places.
    private var resolvers: [UInt8]? {
        try? Descriptor.open(Self.resolvers, O_RDONLY | O_NONBLOCK).readAll(limit: 1 << 20)
    }
}
