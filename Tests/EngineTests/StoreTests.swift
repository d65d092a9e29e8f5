import CLinux
import Foundation
import LinuxSystem
import JSONCoding
import NetworkModel
import Testing

@testable import Engine

/// A store in a directory of its own.
struct Scratch: ~Copyable {
    let path: String
    let store: ContainerStore

    init() throws {
        path = NSTemporaryDirectory() + "engine-tests-\(randomHex(bytes: 6))"
        store = ContainerStore(root: "\(path)/state", runRoot: "\(path)/run")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

func sampleRecord(id: String = String(repeating: "ab", count: 32), name: String = "web") throws -> ContainerRecord {
    ContainerRecord(
        id: id, name: name, image: "redis", imageID: String(repeating: "c", count: 64),
        created: "2026-11-21T04:00:00Z", arguments: ["redis-server", "--port", "6379"], environment: ["A=b \"c\""],
        workingDirectory: "/data", user: "redis", hostname: "web", hasTerminal: false, isInteractive: true,
        removesItself: false, hasReadOnlyRoot: true, isPrivileged: false, capabilities: ["CAP_KILL"],
        limits: ResourceOptions(), network: "bridge",
        ports: [try PortRequest(parsing: "127.0.0.1:80-81:8080-8081/tcp")],
        mounts: [MountRecord(volume: "v", source: "/s", destination: "/d", isReadOnly: true, isAnonymous: true)],
        labels: ["k": "v"], stopSignal: "SIGTERM", layers: ["/l/1", "/l/2"])
}

@Suite struct RecordTests {
    @Test func recordsReadBack() throws {
        var record = try sampleRecord()
        record.limits.memory = 1 << 30
        record.limits.pids = -1
        let bytes = record.json.bytes
        #expect(try ContainerRecord(json: JSONValue(parsing: bytes)) == record)
        #expect(record.shortID == "abababababab")
    }

    @Test func statusesReadBack() throws {
        var status = ContainerStatus(.running)
        status.process = 42
        status.startTime = 123_456_789
        status.started = "2026-11-21T04:00:00.5Z"
        #expect(try ContainerStatus(json: JSONValue(parsing: status.json.bytes)) == status)
        var exited = ContainerStatus(.exited)
        exited.exitCode = 137
        exited.error = "killed"
        #expect(try ContainerStatus(json: JSONValue(parsing: exited.json.bytes)) == exited)
    }

    @Test func damagedRecordsAreErrors() {
        #expect(throws: JSONCodingError.self) { try ContainerRecord(json: .object([])) }
        #expect(throws: JSONCodingError.self) { try ContainerStatus(json: JSONValue(["phase": .string("flying")])) }
    }
}

@Suite struct StoreTests {
    private func finish(_ store: ContainerStore, _ lock: consuming SupervisorLock, code: Int32 = 0) throws {
        var status = ContainerStatus(.exited)
        status.exitCode = code
        try store.finish(lock, status)
    }

    @Test func aContainerLivesAndIsRemoved() throws {
        let scratch = try Scratch()
        let store = scratch.store
        let lock = try store.create(name: "web", removesItself: false)
        let id = lock.id
        // Being made, it is nobody's business yet.
        #expect(try store.containers().isEmpty)
        var record = try sampleRecord(id: id)
        record.name = "web"
        try store.write(record)
        var running = ContainerStatus(.running)
        running.process = 1
        try lock.write(running)
        #expect(try store.find("web").status == running)
        #expect(try store.find(String(id.prefix(5))).record == record)
        try finish(store, lock, code: 7)
        #expect(try store.find(id).status.exitCode == 7)
        let again = try store.take(record, phase: .removing)
        try store.remove(again)
        #expect(throws: EngineError.self) { try store.find("web") }
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(scratch.path)/state/names").isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(scratch.path)/state/containers").isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(scratch.path)/run/running").isEmpty)
    }

    @Test func aNameIsTakenOnce() throws {
        let scratch = try Scratch()
        let first = try scratch.store.create(name: "web", removesItself: false)
        let id = String(first.id.prefix(12))
        do {
            let second = try scratch.store.create(name: "web", removesItself: false)
            Issue.record("made \(second.id) too")
        } catch let error as EngineError {
            #expect(error.kind == .conflict && error.message.contains("'web'") && error.message.contains(id))
        }
        try scratch.store.remove(first)
        try scratch.store.remove(try scratch.store.create(name: "web", removesItself: false))
    }

    @Test func randomNamesNeverCollide() throws {
        let scratch = try Scratch()
        var names: Set<String> = []
        for _ in 0..<60 {
            let lock = try scratch.store.create(name: nil, removesItself: false)
            names.insert(lock.name)
            try scratch.store.write(try sampleRecord(id: lock.id, name: lock.name))
            try finish(scratch.store, lock)
        }
        #expect(names.count == 60)
        #expect(try scratch.store.containers().count == 60)
    }

    @Test func anAmbiguousIdIsNamed() throws {
        let scratch = try Scratch()
        for _ in 0..<17 {
            let lock = try scratch.store.create(name: nil, removesItself: false)
            try scratch.store.write(try sampleRecord(id: lock.id, name: lock.name))
            try finish(scratch.store, lock)
        }
        let first = try scratch.store.containers().map { String($0.record.id.prefix(1)) }
        let twice = try #require(first.first { letter in first.filter { $0 == letter }.count > 1 })
        let error = #expect(throws: EngineError.self) { try scratch.store.find(twice) }
        #expect(error?.message.contains("ambiguous") == true)
    }

    @Test(arguments: ["", "nosuch", "../../etc", "a/b", "\u{1b}[31m"])
    func whatIsNotThereIsNotFound(_ name: String) throws {
        let scratch = try Scratch()
        #expect(throws: EngineError(.notFound, "no such container: \(name)")) { try scratch.store.find(name) }
    }

    @Test func theLockOfALivingHolderIsLeftAlone() throws {
        let scratch = try Scratch()
        let lock = try scratch.store.create(name: "web", removesItself: false)
        try scratch.store.recover { _ in Issue.record("recovered a living container") }
        #expect(throws: EngineError.self) {
            _ = try scratch.store.take(try sampleRecord(id: lock.id), phase: .removing)
        }
        try scratch.store.remove(lock)
    }

