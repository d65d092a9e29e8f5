import CLinux
import LinuxSystem
import SystemPackage

extension NetlinkSocket {
    /// The descriptor's number, for `poll`: readable when a message is there. Never close it or keep it past the
    /// socket's life.
    public var pollDescriptor: Int32 { descriptor.rawValue }

    /// Has the kernel send what it tells a multicast group (`RTNLGRP_*`, `NFNLGRP_*`).
    ///
    /// A socket that listens should make no requests: their answers and what nobody asked for would mix.
    /// The corresponding system call is `setsockopt(NETLINK_ADD_MEMBERSHIP)`.
    public borrowing func join(group: UInt32) throws(NetlinkError) {
        guard Self.set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, Int32(bitPattern: group), on: descriptor) else {
            throw NetlinkError("listen to group", "\(group) of \(family.rawValue) netlink", errno: .last)
        }
    }

    /// How many bytes of messages wait at most until they are read; the kernel counts its own overhead among them, and
    /// doubles the number for it (socket(7)). What does not fit is lost, which `receiveEvents` says.
    ///
    /// Best effort: without privilege the machine's limit stays (`net.core.rmem_max`).
    public borrowing func setReceiveBuffer(_ bytes: Int) {
        let size = Int32(clamping: bytes)
        if !Self.set(SOL_SOCKET, SO_RCVBUFFORCE, size, on: descriptor) {
            _ = Self.set(SOL_SOCKET, SO_RCVBUF, size, on: descriptor)
        }
    }

    /// What the kernel has told the groups since the last call, at most as much as one `recv` delivers; empty when
    /// nothing is there.
    ///
    /// - Throws: `NetlinkError`; ENOBUFS once, when messages were lost: what is known has to be asked for anew.
    public borrowing func receiveEvents() throws(NetlinkError) -> [NetlinkMessage] {
        (try receive() ?? []).filter { $0.type >= NLMSG_MIN_TYPE }
    }

    /// Has the kernel also send what it tells the groups in every other network namespace that this one has an id for.
    ///
    /// Unlike a socket in each of them, this keeps none of them alive. Needs CAP_NET_BROADCAST (Linux 4.2).
    /// The corresponding system call is `setsockopt(NETLINK_LISTEN_ALL_NSID)`.
    public borrowing func listenToAllNamespaces() throws(NetlinkError) {
        guard Self.set(SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1, on: descriptor) else {
            throw NetlinkError("listen to", "all namespaces", errno: .last)
        }
    }

    /// As `receiveEvents`, of a socket that listens to all namespaces, with the id of the namespace that they are from;
    /// nil for the socket's own.
    public borrowing func receiveEventsOfNamespace() throws(NetlinkError) -> (
        namespace: Int32?, messages: [NetlinkMessage]
    ) {
        while true {
            var sender: UInt32 = 0
            var namespace: Int32 = -1
            var buffer = [UInt8](repeating: 0, count: Self.eventCapacity)
            let count = retryingOnInterrupt {
                unsafe swn_receive_netlink(descriptor.rawValue, &buffer, buffer.count, &sender, &namespace)
            }
            guard count >= 0 else {
                if Errno.last == .wouldBlock { return (nil, []) }
                throw NetlinkError("receive from", "\(family.rawValue) netlink", errno: .last)
            }
            // Another process may send to our port; only port 0 is the kernel.
            guard sender == 0, count <= buffer.count else { continue }
            let messages = NetlinkMessage.split(buffer[..<count]).filter { $0.type >= NLMSG_MIN_TYPE }
            return (namespace < 0 ? nil : namespace, messages)
        }
    }

    private static let eventCapacity = 64 << 10
}
