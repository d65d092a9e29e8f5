import CLinux
import CommandSupport
import ContainerRuntime
import LinuxSystem

/// The file that an engine reads errors from (`--log`, `--log-format`), in runc's two formats.
struct Log {
    private let path: String?
    private let isJSON: Bool

    init(globals: ParsedFlags?) {
        path = globals?.value("log")
        isJSON = globals?.value("log-format") == "json"
    }

    /// Makes sure that the file can be written to: an engine would look there in vain.
    ///
    /// - Throws: `SystemError`.
    func check() throws(SystemError) {
        if let path, !path.isEmpty { _ = try Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600) }
    }

    /// Adds a line. Standard error has the message as well, so a file that cannot be written is no further error.
    func write(_ message: String, level: String = "error") {
        guard let path, !path.isEmpty,
            let file = try? Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        else { return }
        let line = LogLine(level: level, msg: message, time: Timestamp.now(nanoseconds: false))
        let text: String
        if isJSON {
            text = (try? JSONOutput.text(line, pretty: false)) ?? ""
        } else {
            let quoted = (try? JSONOutput.text(line.msg, pretty: false)) ?? ""
            text = "time=\"\(line.time)\" level=\(line.level) msg=\(quoted)"
        }
        try? file.writeAll(Array("\(text)\n".utf8))
    }
}

struct LogLine: Codable {
    var level: String
    var msg: String
    var time: String
}
