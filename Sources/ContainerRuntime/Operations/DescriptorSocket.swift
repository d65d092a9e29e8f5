import CLinux
import LinuxSystem
import SystemPackage

/// A socket at which somebody waits for an open descriptor.
enum DescriptorSocket {
    /// The controlling side of a detached container's terminal goes to whoever plays the terminal.
    ///
    /// - Throws: `SystemError` that names the socket. The corresponding system call is `sendmsg` with `SCM_RIGHTS`.
    static func send(terminal: borrowing Descriptor, to path: String) throws(SystemError) {
        // Receivers take the bytes for the terminal's name.
        try send(terminal.rawValue, named: "/dev/ptmx", to: path, kind: "console socket")
    }

    /// A pidfd goes to whoever wants to signal or to wait for the process, and for no other that gets its number later.
    static func send(process: Int32, to path: String) throws(SystemError) {
        try send(process, named: "pidfd", to: path, kind: "pidfd socket")
    }

    private static func send(_ descriptor: Int32, named name: String, to path: String, kind: String) throws(SystemError)
    {
        let number = unsafe swn_unix_socket(Int32(SOCK_STREAM.rawValue), path, 0)
        guard number >= 0 else { throw SystemError("connect to \(kind)", path, errno: .last) }
        let socket = Descriptor(owning: number)
        let bytes = Array(name.utf8)
        guard unsafe swn_send_descriptor(socket.rawValue, bytes, bytes.count, descriptor) == bytes.count else {
            throw SystemError("send descriptor to \(kind)", path, errno: .last)
        }
    }
}
