import CLinux
import LinuxSystem
import JSONCoding
import SystemPackage

/// Which process supervises a container, so that others can tell a lock that is held by it from one that only its
/// dying child has left.
///
/// The lock of a container is inherited by the child that becomes its first process, until that executes its program:
/// a supervisor that is killed in between takes the child with it, but not in the same moment.
struct SupervisorIdentity: Hashable, Sendable {
    var process: Int32
    /// Clock ticks since boot.
    var startTime: UInt64
    /// The inode of the pid namespace in which the process has that number.
    var namespace: UInt64

    init(process: Int32, startTime: UInt64, namespace: UInt64) {
        self.process = process
        self.startTime = startTime
        self.namespace = namespace
    }

    /// This process; it stays the same when it executes another program.
    static func own() throws -> SupervisorIdentity {
        let process = getpid()
        guard let namespace = ownNamespace(), let start = ProcessHandle.startTime(of: process) else {
            throw SystemError("read", "/proc/\(process)/stat", errno: .last)
        }
        return SupervisorIdentity(process: process, startTime: start, namespace: namespace)
    }

    private static func ownNamespace() -> UInt64? {
        var status = stat()
        return stat("/proc/self/ns/pid", &status) == 0 ? UInt64(status.st_ino) : nil
    }

    /// Whether the process has ended, or has been killed and is about to end.
    ///
    /// A process of another pid namespace counts as alive: its number says nothing here.
    var isDoomed: Bool {
        guard namespace == Self.ownNamespace() else { return false }
        guard ProcessHandle.startTime(of: process) == startTime else { return true }
        guard let text = try? Descriptor.open("/proc/\(process)/status").readAll(limit: 65536) else { return true }
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
            let words = line.split { $0 == "\t" || $0 == " " }
            guard words.count > 1 else { continue }
            switch words[0] {
            case "State:":
                if words[1] == "Z" || words[1] == "X" { return true }
            // proc(5): the signals that have been sent and not yet been taken, one bit each.
            case "SigPnd:", "ShdPnd:":
                if let mask = UInt64(words[1], radix: 16), mask & (1 << UInt64(SIGKILL - 1)) != 0 { return true }
            default: break
            }
        }
        return false
    }
}

extension SupervisorIdentity: JSONRepresentable {
    init(json: JSONValue) throws(JSONCodingError) {
        self.init(
            process: Int32(clamping: try json.integer("process")),
            startTime: UInt64(clamping: try json.integer("startTime")),
            namespace: UInt64(clamping: try json.integer("namespace")))
    }

    var json: JSONValue {
        JSONValue([
            "process": .integer(Int(process)), "startTime": .integer(Int(clamping: startTime)),
            "namespace": .integer(Int(clamping: namespace)),
        ])
    }
}
