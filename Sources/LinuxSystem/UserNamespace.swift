import CLinux
import SystemPackage

/// The user namespace that this process is in.
public enum UserNamespace {
    /// Whether it is another than the machine's first, in which everybody is who they are. The corresponding file is
    /// /proc/self/uid_map (user_namespaces(7)).
    public static var isOwn: Bool {
        guard let bytes = try? Descriptor.open("/proc/self/uid_map").readAll(limit: 1 << 16) else { return false }
        let words = bytes.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
            .map { String(decoding: $0, as: UTF8.self) }
        return words != ["0", "0", "\(UInt32.max)"]
    }
}
