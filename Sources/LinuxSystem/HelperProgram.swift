public import CLinux
import SystemPackage

/// Programs of others that do a part of our work. They run in the root directory, without input and output, and get none
/// of our descriptors but those that they are given.
public enum HelperProgram {
    /// Runs a program without environment, and waits for it.
    ///
    /// - Parameters:
    ///   - path: The program's file.
    ///   - words: Its arguments, with its own name first.
    ///   - hidden: A file in whose place it and its children find `/dev/null`.
    /// - Returns: Its exit status; 128 and more for a signal.
    /// - Throws: `SystemError` when it cannot be started. The corresponding C function is `posix_spawn`.
    public static func run(_ path: String, _ words: [String], hiding hidden: String? = nil) throws(SystemError) -> Int32
    {
        guard let hidden else { return wait(unsafe try spawn(path, words, [], flags: 0) { _ in }) }
        let process = fork()
        if process == 0 {
            // Mounts of its own, which follow what the host unmounts. A file that is not there need not be hidden.
            guard unshare(Int32(NamespaceKind.mnt.flag)) == 0,
                (try? MountTree.setPropagationOfAll(UInt64(MS_SLAVE))) != nil,
                unsafe access(hidden, F_OK) != 0 || MountTree.bind("/dev/null", at: hidden)
            else { _exit(126) }
            _exit((try? run(path, words)) ?? 127)
        }
        guard process > 0 else { throw SystemError("start", path, errno: .last) }
        return wait(process)
    }

    /// The same for a program that says on standard error what is wrong.
    ///
    /// - Returns: Its exit status, and its first 4 KiB of errors without the last line's end.
    public static func runCollectingErrors(
        _ path: String, _ words: [String]
    ) throws(SystemError) -> (status: Int32, errors: String) {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe2(&ends, O_CLOEXEC) == 0 else { throw SystemError("make pipe", errno: .last) }
        let output = Descriptor(owning: ends[0])
        let process: pid_t
        do {
            let input = Descriptor(owning: ends[1])
            process = unsafe try spawn(path, words, [], flags: 0, silent: [0, 1]) { actions in
                unsafe posix_spawn_file_actions_adddup2(&actions, input.rawValue, 2)
            }
        }
        var bytes = [UInt8](repeating: 0, count: 4096)
        var count = 0
        while count < bytes.count {
            let (place, room) = (count, bytes.count - count)
            let read = retryingOnInterrupt { unsafe CLinux.read(output.rawValue, &bytes[place], room) }
            if read <= 0 { break }
            count += read
        }
        while bytes[..<count].last == UInt8(ascii: "\n") { count -= 1 }
        return (wait(process), String(decoding: bytes[..<count], as: UTF8.self))
    }

    private static func wait(_ process: pid_t) -> Int32 {
        var status: Int32 = 0
        _ = retryingOnInterrupt { unsafe waitpid(process, &status, 0) }
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    }

    /// Finds a program of the system's in the usual folders, whatever the caller's `PATH` says; nil when it is not there.
    public static func find(_ name: String) -> String? {
        ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
            .lazy.map { "\($0)/\(name)" }.first { unsafe access($0, X_OK) == 0 }
    }

    /// Starts a program that goes on by itself, in a session of its own.
    ///
    /// - Parameters:
    ///   - environment: `NAME=VALUE`, and nothing else.
    ///   - descriptor: An open file that it gets, under the number `number`, 3 or more.
    /// - Returns: Its process identifier.
    /// - Throws: `SystemError` when it cannot be started. The corresponding C function is `posix_spawn`.
    public static func start(
        _ path: String, _ words: [String], _ environment: [String], giving descriptor: Int32, as number: Int32
    ) throws(SystemError) -> pid_t {
        unsafe try spawn(path, words, environment, flags: Int16(POSIX_SPAWN_SETSID)) { actions in
            // Copied onto its own number it would stay close-on-exec.
            let copy = descriptor == number ? number + 1 : number
            unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, copy)
            if copy != number { unsafe posix_spawn_file_actions_adddup2(&actions, copy, number) }
            // Whoever called us may have left us files that others wait for.
            for file in 3..<number { unsafe posix_spawn_file_actions_addclose(&actions, file) }
            unsafe posix_spawn_file_actions_addclosefrom_np(&actions, number + 1)
        }
    }

    /// The running process whose identifier a file holds, if one of its arguments is `word`: the number may be somebody
    /// else's by now. Nil when there is none; one that has ended and was not reaped has no arguments (proc_pid_cmdline(5)).
    public static func process(recordedIn file: String, withArgument word: String) -> pid_t? {
        guard let text = try? Descriptor.openRegular(file).readAll(limit: 32),
            let process = pid_t(String(decoding: text, as: UTF8.self).filter(\.isNumber)), process > 1
        else { return nil }
        return has(process, word) ? process : nil
    }

    /// The running processes of this network namespace one of whose arguments is `word`. It looks at every process of the
    /// machine, 10 µs each.
    public static func processes(withArgument word: String) -> [pid_t] {
        guard let own = inode("/proc/self/ns/net"), let names = try? Descriptor.openDirectory("/proc").entries() else {
            return []
        }
        return names.compactMap { pid_t($0) }.filter { has($0, word) && inode("/proc/\($0)/ns/net") == own }
    }

    private static func has(_ process: pid_t, _ word: String) -> Bool {
        guard let command = try? Descriptor.open("/proc/\(process)/cmdline").readAll(limit: 1 << 20) else {
            return false
        }
        return command.split(separator: 0).contains { $0.elementsEqual(word.utf8) }
    }

    private static func inode(_ path: String) -> UInt64? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    /// Starts a program that talks: `descriptor` is its standard input and output, and it complains where we do.
    ///
    /// - Returns: Its process identifier.
    /// - Throws: `SystemError` when it cannot be started. The corresponding C function is `posix_spawn`.
    static func start(
        _ path: String, _ words: [String], _ environment: [String], talkingAt descriptor: Int32
    ) throws(SystemError) -> pid_t {
        unsafe try spawn(path, words, environment, flags: 0, silent: []) { actions in
            unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, STDIN_FILENO)
            unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, STDOUT_FILENO)
            unsafe posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        }
    }

    private static func spawn(
        _ path: String, _ words: [String], _ environment: [String], flags: Int16, silent: [Int32] = [0, 1, 2],
        _ addActions: (inout posix_spawn_file_actions_t) -> Void
    ) throws(SystemError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawnattr_setflags(&attributes, flags)
        unsafe addActions(&actions)
        for stream in silent {
            _ = unsafe posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0)
        }
        _ = unsafe posix_spawn_file_actions_addchdir_np(&actions, "/")
        var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        var variables = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer { unsafe (arguments + variables).forEach { unsafe free($0) } }
        var process: pid_t = 0
        let failure = unsafe posix_spawn(&process, path, &actions, &attributes, &arguments, &variables)
        guard failure == 0 else { throw SystemError("start", path, errno: Errno(rawValue: failure)) }
        return process
    }
}
