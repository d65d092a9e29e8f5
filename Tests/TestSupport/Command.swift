import CLinux
import Foundation
import Synchronization

/// How long a test waits for what should happen at once, in seconds: long, because on a machine that has a hundred other
/// things to do it takes its time. Only what never happens makes a test wait this long.
public let patience: Double = 300

/// What a program did: its two outputs and its status.
public struct CommandResult: Sendable, CustomStringConvertible {
    public let words: [String]
    /// As a shell reports it: 0 to 255, 128+n for signal n.
    public let status: Int32
    public let standardOutput: String
    public let standardError: String
    /// The program had to be killed because it did not end in time.
    public let timedOut: Bool
    /// The program ended, but something that it left behind still held its outputs open.
    public let heldOpen: Bool
    public let seconds: Double

    /// Standard output without the white space around it.
    public var output: String { standardOutput.trimmingCharacters(in: .whitespacesAndNewlines) }
    /// Standard error without the white space around it.
    public var errors: String { standardError.trimmingCharacters(in: .whitespacesAndNewlines) }
    /// Standard output by lines.
    public var lines: [String] { output.isEmpty ? [] : output.components(separatedBy: "\n") }

    public var description: String {
        let notes = (timedOut ? " TIMED OUT" : "") + (heldOpen ? " OUTPUT HELD OPEN" : "")
        return
            "`\(words.joined(separator: " "))` → \(status)\(notes)\nout: \(output.prefix(3000))\nerr: \(errors.prefix(3000))"
    }
}

public struct CommandError: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// What a program reads from its standard input.
public enum CommandInput: Sendable {
    case nothing
    /// A pipe that nothing is written to and that closes when this process ends.
    case silence
    case text(String)
    case file(String)
}

/// A program that runs. A thread of its own waits for it, so that a test that waits blocks no other test.
public final class Command: Sendable {
    private struct State {
        var output: [UInt8] = []
        var errors: [UInt8] = []
        var result: CommandResult?
        var waiting: [CheckedContinuation<CommandResult, Never>] = []
    }

    public let words: [String]
    public let processIdentifier: Int32
    private let deadline: Double
    private let state = Mutex(State())

    /// Starts `words` in a process group of its own, with default signal dispositions and no descriptor but 0, 1 and 2.
    public init(_ words: [String], input: CommandInput = .nothing, timeout: Double = patience) throws {
        self.words = words
        deadline = timeout
        var pipes: [[Int32]] = []
        for _ in 0..<2 {
            var pair: [Int32] = [0, 0]
            guard pipe2(&pair, O_CLOEXEC) == 0 else { throw CommandError("pipe: \(String(cString: strerror(errno)))") }
            pipes.append(pair)
        }
        let standardInput = try Self.open(input)
        defer { [standardInput, pipes[0][1], pipes[1][1]].forEach { close($0) } }
        processIdentifier = try Self.spawn(words, [standardInput, pipes[0][1], pipes[1][1]])
        let (first, second) = (pipes[0][0], pipes[1][0])
        Thread.detachNewThread { self.supervise(first, second) }
    }

    /// Starts a program and waits for its end.
    public static func run(
        _ words: [String], input: CommandInput = .nothing, timeout: Double = patience
    ) async throws -> CommandResult {
        try await Command(words, input: input, timeout: timeout).result
    }

    /// What the program has written so far.
    public var outputSoFar: String { state.withLock { String(decoding: $0.output, as: UTF8.self) } }
    public var errorsSoFar: String { state.withLock { String(decoding: $0.errors, as: UTF8.self) } }
    public var hasEnded: Bool { state.withLock { $0.result != nil } }

    /// Waits for the program's end.
    public var result: CommandResult {
        get async {
            await withCheckedContinuation { continuation in
                let ready = state.withLock { state in
                    if state.result == nil { state.waiting.append(continuation) }
                    return state.result
                }
                if let ready { continuation.resume(returning: ready) }
            }
        }
    }

    /// Waits until the program has written `text` on standard output.
    public func waitForOutput(_ text: String, seconds: Double = patience) async throws {
        let found = try await eventually(seconds: seconds) { self.outputSoFar.contains(text) || self.hasEnded }
        guard found, outputSoFar.contains(text) else {
            throw CommandError("\(words.joined(separator: " ")) did not print '\(text)': \(outputSoFar) \(errorsSoFar)")
        }
    }

