import CLinux
import SystemPackage

/// One end of a pair of local sockets that keep records apart and can carry a descriptor (`SOCK_SEQPACKET`).
public struct SequencedSocket: ~Copyable, Sendable {
    public let descriptor: Descriptor

    public init(owning descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// Two connected ends, close-on-exec. The corresponding system call is `socketpair`.
    public static func pair() throws(SystemError) -> Pair {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw SystemError("make socket pair", errno: .last)
        }
        return Pair(
            near: SequencedSocket(owning: Descriptor(owning: ends[0])),
            far: SequencedSocket(owning: Descriptor(owning: ends[1])))
    }

    @frozen public struct Pair: ~Copyable {
        public var near: SequencedSocket
        public var far: SequencedSocket
    }

    /// Sends one record and, unless it is -1, a descriptor. A closed other end is EPIPE, without a signal.
    public borrowing func send(_ record: [UInt8], descriptor file: Int32 = -1) throws(SystemError) {
        guard unsafe swn_send_descriptor(descriptor.rawValue, record, record.count, file) == record.count else {
            throw SystemError("send to", descriptor.procPath, errno: .last)
        }
    }

    /// Waits for one record; nil at the end of file. A longer record is cut.
    public borrowing func receive(limit: Int) throws(SystemError) -> Record? {
        var bytes = [UInt8](repeating: 0, count: limit)
        var file: Int32 = -1
        var count = unsafe swn_receive_descriptor(descriptor.rawValue, &bytes, limit, &file)
        if count < 0 && CurrentErrno.value == ECONNRESET {
            // A peer that ended with our record unread resets the connection, which is reported once and before the
            // records that it has sent; they are still there, and behind them the end of file.
            count = unsafe swn_receive_descriptor(descriptor.rawValue, &bytes, limit, &file)
        }
        guard count >= 0 else {
            throw SystemError("receive from", descriptor.procPath, errno: .last)
        }
        if count == 0 { return nil }
        bytes.removeLast(limit - count)
        return Record(bytes: bytes, descriptor: file >= 0 ? Descriptor(owning: file) : nil)
    }

    /// A record as it came.
    public struct Record: ~Copyable {
        public var bytes: [UInt8]
        public var descriptor: Descriptor?
    }
}
