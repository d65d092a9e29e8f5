import CLinux
public import LinuxSystem
import SystemPackage

/// A netlink socket: it belongs to the network namespace in which it was opened, whatever its owner enters later.
///
/// The kernel answers before `sendmsg` returns, so nothing here ever waits: a missing answer is an error and not a
/// hang. Sequence numbers are checked, and so is that the sender is the kernel.
public struct NetlinkSocket: ~Copyable, Sendable {
    public let family: NetlinkFamily
    let descriptor: Descriptor
    private var sequence: UInt32 = 0

    deinit {
        // A netfilter socket that has deleted something waits at its end, for longer than all that came before.
        if family == .netfilter { descriptor.leaveClosingToKernel() }
    }

    /// Opens a socket in the calling thread's network namespace.
    public init(_ family: NetlinkFamily) throws(NetlinkError) {
        self.family = family
        descriptor = try Self.open(family)
    }

    /// Opens a socket inside a network namespace. The corresponding system calls are `setns` and `socket`.
    ///
    /// - Throws: `NetlinkError`, or `SystemError` when the namespace cannot be entered.
    public init(_ family: NetlinkFamily, in namespace: borrowing Namespace) throws {
        self.family = family
        descriptor = try namespace.enter(.net) { try Self.open(family) }
    }

    /// The same for who enters many, and keeps open the namespace that the calling thread is in.
    public init(
        _ family: NetlinkFamily, in namespace: borrowing Namespace, from home: borrowing Descriptor
    ) throws {
        self.family = family
        descriptor = try namespace.enter(.net, from: home) { try Self.open(family) }
    }

    private static func open(_ family: NetlinkFamily) throws(NetlinkError) -> Descriptor {
        let number = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), family.number)
        guard number >= 0 else { throw NetlinkError("open netlink socket", family.rawValue, errno: .last) }
        let descriptor = Descriptor(owning: number)
        var options = [NETLINK_EXT_ACK, NETLINK_CAP_ACK]
        // Only rtnetlink knows strict dumps: it filters in the kernel and refuses what it does not understand.
        if family == .route { options.append(NETLINK_GET_STRICT_CHK) }
        for option in options {
            guard set(SOL_NETLINK, option, 1, on: descriptor) else {
                throw NetlinkError("set netlink socket option", "\(option)", errno: .last)
            }
        }
        // Port 0: the kernel chooses one that is free; a process may have more than one socket.
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        let bound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                let length = socklen_t(MemoryLayout<sockaddr_nl>.size)
                return unsafe bind(number, __CONST_SOCKADDR_ARG(__sockaddr__: $0), length)
            }
        }
        guard bound == 0 else { throw NetlinkError("bind netlink socket", family.rawValue, errno: .last) }
        return descriptor
    }

    static func set(
        _ level: Int32, _ option: Int32, _ value: Int32, on descriptor: borrowing Descriptor
    ) -> Bool {
        var value = value
        return unsafe setsockopt(descriptor.rawValue, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
    }

    /// For calls that take the socket's number.
    public var rawValue: Int32 { descriptor.rawValue }

    /// Takes `count` sequence numbers that no other message of this socket has, and returns the first.
    public mutating func takeSequenceNumbers(_ count: Int = 1) -> UInt32 {
        // 0 is what the kernel puts on messages that nobody asked for.
        if sequence > UInt32.max / 2 { sequence = 0 }
        let first = sequence + 1
        sequence += UInt32(clamping: count)
        return first
    }
}

extension NetlinkSocket {
    /// The most that one `recv` delivers: the kernel fills at most 32 KiB when dumping, and a single message about one
    /// link with all that hangs on it is known to grow past that.
    private static let receiveCapacity = 64 << 10

    /// Sends messages that are already laid out. The corresponding system call is `sendto`.
    borrowing func send(_ bytes: [UInt8]) throws(NetlinkError) {
        var sent = sendOnce(bytes)
        if sent < 0 && Errno.last == .messageTooLong {
            // The default send buffer takes some 200 KiB; a firewall with thousands of ports is one bigger message.
            _ = Self.set(SOL_SOCKET, SO_SNDBUFFORCE, Int32(clamping: bytes.count + 4096), on: descriptor)
            sent = sendOnce(bytes)
        }
        guard sent == bytes.count else {
            throw NetlinkError("send \(bytes.count) bytes to", "\(family.rawValue) netlink", errno: .last)
        }
    }

    private borrowing func sendOnce(_ bytes: [UInt8]) -> Int {
        retryingOnInterrupt {
            unsafe bytes.withUnsafeBytes { unsafe CLinux.send(descriptor.rawValue, $0.baseAddress, $0.count, 0) }
        }
    }

    /// Makes room for the answers to `count` messages: each takes about 1 KiB of the kernel's accounting.
    ///
    /// A process without the privilege keeps the default; it could not make that many changes either.
    borrowing func reserveAnswers(_ count: Int) {
        // The default of 208 KiB holds them.
        guard count > 128 else { return }
        _ = Self.set(SOL_SOCKET, SO_RCVBUFFORCE, Int32(clamping: min(count, 16384) * 1024), on: descriptor)
    }

    /// The messages of one `recv`; nil when nothing is there.
    ///
    /// - Throws: `NetlinkError`; ENOBUFS when the kernel had to drop answers. The corresponding system call is `recvfrom`.
    borrowing func receive() throws(NetlinkError) -> [NetlinkMessage]? {
        while true {
            var sender = sockaddr_nl()
            var received = 0
            let buffer = unsafe [UInt8](unsafeUninitializedCapacity: Self.receiveCapacity) { buffer, count in
                received = unsafe receive(into: buffer, from: &sender)
                count = max(0, min(received, buffer.count))
            }
            guard received >= 0 else {
                if Errno.last == .wouldBlock { return nil }
                throw NetlinkError("receive from", "\(family.rawValue) netlink", errno: .last)
            }
            guard received <= Self.receiveCapacity else {
                throw NetlinkError(
                    "receive from", "\(family.rawValue) netlink", errno: .messageTooLong,
                    hint: "a message of \(received) bytes")
            }
            // Another process may send to our port; only port 0 is the kernel.
            if sender.nl_pid == 0 { return NetlinkMessage.split(buffer[...]) }
        }
    }

    private borrowing func receive(into buffer: UnsafeMutableBufferPointer<UInt8>, from sender: inout sockaddr_nl)
        -> Int
    {
        unsafe withUnsafeMutablePointer(to: &sender) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                var length = socklen_t(MemoryLayout<sockaddr_nl>.size)
                return retryingOnInterrupt {
                    unsafe recvfrom(
                        descriptor.rawValue, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT | MSG_TRUNC),
                        __SOCKADDR_ARG(__sockaddr__: address), &length)
                }
            }
        }
    }
}
