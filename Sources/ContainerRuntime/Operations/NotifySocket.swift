import CLinux
import LinuxSystem
import RuntimeSpec
import SystemPackage

/// The socket at which a container's program says that it is ready (sd_notify(3)), and the way from there to the service
/// manager that started the runtime (`NOTIFY_SOCKET`).
///
/// The manager's own socket is not given to the container: whoever writes there speaks for the service, and could name
/// another process as its main one. Only `READY=` is passed on, as runc does.
final class NotifySocket {
    /// Where the container sees it.
    static let folder = "/run/notify"
    fileprivate static let name = "notify.sock"

    let socket: Descriptor
    private let manager: String

    /// Makes the folder in a container's directory, shows it in the container and names the socket to its program.
    static func add(to spec: inout Spec, in directory: borrowing Descriptor) throws(SystemError) {
        try directory.makeDirectory("notify")
        // A mount has to be found by a path, in the container's copy of the host's mounts.
        let mount = Spec.Mount(
            destination: folder, type: "bind", source: "\(try directory.path())/notify",
            options: ["bind", "nosuid", "noexec", "nodev", "ro"])
        spec.mounts = (spec.mounts ?? []) + [mount]
        let environment = spec.process?.env ?? []
        spec.process?.env = environment + ["NOTIFY_SOCKET=\(folder)/\(name)"]
    }

    /// Listens in the folder of a container that was made with one; nil for others.
    ///
    /// - Parameter manager: The manager's socket, with a leading `@` for an abstract one.
    init?(in directory: borrowing Descriptor, manager: String) throws(SystemError) {
        let opened = try Self.listen(in: directory)
        guard opened >= 0 else { return nil }
        socket = Descriptor(owning: opened)
        self.manager = manager
    }

    private static func listen(in directory: borrowing Descriptor) throws(SystemError) -> Int32 {
        let folder: Descriptor
        do throws(SystemError) {
            folder = try Descriptor.open("notify", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, relativeTo: directory.rawValue)
        } catch {
            if error.errno == .noSuchFileOrDirectory { return -1 }
            throw error
        }
        // Of a command that was killed.
        _ = unsafe unlinkat(folder.rawValue, name, 0)
        // By descriptor, because an address holds only 107 bytes.
        let path = "\(folder.procPath)/\(name)"
        let number = unsafe swn_unix_socket(Int32(SOCK_DGRAM.rawValue), path, 1)
        guard number >= 0 else { throw SystemError("listen at", path, errno: .last) }
        // Any user of the container may speak.
        guard unsafe chmod(path, 0o777) == 0 else {
            let errno = Errno.last
            close(number)
            throw SystemError("change mode of", path, errno: errno)
        }
        return number
    }

    /// What to poll for.
    var event: pollfd { pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0) }

    /// Takes one message and passes on that the program is ready.
    ///
    /// - Parameter process: The main process of a service that goes on without the runtime; nil to leave it.
    /// - Returns: Whether it was ready.
    func passOn(process: Int32?) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe recv(socket.rawValue, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        guard count > 0 else { return false }
        let lines = buffer[..<count].split(separator: UInt8(ascii: "\n"))
        guard let ready = lines.first(where: { $0.starts(with: Array("READY=".utf8)) }) else { return false }
        tell(Array(ready))
        if let process { tell(Array("MAINPID=\(process)".utf8)) }
        return true
    }

    /// A manager that does not listen is its own loss.
    private func tell(_ line: [UInt8]) { try? LocalDatagram.send(line, to: manager) }

    /// Waits until the program of a container that nobody stays with is ready, or has ended.
    ///
    /// - Parameter process: Its first process, as a pidfd.
    func waitUntilReady(_ process: borrowing Descriptor, number: Int32) throws(SystemError) {
        while true {
            var events = [event, pollfd(fd: process.rawValue, events: Int16(POLLIN), revents: 0)]
            guard retryingOnInterrupt({ unsafe poll(&events, 2, -1) }) >= 0 else {
                throw SystemError("poll", errno: .last)
            }
            if events[0].revents != 0, passOn(process: number) { return }
            if events[1].revents != 0 { return }
        }
    }
}
