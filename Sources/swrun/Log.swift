import CLinux
import CommandSupport
import ContainerRuntime
import LinuxSystem
import SystemPackage

/// Where an engine reads errors (`--log`, `--log-format`): a file in runc's two formats, or a service of the machine's.
///
/// It is put together anew whenever something is written, which most commands never do.
struct Log {
    let globals: ParsedFlags?
    let program: Program

    /// Makes sure that the file can be written to: an engine would look there in vain. A service may come and go.
    ///
    /// - Throws: `SystemError`.
    func check() throws(SystemError) {
        guard let path, !LogService.isMeant(by: path) else { return }
        _ = try Self.open(path)
    }

    /// Adds a line.
    ///
    /// - Returns: Whether there is a log that took it. Standard error has errors as well, so that it is no further error
    ///   when none did.
    @discardableResult
    func write(_ message: String, level: String = "error") -> Bool {
        guard let path else {
            // As for runc, whose log is standard error.
            if isJSON { Output.errorLine(line(message, level)) }
            return isJSON
        }
        if LogService.isMeant(by: path) {
            let container = globals.flatMap { SwrunCommands.container(in: $0.arguments) }
            let service = LogService(path, container: container, program: program.name)
            return service.send(isJSON ? line(message, level) : message, level: level)
        }
        return (try? Self.open(path).writeAll(Array("\(line(message, level))\n".utf8))) != nil
    }

    /// Whether what is written is on standard error: there it is to be read once.
    var isOnStandardError: Bool {
        guard let path else { return isJSON }
        guard !LogService.isMeant(by: path), let log = try? Self.open(path).status(),
            let own = try? Descriptor.open("/proc/self/fd/2", O_PATH).status()
        else { return false }
        return log.st_dev == own.st_dev && log.st_ino == own.st_ino
    }

    /// What is said step by step goes to standard error when there is no log for it.
    func debug(_ message: String) {
        if !write(message, level: "debug") { Output.errorLine(line(message, "debug")) }
    }

    private var path: String? {
        guard let word = globals?.value("log"), !word.isEmpty else { return nil }
        // crun says with a prefix what kind of log it is.
        return word.hasPrefix("file:") ? String(word.dropFirst(5)) : word
    }

    private var isJSON: Bool { globals?.value("log-format") == "json" }

    private static func open(_ path: String) throws(SystemError) -> Descriptor {
        try Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
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
