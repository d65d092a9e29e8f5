import CLinux
import Foundation
public import LinuxSystem
import SystemPackage

/// A fresh network namespace for one test. It holds only a loopback interface, down, and dies with the fixture.
///
/// Everything is synchronous, so that a body that is inside the namespace cannot change threads half-way.
public struct NetworkNamespaceFixture: ~Copyable {
    public let namespace: Namespace

    /// The calling thread makes the namespace and comes back.
    public init() throws {
        let home = try Namespace.current(.net)
        guard unshare(CLONE_NEWNET) == 0 else { throw SystemError("unshare", "net", errno: .last) }
        defer {
            if setns(home.descriptor.rawValue, CLONE_NEWNET) != 0 { abort() }
        }
        namespace = try Namespace.current(.net)
    }

    /// The number of the open namespace file, for requests that name a namespace by it.
    public var descriptor: Int32 { namespace.descriptor.rawValue }

    /// A path that names the namespace to other processes for as long as the fixture lives.
    public var path: String { "/proc/\(getpid())/fd/\(descriptor)" }

    /// Runs `body` inside.
    public borrowing func enter<Result: ~Copyable>(_ body: () throws -> Result) throws -> Result {
        try namespace.enter(.net, body)
    }

    /// What a program did.
    public struct Output: Sendable {
        /// As a shell reports it: 0 to 255, 128+n for signal n.
        public var status: Int32
        public var output: String
        public var errors: String
    }

    /// Runs a program inside and waits for it, at most 20 seconds.
    public borrowing func run(_ words: [String]) throws -> Output {
        let output = Descriptor(owning: memfd_create("output", UInt32(MFD_CLOEXEC)))
        let errors = Descriptor(owning: memfd_create("errors", UInt32(MFD_CLOEXEC)))
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output.rawValue, 1)
        posix_spawn_file_actions_adddup2(&actions, errors.rawValue, 2)
        let arguments = words.map { strdup($0) } + [nil]
        let variables = [
            strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), strdup("LC_ALL=C"), nil,
        ]
        defer { (arguments + variables).forEach { free($0) } }
        var child: pid_t = 0
        // A new process starts in the namespace of the thread that made it.
        let failure = try enter { posix_spawnp(&child, words[0], &actions, nil, arguments, variables) }
        guard failure == 0 else { throw SystemError("start", words[0], errno: .init(rawValue: failure)) }
        let process = try ProcessHandle(processIdentifier: child)
        var waiting = pollfd(fd: process.pidfd.rawValue, events: Int16(POLLIN), revents: 0)
        if poll(&waiting, 1, 20_000) == 0 { kill(child, SIGKILL) }
        let status = try process.wait()
        return Output(status: status, output: try Self.text(output), errors: try Self.text(errors))
    }

    /// Runs a program that has to succeed and returns what it wrote.
    @discardableResult
    public borrowing func must(_ words: String...) throws -> String {
        let result = try run(words)
        guard result.status == 0 else {
            throw CommandFailed(description: "\(words.joined(separator: " ")): \(result.status): \(result.errors)")
        }
        return result.output
    }

    /// Runs `ip -j -d` inside and returns the objects it prints: what the kernel holds, told by someone else.
    public borrowing func ip(_ words: String...) throws -> [[String: Any]] {
        let result = try run(["ip", "-j", "-d"] + words)
        guard result.status == 0 else {
            throw CommandFailed(description: "ip \(words.joined(separator: " ")): \(result.status): \(result.errors)")
        }
        let value = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
        // ip prints empty objects for what a filter left out.
        return (value as? [[String: Any]] ?? []).filter { !$0.isEmpty }
    }

    struct CommandFailed: Error, CustomStringConvertible {
        let description: String
    }

    private static func text(_ file: borrowing Descriptor) throws -> String {
        lseek(file.rawValue, 0, SEEK_SET)
        return String(decoding: try file.readAll(), as: UTF8.self)
    }
}
