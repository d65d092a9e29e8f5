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
}
