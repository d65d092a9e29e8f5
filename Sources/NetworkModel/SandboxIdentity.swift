public import JSONCoding
/// Which network namespace a sandbox is, in a way that is still true after its process number or inode is reused.
public struct SandboxIdentity: Hashable, Sendable {
    /// Where the namespace is found.
    public var source: Source
    /// The device and inode of the namespace's file.
    public var device: UInt64
    public var inode: UInt64

    public enum Source: Hashable, Sendable {
        /// The namespace of a process that started at that time (clock ticks since boot).
        case process(Int32, startTime: UInt64)
        /// A namespace file.
        case path(String)
    }

    public init(source: Source, device: UInt64, inode: UInt64) {
        self.source = source
        self.device = device
        self.inode = inode
    }

    /// The file to open for the namespace.
    public var path: String {
        switch source {
        case .process(let identifier, _): "/proc/\(identifier)/ns/net"
        case .path(let path): path
        }
    }

    /// Whether both are the same namespace, however they were found.
    public func isSameNamespace(as other: SandboxIdentity) -> Bool { device == other.device && inode == other.inode }
}

extension SandboxIdentity: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        let source: Source
        if json["pid"] != nil {
            guard let process = Int32(exactly: try json.integer("pid")) else {
                throw JSONCodingError("pid", "is out of range")
            }
            source = .process(process, startTime: UInt64(clamping: try json.integer("startTime")))
        } else {
            source = .path(try json.string("path"))
        }
        self.init(
            source: source, device: UInt64(clamping: try json.integer("device")),
            inode: UInt64(clamping: try json.integer("inode")))
    }

    public var json: JSONValue {
        var process: JSONValue?
        var start: JSONValue?
        var path: JSONValue?
        switch source {
        case .process(let identifier, let startTime):
            process = .integer(Int(identifier))
            start = .integer(Int(clamping: startTime))
        case .path(let text): path = .string(text)
        }
        return JSONValue([
            "pid": process, "startTime": start, "path": path,
            "device": .integer(Int(clamping: device)), "inode": .integer(Int(clamping: inode)),
        ])
    }
}
