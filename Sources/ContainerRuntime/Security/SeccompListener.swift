import CLinux
import LinuxSystem
public import RuntimeSpec
import SystemPackage

/// Whoever answers for the system calls that a filter asks about (seccomp_unotify(2)): a socket that gets the listener
/// of each process of the container, with what it is (runtime-spec, config-linux.md, "The Container Process State").
public struct SeccompListener: Hashable, Sendable {
    let path: String
    let metadata: String
    let state: State

    /// Nil for a document that asks nobody.
    ///
    /// - Throws: `SpecError` that names the field.
    public init?(_ seccomp: Spec.Linux.Seccomp?, state: State) throws(SpecError) {
        let path = seccomp?.listenerPath ?? ""
        var asks = false
        for (index, rule) in (seccomp?.syscalls ?? []).enumerated() where rule.action == "SCMP_ACT_NOTIFY" {
            asks = true
            for (call, reason) in Self.needed where rule.names.contains(call) {
                throw SpecError(
                    "linux.seccomp.syscalls[\(index)].names",
                    "SCMP_ACT_NOTIFY cannot be used for the \(call) syscall: \(reason)")
            }
        }
        guard asks else { return nil }
        guard !path.isEmpty else {
            throw SpecError("linux.seccomp.listenerPath", "missing for the action SCMP_ACT_NOTIFY")
        }
        try Spec.checkAbsolute("linux.seccomp.listenerPath", path)
        self.path = path
        metadata = seccomp?.listenerMetadata ?? ""
        self.state = state
    }

    /// What the runtime's own processes do while the filter confines them already.
    private static let needed = [
        ("sendmsg", "the listener is handed over with it, so nobody could answer yet"),
        ("recvfrom", "the runtime waits with it until the listener is handed over"),
        ("write", "the runtime says with it why a hook cannot be executed, and would wait for the answer"),
    ]

    /// Gives the listener of a process to who answers.
    ///
    /// - Throws: `SystemError` that names the socket. The corresponding system call is `sendmsg` with `SCM_RIGHTS`.
    func handOver(_ listener: borrowing Descriptor, process: Int32, status: State.Status) throws(SystemError) {
        let number = unsafe swn_unix_socket(Int32(SOCK_STREAM.rawValue), path, 0)
        guard number >= 0 else {
            throw SystemError("failed to connect with seccomp agent (linux.seccomp.listenerPath)", path, errno: .last)
        }
        let socket = Descriptor(owning: number)
        var state = state
        state.status = status
        if state.pid ?? 0 == 0 { state.pid = process }
        let text = ContainerProcessState(state: state, process: process, metadata: metadata).text
        let bytes = Array(text.utf8)
        guard unsafe swn_send_descriptor(socket.rawValue, bytes, bytes.count, listener.rawValue) == bytes.count else {
            throw SystemError("send seccomp listener to", path, errno: .last)
        }
    }
}
