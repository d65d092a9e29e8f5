import CLinux
import CommandSupport
import ContainerRuntime
import LinuxSystem
import SystemPackage

/// Where an engine reads errors (`--log`, `--log-format`): a file in runc's two formats, or a service of the machine's.
struct Log {
    private let path: String?
    private let service: LogService?
    private let isJSON: Bool

    init(globals: ParsedFlags?, _ program: Program) {
        let word = globals?.value("log")
        service = word.flatMap { word in
            LogService(
                word, container: globals.flatMap { SwrunCommands.container(in: $0.arguments) }, program: program.name)
        }
        // crun says with a prefix what kind of log it is.
        path = word?.hasPrefix("file:") == true ? word.map { String($0.dropFirst(5)) } : word
        isJSON = globals?.value("log-format") == "json"
    }

    /// Makes sure that the file can be written to: an engine would look there in vain. A service may come and go.
    ///
    /// - Throws: `SystemError`.
    func check() throws(SystemError) {
        guard service == nil, let path, !path.isEmpty else { return }
        _ = try Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
    }

    /// Adds a line.
    ///
    /// - Returns: Whether there is a log that took it. Standard error has errors as well, so that it is no further error
    ///   when none did.
    @discardableResult
    func write(_ message: String, level: String = "error") -> Bool {
        if let service { return service.send(isJSON ? line(message, level) : message, level: level) }
        guard let path, !path.isEmpty else { return false }
        let file = try? Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        return (try? file?.writeAll(Array("\(line(message, level))\n".utf8))) != nil
    }

    /// What is said step by step goes to standard error when there is no log for it.
    func debug(_ message: String) {
        if !write(message, level: "debug") { Output.errorLine(line(message, "debug")) }
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
