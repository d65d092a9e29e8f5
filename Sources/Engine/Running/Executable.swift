import CLinux
import LinuxSystem
import SystemPackage

/// Replacing this program by another.
public enum Executable {
    /// The path of a program that lies beside this one.
    public static func siblingPath(_ name: String) throws -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &buffer, buffer.count)
        guard length > 0 else { throw SystemError("read", "/proc/self/exe", errno: .last) }
        let path = String(decoding: buffer[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
        return path[..<(path.lastIndex(of: "/") ?? path.endIndex)] + "/\(name)"
    }

    /// Executes an open program; returns only when that fails. The corresponding system call is `execveat`.
    ///
    /// - Parameter environment: `NAME=value`; nil passes this process's own on.
    public static func run(_ program: Int32, _ arguments: [String], environment: [String]?) {
        withCStrings(arguments) { arguments in
            if let environment {
                withCStrings(environment) { _ = swn_execveat(program, "", arguments, $0, AT_EMPTY_PATH) }
            } else {
                _ = swn_execveat(program, "", arguments, swn_environment(), AT_EMPTY_PATH)
            }
        }
    }

    /// Ends this process at once, without closing or removing anything that its parent has too.
    static func end(_ status: Int32) { _exit(status) }

    private static func withCStrings(
        _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Void
    ) {
        var pointers = strings.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        pointers.withUnsafeMutableBufferPointer { buffer in
            if let base = buffer.baseAddress { body(base) }
        }
    }
}
