import CLinux
import CommandSupport
import ContainerRuntime
import LinuxSystem
import SystemPackage

/// The file that an engine reads errors from (`--log`, `--log-format`), in runc's two formats.
struct Log {
    private let path: String?
    private let isJSON: Bool

    init(globals: ParsedFlags?) {
        let word = globals?.value("log")
        // crun says with a prefix what kind of log it is.
        path = word?.hasPrefix("file:") == true ? word.map { String($0.dropFirst(5)) } : word
        isJSON = globals?.value("log-format") == "json"
    }

    /// Makes sure that the file can be written to: an engine would look there in vain.
    ///
    /// - Throws: `SystemError`.
    func check() throws(SystemError) {
        if let path, path.hasPrefix("syslog:") || path.hasPrefix("journald:") {
            throw SystemError("log to", path, errno: .notSupported, hint: "swrun writes its log to a file (--log FILE)")
        }
        if let path, !path.isEmpty { _ = try Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600) }
    }

    /// Whether there is a file.
    var isThere: Bool { path?.isEmpty == false }

    /// Adds a line. Standard error has errors as well, so a file that cannot be written is no further error; what is no
    /// error goes there when there is no file.
    func write(_ message: String, level: String = "error") {
        guard let path, !path.isEmpty else {
            if level == "debug" { Output.errorLine(line(message, level)) }
            return
        }
        let file = try? Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        try? file?.writeAll(Array("\(line(message, level))\n".utf8))
    }

    private func line(_ message: String, _ level: String) -> String {
        let line = LogLine(level: level, msg: message, time: Timestamp.now(nanoseconds: false))
        if isJSON { return (try? JSONOutput.text(line, pretty: false)) ?? "" }
        let quoted = (try? JSONOutput.text(line.msg, pretty: false)) ?? ""
        return "time=\"\(line.time)\" level=\(line.level) msg=\(quoted)"
    }
}

struct LogLine: Codable {
    var level: String
    var msg: String
    var time: String
}