    /// Sends a signal to the program's process group.
    public func send(_ signal: Int32) { kill(-processIdentifier, signal) }

    /// Kills the program's process group and waits for it.
    @discardableResult
    public func stop(_ signal: Int32 = 9) async -> CommandResult {
        send(signal)
        return await result
    }
}

extension Command {
    private static func open(_ input: CommandInput) throws -> Int32 {
        let number: Int32
        switch input {
        case .silence:
            var pair: [Int32] = [0, 0]
            // The writing end is never closed by hand: the kernel closes it when this process is gone.
            number = pipe2(&pair, O_CLOEXEC) == 0 ? pair[0] : -1
        case .nothing: number = swn_openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0)
        case .file(let path): number = swn_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0)
        case .text(let text):
            number = memfd_create("input", UInt32(MFD_CLOEXEC))
            let bytes = Array(text.utf8)
            _ = write(number, bytes, bytes.count)
            lseek(number, 0, SEEK_SET)
        }
        guard number >= 0 else { throw CommandError("standard input: \(String(cString: strerror(errno)))") }
        return number
    }

    private static func spawn(_ words: [String], _ descriptors: [Int32]) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))
        let environment = [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
            "TERM=xterm",
        ]
        // Whatever another part of this process opened without close-on-exec is not for the program.
        swn_close_range(3, .max, UInt32(CLOSE_RANGE_CLOEXEC))
        let arguments = words.map { strdup($0) } + [nil]
        let variables = environment.map { strdup($0) } + [nil]
        defer { (arguments + variables).forEach { free($0) } }
        var child: pid_t = 0
        let failure = posix_spawnp(&child, words[0], &actions, &attributes, arguments, variables)
        guard failure == 0 else { throw CommandError("start \(words[0]): \(String(cString: strerror(failure)))") }
        return child
    }

    /// Copies both outputs until the program has ended and both are closed, and kills it when its time is over.
    private func supervise(_ standardOutput: Int32, _ standardError: Int32) {
        let start = Self.now
        let pidfd = swn_pidfd_open(processIdentifier, 0)
        var ended = false
        var timedOut = false
        var closeBy = Double.infinity
        var open = [standardOutput, standardError]
        while !ended || !open.allSatisfy({ $0 < 0 }) {
            var descriptors = (open + [ended ? -1 : pidfd]).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            poll(&descriptors, 3, 50)
            for index in 0..<2 where descriptors[index].revents != 0 && !read(open[index], into: index) {
                close(open[index])
                open[index] = -1
            }
            if descriptors[2].revents != 0, !ended {
                ended = true
                // What a finished program left in the pipes is there at once; more time only shows who holds them.
                closeBy = Self.now + 1
            }
            if !ended, Self.now - start > deadline {
                timedOut = true
                kill(-processIdentifier, SIGKILL)
            }
            if Self.now > closeBy { break }
        }
        let heldOpen = open.contains { $0 >= 0 }
        open.filter { $0 >= 0 }.forEach { close($0) }
        close(pidfd)
        var status: Int32 = 0
        waitpid(processIdentifier, &status, 0)
        let code = status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
        finish(code, timedOut: timedOut, heldOpen: heldOpen, seconds: Self.now - start)
    }

    /// Reads what is there; false at the end of the file.
    private func read(_ descriptor: Int32, into index: Int) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = Glibc.read(descriptor, &chunk, chunk.count)
        guard count > 0 else { return false }
        state.withLock { state in
            if index == 0 { state.output += chunk[..<count] } else { state.errors += chunk[..<count] }
        }
        return true
    }

    private func finish(_ status: Int32, timedOut: Bool, heldOpen: Bool, seconds: Double) {
        let (waiting, result) = state.withLock { state in
            let result = CommandResult(
                words: words, status: status, standardOutput: String(decoding: state.output, as: UTF8.self),
                standardError: String(decoding: state.errors, as: UTF8.self), timedOut: timedOut, heldOpen: heldOpen,
                seconds: seconds)
            state.result = result
            defer { state.waiting = [] }
            return (state.waiting, result)
        }
        waiting.forEach { $0.resume(returning: result) }
    }

    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// Asks again until the answer is yes or the time is over; the last answer.
public func eventually(seconds: Double = patience, _ condition: () async throws -> Bool) async throws -> Bool {
    let end = Command.now + seconds
    while true {
        if try await condition() { return true }
        if Command.now > end { return false }
        try await Task.sleep(for: .milliseconds(10))
    }
}
