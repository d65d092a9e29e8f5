import CLinux
import SystemPackage

/// Programs of others that do a part of our work.
public enum HelperProgram {
    /// Runs a program without input, output and environment, in the root directory, and waits for it.
    ///
    /// It gets no descriptor of ours: all are close-on-exec.
    ///
    /// - Parameters:
    ///   - path: The program's file.
    ///   - words: Its arguments, with its own name first.
    /// - Returns: Its exit status; 128 and more for a signal.
    /// - Throws: `SystemError` when it cannot be started. The corresponding C function is `posix_spawn`.
    public static func run(_ path: String, _ words: [String]) throws(SystemError) -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for stream: Int32 in 0...2 {
            _ = unsafe posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0)
        }
        _ = unsafe posix_spawn_file_actions_addchdir_np(&actions, "/")
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe words.map { unsafe strdup($0) }
        unsafe arguments.append(nil)
        defer {
            for index in unsafe arguments.indices { unsafe free(arguments[index]) }
        }
        var process: pid_t = 0
        var environment: [UnsafeMutablePointer<CChar>?] = unsafe [nil]
        let failure = unsafe posix_spawn(&process, path, &actions, nil, arguments, &environment)
        guard failure == 0 else { throw SystemError("start", path, errno: Errno(rawValue: failure)) }
        var status: Int32 = 0
        _ = retryingOnInterrupt { unsafe waitpid(process, &status, 0) }
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    }
}
