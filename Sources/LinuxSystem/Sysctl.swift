import CLinux
import SystemPackage

/// Kernel parameters below `/proc/sys`. Those of `net` belong to the network namespace of the calling thread.
public enum Sysctl {
    /// Reads a parameter, for example `net/ipv4/ip_forward`; nil when this kernel has none of that name.
    public static func read(_ name: String) throws(SystemError) -> String? {
        do throws(SystemError) {
            let bytes = try Descriptor.open("/proc/sys/\(name)").readAll(limit: 65536)
            return String(decoding: bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...], as: UTF8.self)
        } catch {
            if error.errno == .noSuchFileOrDirectory { return nil }
            throw error
        }
    }

    /// Sets a parameter unless it has the value already, so that a read-only `/proc/sys` set up right is no error.
    ///
    /// - Returns: The former value when it was changed, else nil. A parameter this kernel lacks is no change.
    ///   Equivalent to `sysctl -w NAME=VALUE`.
    @discardableResult
    public static func set(_ name: String, to value: String) throws(SystemError) -> String? {
        guard let current = try read(name), current != value else { return nil }
        do throws(SystemError) {
            try Descriptor.open("/proc/sys/\(name)", O_WRONLY).write(text: value)
        } catch {
            throw SystemError("set sysctl \(name) to", value, errno: error.errno)
        }
        return current
    }
}
