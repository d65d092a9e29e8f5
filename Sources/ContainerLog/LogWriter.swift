import CLinux

/// Turns what a container prints into docker's json-file format: one object a line, with the keys log, stream, time.
///
/// It is compiled twice: for the engine, which logs a container in the foreground, and with Embedded Swift for the
/// monitor, whose memory is counted. So it has no dependency but the C library.
public struct LogWriter {
    /// Longer lines are written in pieces of this many bytes; a piece that does not end its line has no `\n`.
    public static let pieceLength = 16384

    private let file: Int32
    private var partial: ([UInt8], [UInt8]) = ([], [])
    private var out: [UInt8] = []

    /// - Parameter file: A descriptor opened for appending. The writer borrows it.
    public init(file: Int32) { self.file = file }

    /// Logs bytes of a stream. Whole lines are written at once; the rest waits for its line end.
    public mutating func write(_ bytes: ArraySlice<UInt8>, from stream: LogStream) {
        var rest = bytes
        var line = take(stream)
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? rest.endIndex
            let cut = min(end, rest.startIndex + Self.pieceLength - line.count)
            line.append(contentsOf: rest[rest.startIndex..<cut])
            rest = rest[cut...]
            if line.last == UInt8(ascii: "\n") {
                append(line[...], stream)
                line.removeAll(keepingCapacity: true)
            } else if line.count >= Self.pieceLength {
                // A character that is cut in two would be none in either piece.
                let end = line.count - Self.unfinished(line)
                append(line[..<end], stream)
                line.removeSubrange(..<end)
            }
        }
        put(line, stream)
        flush()
    }

    /// Logs what waits for a line end that will not come any more.
    public mutating func finish() {
        for stream in [LogStream.output, .error] {
            let line = take(stream)
            if !line.isEmpty { append(line[...], stream) }
        }
        flush()
    }

    private mutating func take(_ stream: LogStream) -> [UInt8] {
        var line: [UInt8] = []
        if stream == .output { swap(&line, &partial.0) } else { swap(&line, &partial.1) }
        return line
    }

    private mutating func put(_ line: [UInt8], _ stream: LogStream) {
        if stream == .output { partial.0 = line } else { partial.1 = line }
    }

    /// How many bytes at the end of a text begin a UTF-8 character that goes on behind it (RFC 3629, section 3).
    private static func unfinished(_ line: [UInt8]) -> Int {
        for count in 1...3 where line.count > count {
            let byte = line[line.count - count]
            if byte & 0xC0 == 0x80 { continue }
            let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return length > count ? count : 0
        }
        return 0
    }

    private mutating func append(_ line: ArraySlice<UInt8>, _ stream: LogStream) {
        append(text: "{\"log\":\"")
        JSONText.append(Array(line), to: &out)
        append(text: "\",\"stream\":\"")
        append(text: stream.name)
        append(text: "\",\"time\":\"")
        Timestamp.now().append(to: &out)
        append(text: "\"}\n")
    }

    private mutating func append(text: StaticString) {
        text.withUTF8Buffer { out.append(contentsOf: $0) }
    }

    /// A log that cannot be written (a full disk) must not stop the container, so the entry is lost and the pipe read on.
    private mutating func flush() {
        var offset = 0
        out.withUnsafeBytes { bytes in
            while offset < bytes.count {
                let count = CLinux.write(file, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
                if count < 0 && swn_errno() != EINTR { return }
                offset += max(count, 0)
            }
        }
        out.removeAll(keepingCapacity: true)
    }
}
