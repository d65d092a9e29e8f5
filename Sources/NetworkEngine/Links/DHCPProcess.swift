import CLinux
import LinuxSystem
import SystemPackage

/// How the process of a DHCP client is started, and which program it calls.
enum DHCPProcess {
    /// Starts a program that goes on by itself, in a session of its own, without input and output, in the root directory.
    ///
    /// - Parameters:
    ///   - environment: `NAME=VALUE`, and nothing else.
    ///   - descriptor: An open file that it gets, under the number `number`; it gets no other of ours.
    /// - Returns: Its number.
    /// - Throws: `SystemError` when it cannot be started. The corresponding C function is `posix_spawn`.
    static func start(
        _ path: String, _ words: [String], _ environment: [String], giving descriptor: Int32, as number: Int32
    ) throws(SystemError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSID))
        // Copied onto its own number it would stay close-on-exec.
        posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor == number ? number + 1 : number)
        if descriptor == number { posix_spawn_file_actions_adddup2(&actions, number + 1, number) }
        // Whoever called us may have left it files that others wait for.
        for file in 3..<number { posix_spawn_file_actions_addclose(&actions, file) }
        posix_spawn_file_actions_addclosefrom_np(&actions, number + 1)
        for stream: Int32 in 0...2 {
            posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0)
        }
        posix_spawn_file_actions_addchdir_np(&actions, "/")
        var arguments = words.map { strdup($0) } + [nil]
        var variables = environment.map { strdup($0) } + [nil]
        defer { (arguments + variables).forEach { free($0) } }
        var process: pid_t = 0
        let failure = posix_spawn(&process, path, &actions, &attributes, &arguments, &variables)
        guard failure == 0 else { throw SystemError("start", path, errno: Errno(rawValue: failure)) }
        return process
    }

    /// The file of `swnet`, which lies beside the running program or is it.
    static func script() throws(SystemError) -> String {
        let own = try Descriptor.openDirectory("/proc/self").readSymbolicLink("exe") ?? ""
        let path = own[..<(own.lastIndex(of: "/") ?? own.endIndex)] + "/swnet"
        guard access(String(path), X_OK) == 0 else {
            throw SystemError("find", String(path), errno: .noSuchFileOrDirectory, hint: "it handles leases")
        }
        return String(path)
    }
}
