import CLinux
import LinuxSystem
import SystemPackage

/// Where the controlling side of a detached container's terminal goes: a socket of whoever plays the terminal.
enum ConsoleSocket {
    /// - Throws: `SystemError` that names the socket. The corresponding system call is `sendmsg` with `SCM_RIGHTS`.
    static func send(_ terminal: borrowing Descriptor, to path: String) throws(SystemError) {
        let number = unsafe swn_unix_socket(Int32(SOCK_STREAM.rawValue), path, 0)
        guard number >= 0 else { throw SystemError("connect to console socket", path, errno: .last) }
        let socket = Descriptor(owning: number)
        // Receivers take the bytes for the terminal's name.
        let name = Array("/dev/ptmx".utf8)
        guard unsafe swn_send_descriptor(socket.rawValue, name, name.count, terminal.rawValue) == name.count else {
            throw SystemError("send terminal to", path, errno: .last)
        }
    }
}
