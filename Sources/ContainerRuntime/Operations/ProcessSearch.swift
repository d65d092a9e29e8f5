import CLinux
import LinuxSystem

/// Finds the processes of a container that has no cgroup, by the pid namespace that they share.
enum ProcessSearch {
    /// The processes in the pid namespace of another, and that one itself; it alone where it is the caller's own, or
    /// cannot be looked at. Those in namespaces below are not among them.
    static func processes(besides first: Int32) -> [Int32] {
        guard let namespace = link(of: first), namespace != link(of: getpid()),
            let names = try? Descriptor.openDirectory("/proc", forListing: true).entries()
        else { return [first] }
        return names.compactMap { Int32($0) }.filter { link(of: $0) == namespace }.sorted()
    }

    private static func link(of process: Int32) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = unsafe readlink("/proc/\(process)/ns/pid", &buffer, buffer.count)
        return count > 0 ? Array(buffer[..<count]) : nil
    }
}
