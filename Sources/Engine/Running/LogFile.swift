import CLinux
import ContainerLog
import LinuxSystem

/// The log of a container in the foreground. The file is made with the first byte: most short commands say nothing.
struct LogFile: ~Copyable {
    private let path: String
    private var file: Descriptor?
    private var writer: LogWriter?

    init(path: String) {
        self.path = path
        file = nil
    }

    /// Opens a container's log for appending, and makes it.
    static func open(path: String) throws(SystemError) -> Descriptor {
        try Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o600)
    }

    mutating func write(_ bytes: ArraySlice<UInt8>, from stream: LogStream) {
        if writer == nil, let opened = try? Self.open(path: path) {
            writer = LogWriter(file: opened.rawValue)
            file = .some(opened)
        }
        writer?.write(bytes, from: stream)
    }

    mutating func finish() { writer?.finish() }
}
