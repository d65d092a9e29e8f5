import CLinux

/// The process that holds a lock on a file, as the kernel lists it (`/proc/locks`, proc_locks(5)).
public struct FileLockHolder: Hashable, Sendable, CustomStringConvertible {
    public let processIdentifier: Int32
    /// Its command line; empty when it cannot be read.
    public let command: String
    /// Whether somebody has stopped it, so that it lets go of nothing.
    public let isStopped: Bool

    /// nil when nobody holds one, or nobody who can be seen in this process namespace.
    public init?(of file: borrowing Descriptor) {
        guard let status = try? file.status(), let bytes = try? Descriptor.open("/proc/locks").readAll(limit: 16 << 20)
        else { return nil }
        let device = UInt64(status.st_dev)
        let object =
            Self.hexadecimal(swn_major(device)) + ":" + Self.hexadecimal(swn_minor(device))
            + ":\(status.st_ino)"
        // `1: FLOCK  ADVISORY  WRITE 1234 00:1a:77 0 EOF`; those who wait have an arrow behind the number.
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
            guard words.count > 5, words[1] == "FLOCK", words[5] == object, let process = Int32(words[4]), process > 0
            else { continue }
            self.init(process)
            return
        }
        return nil
    }

    private init(_ process: Int32) {
        processIdentifier = process
        let words = (try? Descriptor.open("/proc/\(process)/cmdline").readAll(limit: 1 << 20)) ?? []
        command = String(decoding: words.prefix(200).map { $0 == 0 ? UInt8(ascii: " ") : $0 }, as: UTF8.self)
            .split(separator: " ").joined(separator: " ")
        isStopped = ProcessHandle.facts(of: process)?.isStopped ?? false
    }

    /// Two digits at least, as the kernel writes them.
    private static func hexadecimal(_ number: UInt32) -> String {
        let text = String(number, radix: 16)
        return text.count < 2 ? "0\(text)" : text
    }

    /// `process 123 (swnet connect lab web)`.
    public var description: String { "process \(processIdentifier)" + (command.isEmpty ? "" : " (\(command))") }
}
