import CLinux
import LinuxSystem

/// The process that has a socket, found by looking through every process's descriptors: for error messages.
enum SocketOwner {
    /// `process 123 (redis-server)`, or a phrase without a name where no process can be found.
    static func description(inode: UInt32) -> String {
        let target = "socket:[\(inode)]"
        guard let processes = try? Descriptor.openDirectory("/proc").entries() else { return "a process of the host" }
        for process in processes where Int32(process) != nil {
            guard let directory = try? Descriptor.openDirectory("/proc/\(process)/fd"),
                let entries = try? directory.entries(),
                entries.contains(where: { (try? directory.readSymbolicLink($0)) == target })
            else { continue }
            let name = (try? Descriptor.open("/proc/\(process)/comm").readAll(limit: 64)) ?? []
            let text = String(decoding: name.filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
            return "process \(process)\(text.isEmpty ? "" : " (\(text))")"
        }
        return "a process of the host"
    }
}
