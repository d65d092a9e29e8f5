import CLinux
import LinuxSystem
import RuntimeSpec
import SystemPackage
import SystemdUnits

/// The program beside this one that speaks with systemd: one request, and how it was answered. It goes on as long as this
/// value is there.
struct SystemdHelper: ~Copyable {
    let reply: UnitReply
    private let conversation: HelperConversation

    /// Whether the user's own systemd is to be asked: the system's lets only root make units.
    static var isForUser: Bool {
        if geteuid() != 0 { return true }
        // Whoever is root in a user namespace only is a user to systemd (user_namespaces(7)).
        guard let map = try? Descriptor.open("/proc/self/uid_map").readAll(limit: 4096) else { return false }
        return String(decoding: map, as: UTF8.self).split(whereSeparator: \.isWhitespace) != ["0", "0", "4294967295"]
    }

    /// - Throws: `ContainerError` where systemd is not the machine's first process (sd_booted(3)).
    static func requireSystemd() throws(ContainerError) {
        guard unsafe access("/run/systemd/system", F_OK) == 0 else {
            throw ContainerError(
                .failed, "systemd not running on this host, can't use systemd as cgroups manager (/run/systemd/system)")
        }
    }

    /// Has systemd do something.
    ///
    /// - Throws: `ContainerError` in systemd's words; `SystemError` when the program cannot be started.
    init(_ verb: String, _ request: UnitRequest) throws {
        try Self.requireSystemd()
        let conversation = try Self.start(verb, for: request.unit)
        let reply = try UnitReply(line: try conversation.ask(request.line))
        if let error = reply.error { throw ContainerError(.failed, error) }
        self.reply = reply
        self.conversation = conversation
    }

    /// Has an update taken back. Whoever asks has a reason already, which says more than that this could not be done.
    func takeBack() { _ = try? conversation.ask(UnitRequest.takeBack) }

    private static func start(_ verb: String, for unit: String) throws(SystemError) -> HelperConversation {
        let name = "swrun-systemd"
        // Where the user's manager is.
        let environment = ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"].compactMap { (variable: String) -> String? in
            guard let value = unsafe getenv(variable) else { return nil }
            return unsafe "\(variable)=\(String(cString: value))"
        }
        let own = try ProtectedExecutable.path()
        let path = own[..<(own.lastIndex(of: "/") ?? own.endIndex)] + "/\(name)"
        do throws(SystemError) {
            return try HelperConversation(String(path), [name, verb], environment)
        } catch {
            throw SystemError(
                "ask systemd for \(unit): execute", String(path), errno: error.errno,
                hint: "the systemd manager (--systemd-cgroup) needs \(name) beside \(own)")
        }
    }
}