    @Test func aDeadHoldersContainerIsRecovered() throws {
        let scratch = try Scratch()
        let store = scratch.store
        let id: String
        do {
            let lock = try store.create(name: "web", removesItself: true)
            id = lock.id
            var running = ContainerStatus(.running)
            running.process = 4242
            try lock.write(running)
            // The lock goes with its last descriptor here, as it does when a process is killed.
        }
        var seen: [String] = []
        try store.recover { lock in
            seen.append(lock.id)
            #expect(lock.name == "web" && lock.removesItself && lock.lastStatus().process == 4242)
            try store.remove(lock)
        }
        #expect(seen == [id])
        #expect(throws: EngineError.self) { try store.find("web") }
    }

    @Test func whatABootLeavesIsRecoveredOnce() throws {
        let scratch = try Scratch()
        let store = scratch.store
        try store.recover { _ in }
        var ids: [String] = []
        for name in ["kept", "half"] {
            let lock = try store.create(name: name, removesItself: false)
            ids.append(lock.id)
            if name == "kept" { try store.write(try sampleRecord(id: lock.id, name: name)) }
        }
        try FileManager.default.removeItem(atPath: "\(scratch.path)/run")
        var phases: [String: ContainerStatus.Phase] = [:]
        try store.recover { lock in
            let (id, phase) = (lock.id, lock.lastStatus().phase)
            phases[id] = phase
            if phase == .removing { try store.remove(lock) } else { try finish(store, lock, code: 255) }
        }
        #expect(phases == [ids[0]: .running, ids[1]: .removing])
        try store.recover { _ in Issue.record("recovered twice") }
        #expect(try store.find("kept").status.exitCode == 255)
        // The name of the half-made one is free, although nothing said whose it was.
        try store.remove(try store.create(name: "half", removesItself: false))
    }

    @Test func anEndThatIsWrittenDownIsNotWrittenAgain() throws {
        let scratch = try Scratch()
        let engine = Engine(
            roots: EngineRoots(
                state: "\(scratch.path)/state", run: "\(scratch.path)/run", networkState: "\(scratch.path)/net",
                networkRun: "\(scratch.path)/netrun"))
        do {
            let lock = try engine.containers.create(name: "web", removesItself: false)
            try engine.containers.write(try sampleRecord(id: lock.id))
            try lock.write(ContainerStatus(.running))
            var ended = ContainerStatus(.exited)
            ended.exitCode = 7
            // The supervisor is killed when the end is written and the lock is still there.
            try Descriptor.openDirectory(engine.containers.directory(of: lock.id))
                .replaceFile("status.json", with: ended.json.bytes)
        }
        try engine.recover()
        let found = try engine.containers.find("web")
        #expect(found.status.exitCode == 7 && found.status.phase == .exited)
    }

    @Test func nobodyElseLooksIn() throws {
        let scratch = try Scratch()
        let lock = try scratch.store.create(name: "web", removesItself: false)
        for path in ["containers", "containers/\(lock.id)", "names"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(scratch.path)/state/\(path)")
            #expect(attributes[.posixPermissions] as? Int == 0o700, "\(path)")
        }
        try scratch.store.remove(lock)
    }
}
