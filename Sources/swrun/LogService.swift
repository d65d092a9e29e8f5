import CommandSupport
import Glibc
import JSONCoding
import LinuxSystem

/// A service of the machine's that keeps logs and takes each message as a datagram: what crun calls `syslog:NAME` and
/// `journald:NAME` in `--log`.
struct LogService {
    private enum Kind { case syslog, journal }

    private let kind: Kind
    /// Who speaks, in the service's lists.
    private let name: String
    private let container: String?

    static func isMeant(by word: String) -> Bool { word.hasPrefix("syslog:") || word.hasPrefix("journald:") }

    /// - Parameters:
    ///   - word: One that means a service.
    ///   - container: The container that the command is about, whose name stands for one that is not given.
    ///   - program: Stands for that, in a command that is about none.
    init(_ word: String, container: String?, program: String) {
        kind = word.hasPrefix("syslog:") ? .syslog : .journal
        self.container = container
        let given = word.drop { $0 != ":" }.dropFirst()
        name = given.isEmpty ? container ?? program : String(given)
    }

    /// - Returns: Whether the service was there to take it.
    func send(_ message: String, level: String) -> Bool {
        let priority = level == "debug" ? LOG_DEBUG : level == "warning" ? LOG_WARNING : LOG_ERR
        // More than fits into a datagram is of use to nobody.
        let text = String(decoding: message.utf8.prefix(32 << 10), as: UTF8.self).printable
        switch kind {
        case .syslog:
            // As syslog(3) sends it but for the time, which the service then says itself.
            return send("<\(LOG_USER | priority)>\(name.printable): \(text)", to: "/dev/log")
        case .journal:
            // systemd's "Native Journal Protocol": a line for each field. `ID` is what crun calls the container.
            var fields = "MESSAGE=\(text)\nPRIORITY=\(priority)\nSYSLOG_IDENTIFIER=\(name.printable)\n"
            if let container { fields += "ID=\(container.printable)\n" }
            return send(fields, to: "/run/systemd/journal/socket")
        }
    }

    private func send(_ text: String, to path: String) -> Bool {
        // A service that hangs is not to hang a container that others wait for.
        (try? LocalDatagram.send(Array(text.utf8), to: path, waiting: 1)) != nil
    }
}
