import CLinux
import SystemPackage

/// Programs of ours that lie beside the running one.
public enum SiblingProgram {
    /// Replaces this program by another, which gets the same environment.
    ///
    /// - Throws: `SystemError` when there is none of the name, or it cannot be executed; else it does not return.
    ///   The corresponding system call is `execve`.
    public static func execute(_ name: String, _ arguments: [String]) throws(SystemError) {
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        guard length > 0 else { throw SystemError("read", "/proc/self/exe", errno: .last) }
        let own = String(decoding: buffer[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
        let path = own[..<(own.lastIndex(of: "/") ?? own.endIndex)] + "/\(name)"
        var pointers: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        defer { for index in unsafe pointers.indices { unsafe free(pointers[index]) } }
        _ = unsafe swn_execveat(AT_FDCWD, String(path), &pointers, swn_environment(), 0)
        throw SystemError("execute", String(path), errno: .last, hint: "it belongs beside \(own)")
    }
}
