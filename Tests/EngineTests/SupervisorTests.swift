import CLinux
import Foundation
import LinuxSystem
import JSONCoding
import Testing

@testable import Engine

/// Who holds a lock, and what becomes of it when that one dies.
@Suite struct SupervisorTests {
    /// A process that does nothing, until somebody kills it.
    private func startProcess() throws -> SupervisorIdentity {
        var process: pid_t = 0
        var words: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("1000"), nil]
        defer { words.forEach { free($0) } }
        let result = posix_spawn(&process, "/bin/sleep", nil, nil, &words, nil)
        try #require(result == 0)
        var identity = try SupervisorIdentity.own()
        identity.process = process
        identity.startTime = try #require(ProcessHandle.startTime(of: process))
        return identity
    }

    private func reap(_ identity: SupervisorIdentity) {
        kill(identity.process, SIGKILL)
        waitpid(identity.process, nil, 0)
    }

    @Test func aProcessIsDoomedAsSoonAsItIsKilled() throws {
        #expect(try !SupervisorIdentity.own().isDoomed)
        var other = try startProcess()
        #expect(!other.isDoomed)
        // Whether the kernel has ended it by now or not, and whether it was reaped or not.
        kill(other.process, SIGKILL)
        #expect(other.isDoomed)
        reap(other)
        #expect(other.isDoomed)
        // The number means somebody else in another pid namespace.
        other.namespace += 1
        #expect(!other.isDoomed)
        // The number has gone to another process.
        var reused = try SupervisorIdentity.own()
        reused.startTime += 1
        #expect(reused.isDoomed)
    }

    @Test func aLockThatADyingChildStillHoldsIsWaitedFor() throws {
        let scratch = try Scratch()
        let supervisor = try startProcess()
        reap(supervisor)
        let id = String(repeating: "ab", count: 32)
        let path = "\(scratch.path)/run/running/\(id)"
        _ = try scratch.store.openRunning()
        let content = JSONValue([
            "id": .string(id), "name": .string("web"), "remove": .bool(true), "supervisor": supervisor.json,
            "status": ContainerStatus(.creating).json,
        ])
        #expect(FileManager.default.createFile(atPath: path, contents: Data(content.bytes)))
        // Another open file, as the child's is.
        let child = try Descriptor.open(path, O_RDWR).release()
        #expect(flock(child, LOCK_EX | LOCK_NB) == 0)
        Thread.detachNewThread {
            usleep(300_000)
            close(child)
        }
        var names: [String] = []
        try scratch.store.recover { lock in
            names.append(lock.name)
            try scratch.store.remove(lock)
        }
        #expect(names == ["web"])
    }

    @Test func aLockOfALivingSupervisorIsLeftAlone() throws {
        let scratch = try Scratch()
        let lock = try scratch.store.create(name: "web", removesItself: true)
        #expect(lock.supervisor == (try SupervisorIdentity.own()))
        var count = 0
        try scratch.store.recover { lock in
            count += 1
            try scratch.store.release(lock)
        }
        #expect(count == 0)
        try scratch.store.remove(lock)
    }
}
