public import Addressing
import CLinux
public import LinuxSystem
import SystemPackage

/// Tells everybody on a link which hardware address an IP address has now, so that nobody goes on sending to its former
/// owner until an entry expires: a gratuitous ARP request (RFC 5227, section 2.3), or an unsolicited neighbour
/// advertisement (RFC 4861, section 7.2.6).
///
/// Both are written to a packet socket of the namespace in which the value was made. A raw ICMPv6 socket would not do: it
/// cannot send from an address that is still tentative, or that is another machine's. Frames may be lost, so the RFCs
/// have them sent more than once, some seconds apart; how often is up to the caller.
public struct AddressAnnouncer: ~Copyable, Sendable {
    private let socket: Descriptor

    /// In the calling thread's network namespace.
    ///
    /// - Throws: `SystemError`; EPERM without CAP_NET_RAW. The corresponding system call is `socket(AF_PACKET)`.
    public init() throws(SystemError) {
        // Protocol 0: it sends and receives nothing.
        let number = CLinux.socket(AF_PACKET, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemError("open packet socket", errno: .last) }
        socket = Descriptor(owning: number)
    }

    /// In another network namespace.
    public init(in namespace: borrowing Namespace) throws {
        self = try namespace.enter(.net) { try AddressAnnouncer() }
    }

    /// A packet socket waits for an RCU grace period when it is closed (`packet_release`, net/packet/af_packet.c), 7 to 20 ms
    /// that nobody needs to wait for.
    deinit { socket.leaveClosingToKernel() }

    /// Sends one announcement. Only who knows the address already takes notice.
    /// Equivalent to `arping -U -c 1 -I $link -s $address $address`, `ndsend $address $link`.
    ///
    /// - Parameters:
    ///   - link: The index of an Ethernet link that is up.
    ///   - owner: What the address has now; the frame comes from there, so that bridges learn it too.
    /// - Throws: `SystemError`; ENETDOWN when the link is down, ENXIO when there is none, EINVAL for an address that is
    ///   no single machine's.
    public func announce(_ address: IPAddress, of owner: MACAddress, on link: UInt32) throws(SystemError) {
        guard owner.isUnicast, !address.isAny, !address.isLoopback, !address.isMulticast else {
            throw SystemError(
                "announce", "\(address) at \(owner)", errno: .invalidArgument, hint: "it is no single machine's")
        }
        let frame =
            switch address {
            case .v4(let address): Self.gratuitousRequest(address, owner)
            case .v6(let address): Self.advertisement(address, owner)
            }
        try send(frame, on: link, about: "\(address) on link \(link)")
    }

    private func send(_ frame: [UInt8], on link: UInt32, about object: String) throws(SystemError) {
        var target = sockaddr_ll()
        target.sll_family = UInt16(AF_PACKET)
        target.sll_ifindex = Int32(bitPattern: link)
        target.sll_halen = UInt8(ETH_ALEN)
        let length = socklen_t(MemoryLayout<sockaddr_ll>.size)
        let sent = unsafe withUnsafePointer(to: &target) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                retryingOnInterrupt {
                    unsafe sendto(
                        socket.rawValue, frame, frame.count, 0, __CONST_SOCKADDR_ARG(__sockaddr__: address), length)
                }
            }
        }
        guard sent == frame.count else { throw SystemError("announce", object, errno: .last) }
    }
}

extension AddressAnnouncer {
    private static func ethernet(to target: [UInt8], from owner: MACAddress, type: Int32) -> [UInt8] {
        target + owner.bytes + UInt16(truncatingIfNeeded: type).networkBytes
    }

    /// RFC 826: a request for the address, by its owner.
    static func gratuitousRequest(_ address: IPv4Address, _ owner: MACAddress) -> [UInt8] {
        let everybody = [UInt8](repeating: 0xff, count: Int(ETH_ALEN))
        var frame = ethernet(to: everybody, from: owner, type: ETH_P_ARP)
        // Ethernet, IPv4, lengths of their addresses, request.
        frame += [0, 1] + UInt16(ETH_P_IP).networkBytes + [UInt8(ETH_ALEN), 4, 0, 1]
        frame += owner.bytes + address.bytes
        frame += [UInt8](repeating: 0, count: Int(ETH_ALEN)) + address.bytes
        return frame
    }

    /// RFC 4861, section 4.4, to all nodes.
    static func advertisement(_ address: IPv6Address, _ owner: MACAddress) -> [UInt8] {
        // ff02::1, and the Ethernet group that it is sent to (RFC 2464, section 7).
        let allNodes: [UInt8] = [0xff, 2] + [UInt8](repeating: 0, count: 13) + [1]
        let group: [UInt8] = [0x33, 0x33, 0, 0, 0, 1]
        // Type, code, checksum, and of the flags Override alone; option 2 is the target's link-layer address.
        let override: [UInt8] = [0x20, 0, 0, 0]
        var message: [UInt8] = [136, 0, 0, 0] + override + address.bytes + [2, 1] + owner.bytes
        let checksum = Self.checksum(message, from: address.bytes, to: allNodes)
        message.replaceSubrange(2..<4, with: checksum.networkBytes)
        // Version 6, length, next header, and the hop limit that shows that no router passed it on.
        let header: [UInt8] = [0x60, 0, 0, 0] + UInt16(message.count).networkBytes + [UInt8(IPPROTO_ICMPV6), 255]
        return ethernet(to: group, from: owner, type: ETH_P_IPV6) + header + address.bytes + allNodes + message
    }

    /// RFC 8200, section 8.1: over the addresses, the length and the protocol, too.
    private static func checksum(_ message: [UInt8], from source: [UInt8], to target: [UInt8]) -> UInt16 {
        let bytes =
            source + target + UInt32(message.count).networkBytes + [0, 0, 0, UInt8(IPPROTO_ICMPV6)] + message
        var sum: UInt32 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            sum += UInt32(bytes[index]) << 8 | UInt32(index + 1 < bytes.count ? bytes[index + 1] : 0)
        }
        while sum > UInt16.max { sum = sum >> 16 + sum & UInt32(UInt16.max) }
        return ~UInt16(sum)
    }
}

extension FixedWidthInteger {
    /// The bytes in network order.
    fileprivate var networkBytes: [UInt8] {
        stride(from: Self.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: self >> $0) }
    }
}
