import CLinux
import Foundation
import LinuxSystem
import Testing

@Suite("processes, locks and namespaces")
struct ProcessTests {
    @Test func `a lock is free again when its holder is killed`() throws {
        try withScratchDirectory { path in
            let holder = Process()
            holder.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
            holder.arguments = [path + "/lock", "sh", "-c", "echo held; exec sleep 60"]
            let output = Pipe()
            holder.standardOutput = output
            try holder.run()
            #expect(output.fileHandleForReading.availableData == Data("held\n".utf8))
            switch try FileLock.attempt(path + "/lock") {
            case .none: break
            case .some: Issue.record("the lock was taken while another process holds it")
            }
            // flock(1) keeps its descriptor open while the command runs: both have to go.
            let child = try #require(childOf(holder.processIdentifier))
            kill(holder.processIdentifier, SIGKILL)
            kill(child, SIGKILL)
            holder.waitUntilExit()
            let lock = try FileLock(path + "/lock")
            #expect(lock.descriptor.rawValue >= 0)
        }
    }

    private func childOf(_ process: Int32) -> Int32? {
        let text = try? String(contentsOfFile: "/proc/\(process)/task/\(process)/children", encoding: .utf8)
        return text?.split(separator: " ").first.flatMap { Int32($0) }
    }

    @Test func `the start time is the one proc shows, and a process that is gone has none`() throws {
        let fields = try String(contentsOfFile: "/proc/self/stat", encoding: .utf8).split(separator: " ")
        let count = try String(contentsOfFile: "/proc/self/comm", encoding: .utf8).split(separator: " ").count
        #expect(ProcessHandle.startTime(of: getpid()) == UInt64(fields[20 + count]))
        #expect(ProcessHandle.startTime(of: 4_194_305) == nil)
    }

    @Test func `a child's exit is reported as a shell reports it`() throws {
        for (command, status) in [("exit 3", 3), ("kill -KILL $$", 137)] as [(String, Int32)] {
            var child: pid_t = 0
            let words: [UnsafeMutablePointer<CChar>?] = ["/bin/sh", "-c", command].map { strdup($0 as String) } + [nil]
            defer { words.forEach { free($0) } }
            #expect(posix_spawn(&child, "/bin/sh", nil, nil, words, nil) == 0)
            let observed = try ProcessHandle(processIdentifier: child).wait()
            #expect(observed == status)
        }
    }

    @Test func `what is done in a namespace stays there, and the thread comes back`() throws {
        let home = try Namespace.current(.net).identity
        let holder = Process()
        holder.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        holder.arguments = ["--net", "sh", "-c", "echo ready; exec sleep 60"]
        let output = Pipe()
        holder.standardOutput = output
        try holder.run()
        defer {
            kill(holder.processIdentifier, SIGKILL)
            holder.waitUntilExit()
        }
        #expect(output.fileHandleForReading.availableData == Data("ready\n".utf8))
        let namespace = try Namespace.of(process: holder.processIdentifier, .net)
        let inside = try namespace.enter(.net) { try Namespace.current(.net).identity }
        let expected = namespace.identity
        #expect(inside == expected && inside != home)
        struct Stop: Error {}
        do {
            try namespace.enter(.net) { throw Stop() }
            Issue.record("the body's error was lost")
        } catch is Stop {}
        #expect(try Namespace.current(.net).identity == home)
    }

    @Test func `a file that is no namespace is refused`() {
        #expect {
            _ = try Namespace(path: "/etc/passwd").identity
        } throws: { error in
            "\(error)" == "open namespace /etc/passwd: invalid argument (not a namespace file)"
        }
        #expect(throws: SystemError.self) { _ = try Namespace.of(process: 4_194_305, .net).identity }
    }

    @Test func `a sysctl is written only when it differs`() throws {
        #expect(try Sysctl.read("kernel/no_such_parameter") == nil)
        #expect(try Sysctl.set("kernel/no_such_parameter", to: "1") == nil)
        let current = try #require(try Sysctl.read("kernel/pid_max"))
        #expect(try Sysctl.set("kernel/pid_max", to: current) == nil)
    }
}
