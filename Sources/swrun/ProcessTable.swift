import CLinux
import CommandSupport
import LinuxSystem
import SystemPackage

/// The lines of ps(1) about certain processes, as `runc ps` prints them: its options are ps's.
enum ProcessTable {
    /// - Parameter options: For ps; `-ef` when there are none.
    /// - Throws: `SystemError` when ps cannot be run, `CommandFailure` when it fails or prints no numbers.
    static func print(_ processes: [Int32], options: [String]) throws {
        let text = try run(["ps"] + (options.isEmpty ? ["-ef"] : options))
        let lines = text.split(separator: "\n")
        guard let heading = lines.first,
            let column = heading.split(separator: " ").firstIndex(where: { $0 == "PID" })
        else { throw CommandFailure("ps prints no column PID") }
        let numbers = Set(processes.map { Substring("\($0)") })
        let rows = lines.dropFirst().filter { line in
            let fields = line.split(separator: " ")
            return fields.indices.contains(column) && numbers.contains(fields[column])
        }
        Output.write(([heading] + rows).map { "\($0)\n" }.joined())
    }

    /// The corresponding C function is `posix_spawnp`.
    private static func run(_ words: [String]) throws -> String {
        // Files in memory and not pipes: they are read when ps has ended.
        let output = try file()
        let errors = try file()
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        _ = unsafe posix_spawn_file_actions_adddup2(&actions, output.rawValue, 1)
        _ = unsafe posix_spawn_file_actions_adddup2(&actions, errors.rawValue, 2)
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe words.map { unsafe strdup($0) }
        unsafe arguments.append(nil)
        defer {
            for index in unsafe arguments.indices { unsafe free(arguments[index]) }
        }
        var process: pid_t = 0
        let failure = unsafe posix_spawnp(&process, words[0], &actions, nil, arguments, swn_environment())
        guard failure == 0 else { throw SystemError("start", words[0], errno: Errno(rawValue: failure)) }
        var status: Int32 = 0
        _ = retryingOnInterrupt { unsafe waitpid(process, &status, 0) }
        guard status == 0 else {
            // Its reason comes first, then how it is used.
            let reason = try text(errors).split(separator: "\n").first.map { ": \($0)" } ?? ""
            throw CommandFailure("\(words.joined(separator: " ")) failed\(reason)")
        }
        return try text(output)
    }

    private static func file() throws(SystemError) -> Descriptor {
        let number = unsafe memfd_create("ps", UInt32(MFD_CLOEXEC))
        guard number >= 0 else { throw SystemError("make memory file", errno: .last) }
        return Descriptor(owning: number)
    }

    private static func text(_ file: borrowing Descriptor) throws(SystemError) -> String {
        lseek(file.rawValue, 0, SEEK_SET)
        return String(decoding: try file.readAll(limit: 64 << 20), as: UTF8.self)
    }
}
