import CLinux
import Cgroups
import LinuxSystem
import SystemPackage

/// A child that enters a cgroup by itself before it becomes a command, as a container does.
struct Child: ~Copyable {
    let process: ProcessHandle

    /// Starts `/bin/sh -c SCRIPT` in the cgroup, and returns when it is in there.
    init(_ script: String, in cgroup: Cgroup) throws {
        let entrance = try cgroup.entrance()
        // Everything is ready before the clone: the child of a process with threads must not allocate.
        var arguments: [UnsafeMutablePointer<CChar>?] = []
        for argument in ["/bin/sh", "-c", script] { arguments.append(strdup(argument)) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var pidfd: Int32 = -1
        // Closed by the exec, which the other end then sees.
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw SystemError("make pipe", errno: .last) }
        let reading = Descriptor(owning: ends[0])
        let writing = Descriptor(owning: ends[1])
        let identifier = arguments.withUnsafeMutableBufferPointer { list in
            let result = swn_clone3(0, SIGCHLD, &pidfd, entrance.directory)
            if result == 0 {
                if entrance.enter() != 0 { _exit(99) }
                if let start = list.baseAddress { execv("/bin/sh", start) }
                _exit(127)
            }
            return result
        }
        _ = consume writing
        guard identifier > 0 else { throw SystemError("clone", errno: .last) }
        _ = try? reading.readAll()
        process = ProcessHandle(owning: Descriptor(owning: pidfd), processIdentifier: identifier)
    }

    deinit { _ = try? process.send(signal: SIGKILL) }

    /// Runs a script in the cgroup to its end and returns its status as a shell reports it.
    static func run(_ script: String, in cgroup: Cgroup) throws -> Int32 {
        try Child(script, in: cgroup).process.wait()
    }

    var identifier: Int32 { process.processIdentifier }
}
