import CLinux

/// A message to whoever listens at a local socket for datagrams: a service manager, a log.
public enum LocalDatagram {
    /// Sends one message.
    ///
    /// - Parameters:
    ///   - path: With a leading `@` for an abstract socket.
    ///   - seconds: How long to wait for a receiver that has too many to read; nil for as long as it takes.
    /// - Throws: `SystemError` when nobody listens, or in time. The corresponding system calls are `connect` and `send`.
    public static func send(_ bytes: [UInt8], to path: String, waiting seconds: Int? = nil) throws(SystemError) {
        let number = unsafe swn_unix_socket(Int32(SOCK_DGRAM.rawValue), path, 0)
        guard number >= 0 else { throw SystemError("connect to", path, errno: .last) }
        let socket = Descriptor(owning: number)
        if let seconds {
            var patience = timeval(tv_sec: seconds, tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            _ = unsafe setsockopt(socket.rawValue, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
        }
        guard unsafe CLinux.send(socket.rawValue, bytes, bytes.count, Int32(MSG_NOSIGNAL)) >= 0 else {
            throw SystemError("send to", path, errno: .last)
        }
    }
}
