import CLinux
public import JSONCoding

/// What has become of a container. While it runs, this is in the file that its supervisor holds locked; afterwards it
/// stands beside its record.
public struct ContainerStatus: Hashable, Sendable {
    public enum Phase: String, Hashable, Sendable {
        /// Being made: nothing of it is worth keeping if its maker dies.
        case creating
        case running
        case exited
        /// Being removed: whoever finds it so goes on with that.
        case removing
    }

    public var phase: Phase
    /// The container's first process, and when it started (clock ticks since boot).
    public var process: Int32?
    public var startTime: UInt64?
    /// RFC 3339.
    public var started: String?
    public var finished: String?
    /// As a shell reports it.
    public var exitCode: Int32?
    /// Why it ended, when that was not of itself.
    public var error: String?

    public init(_ phase: Phase) { self.phase = phase }
}

extension ContainerStatus: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        guard let phase = Phase(rawValue: try json.string("phase")) else {
            throw JSONCodingError("phase", "is not known")
        }
        self.init(phase)
        process = json["process"] == nil ? nil : Int32(clamping: try json.integer("process"))
        startTime = json["startTime"] == nil ? nil : UInt64(clamping: try json.integer("startTime"))
        started = try json.optionalText("started")
        finished = try json.optionalText("finished")
        exitCode = json["exitCode"] == nil ? nil : Int32(clamping: try json.integer("exitCode"))
        error = try json.optionalText("error")
    }

    public var json: JSONValue {
        JSONValue([
            "phase": .string(phase.rawValue), "process": process.map { .integer(Int($0)) },
            "startTime": startTime.map { .integer(Int($0)) }, "started": started.map { .string($0) },
            "finished": finished.map { .string($0) }, "exitCode": exitCode.map { .integer(Int($0)) },
            "error": error.map { .string($0) },
        ])
    }
}
