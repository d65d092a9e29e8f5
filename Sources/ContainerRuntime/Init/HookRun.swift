import CLinux
import LinuxSystem
import SystemPackage

/// A hook that failed, or could not be run.
struct HookFailure: Error, CustomStringConvertible {
    var description: String
    /// How it ended, as a shell reports it; nil when it was not run, or not to its end.
    var status: Int32?
}

/// Runs hooks one after another: the state on standard input, what they print kept for the error.
///
/// Both the runtime and the container's first process run some, so nothing here needs a file system.
enum HookRun {
    /// - Parameter directory: Where hooks begin, the bundle for those of the runtime; nil to stay.
    /// - Parameter prepare: What the hook's process does before its exec; 0, or a status to end with.
    /// - Throws: `HookFailure` for the first that fails; the others are not run.
    static func run(
        _ hooks: [HookStep], state: [UInt8], in directory: String? = nil, prepare: () -> Int32 = { 0 }
    ) throws(HookFailure) {
        for hook in hooks {
            try run(hook, state) {
                // A bundle that has gone meanwhile is no hindrance.
                if let directory { _ = unsafe chdir(directory) }
                return prepare()
            }
        }
    }

    private static func run(_ hook: HookStep, _ state: [UInt8], _ prepare: () -> Int32) throws(HookFailure) {
        var ended: Int32?
        do throws(SystemError) {
            // Files in memory and not pipes: a hook that never reads, or prints without end, stops nobody.
            let input = try memory("hook-input")
            try input.writeAll(state)
            lseek(input.rawValue, 0, SEEK_SET)
            let output = try memory("hook-output")
            let files = try (hook.output.map(open), hook.errors.map(open))
            // Not in the closure of `??`, whose end would be the end of the descriptor.
            let kept = output.rawValue
            let numbers = (files.0?.descriptor.rawValue ?? kept, files.1?.descriptor.rawValue ?? kept)
            var pidfd: Int32 = -1
            let process = unsafe swn_clone3(0, SIGCHLD, &pidfd, -1)
            if process == 0 { execute(hook, input.rawValue, numbers, prepare) }
            guard process > 0 else { throw SystemError("clone", errno: .last) }
            let handle = ProcessHandle(owning: Descriptor(owning: pidfd), processIdentifier: process)
            var event = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
            let inTime = retryingOnInterrupt { unsafe poll(&event, 1, hook.timeout) } == 1
            if !inTime { try handle.send(signal: SIGKILL) }
            ended = try handle.wait()
            guard inTime else {
                throw SystemError("timed out after \(hook.timeout / 1000) s", errno: Errno(rawValue: 0))
            }
            if ended == 0 { return }
            var printed = [UInt8](repeating: 0, count: 200)
            let count = unsafe pread(output.rawValue, &printed, printed.count, 0)
            var words = String(decoding: printed.prefix(max(0, count)), as: UTF8.self)
                .split(separator: "\n").joined(separator: "; ")
            // Otherwise the one who was killed, or its shell, has nothing to say.
            if ended == 128 + SIGSYS { words = "bad system call, which the seccomp filter kills for" }
            throw SystemError("exit status \(ended ?? 0)", "", errno: Errno(rawValue: 0), hint: words)
        } catch {
            let reason =
                error.errno.rawValue == 0
                ? error.operation + (error.hint.map { $0.isEmpty ? "" : ": \($0)" } ?? "") : "\(error)"
            throw HookFailure(description: "error running \(hook.name): \(hook.path): \(reason)", status: ended)
        }
    }

    /// A file that a document names for what hooks print.
    private static func open(_ path: String) throws(SystemError) -> SharedDescriptor {
        SharedDescriptor(try Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600))
    }

    private static func memory(_ name: String) throws(SystemError) -> Descriptor {
        let number = unsafe memfd_create(name, UInt32(MFD_CLOEXEC))
        guard number >= 0 else { throw SystemError("make memory file", name, errno: .last) }
        return Descriptor(owning: number)
    }

    private static func execute(
        _ hook: HookStep, _ input: Int32, _ output: (Int32, Int32), _ prepare: () -> Int32
    ) -> Never {
        swn_reset_signals(.max)
        let streams = [dup2(input, 0), dup2(output.0, 1), dup2(output.1, 2)]
        guard streams == [0, 1, 2], swn_close_range(3, UInt32.max, UInt32(CLOSE_RANGE_CLOEXEC)) == 0 else {
            swn_exit_now(126)
        }
        let refused = prepare()
        if refused != 0 { swn_exit_now(refused) }
        unsafe hook.arguments.withPointer { arguments in
            if let environment = hook.environment {
                unsafe environment.withPointer { _ = unsafe execve(hook.path, arguments, $0) }
            } else {
                _ = unsafe execve(hook.path, arguments, swn_environment())
            }
        }
        let error = SystemError("execute", hook.path, errno: .last)
        let words = Array("\(error)\n".utf8)
        _ = unsafe write(2, words, words.count)
        swn_exit_now(127)
    }
}
