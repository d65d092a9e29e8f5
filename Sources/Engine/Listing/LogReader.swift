import CLinux
public import ContainerLog
public import LinuxSystem
import NetworkModel
import SystemPackage
import JSONCoding

/// A line of a container's log.
public struct LogEntry: Hashable, Sendable {
    /// With its line end, if the container wrote one.
    public var text: String
    public var stream: LogStream
    /// RFC 3339.
    public var time: String
}

/// Reads a container's log (docker's json-file format) from its beginning, and on while it grows.
public struct LogReader: ~Copyable {
    private let file: Descriptor?
    /// Bytes of an entry that is still being written.
    private var partial: [UInt8] = []

    /// A container that has written nothing has no log.
    init(path: String) throws(SystemError) {
        do throws(SystemError) {
            file = .some(try Descriptor.open(path))
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
            file = nil
        }
    }

    /// How much is read at once: a container may write for years, and its log is nobody's to hold in memory.
    private static let chunk = 1 << 20

    /// Some more entries, in order; none when there are no more for now. An entry that cannot be read is left out.
    public mutating func next() throws(SystemError) -> [LogEntry] {
        while true {
            let bytes = try read()
            if bytes.isEmpty { return [] }
            partial += bytes
            guard let end = partial.lastIndex(of: UInt8(ascii: "\n")) else {
                // No entry is as long as that; somebody else wrote here.
                if partial.count > 4 * Self.chunk { partial = [] }
                continue
            }
            let entries = partial[..<end].split(separator: UInt8(ascii: "\n")).compactMap { Self.entry(Array($0)) }
            partial.removeSubrange(...end)
            if !entries.isEmpty { return entries }
        }
    }

    private borrowing func read() throws(SystemError) -> [UInt8] {
        switch file {
        case .some(let file):
            let number = file.rawValue
            var bytes = [UInt8](repeating: 0, count: Self.chunk)
            let count = retryingOnInterrupt { CLinux.read(number, &bytes, bytes.count) }
            guard count >= 0 else { throw SystemError("read log", errno: .last) }
            bytes.removeSubrange(count...)
            return bytes
        case .none: return []
        }
    }

    private static func entry(_ line: [UInt8]) -> LogEntry? {
        guard let json = try? JSONValue(parsing: line), let text = try? json.string("log"),
            let stream = try? json.string("stream"), let time = try? json.string("time")
        else { return nil }
        return LogEntry(text: text, stream: stream == "stderr" ? .error : .output, time: time)
    }
}

extension Engine {
    public func log(of container: Container) throws -> LogReader {
        try LogReader(path: "\(containers.directory(of: container.record.id))/log")
    }

    /// Hands out a container's log, and what is added to it until the container ends.
    ///
    /// - Parameters:
    ///   - last: How many entries to begin with; nil is all.
    ///   - isFollowing: Whether to go on until the container has ended.
    public func readLog(
        of container: Container, last: Int?, isFollowing: Bool, _ body: ([LogEntry]) -> Void
    ) throws {
        var reader = try log(of: container)
        if let last {
            var tail: [LogEntry] = []
            while case let more = try reader.next(), !more.isEmpty { tail = (tail + more).suffix(last) }
            if !tail.isEmpty { body(tail) }
        }
        while true {
            // Asked before the last look, so that nothing that was written until the end is missed.
            let isOver = !isFollowing || access("\(roots.run)/running/\(container.record.id)", F_OK) != 0
            while case let more = try reader.next(), !more.isEmpty { body(more) }
            if isOver { return }
            usleep(50_000)
        }
    }
}
