public import Addressing
import CLinux
import Netlink

/// An address of a link.
public struct InterfaceAddress: Hashable, Sendable {
    /// The link's index.
    public var link: UInt32
    /// The address and the length of its subnet's prefix.
    public var prefix: IPPrefix
    /// The other end of a point-to-point link.
    public var peer: IPAddress?
    /// IPv4 only; none is set unless it is asked for.
    public var broadcast: IPv4Address?
    public var scope: Scope
    /// IPv4 only: a name beginning with the link's, up to 15 bytes.
    public var label: String?
    public var flags: AddressFlags

    public init(
        _ prefix: IPPrefix, link: UInt32, peer: IPAddress? = nil, broadcast: IPv4Address? = nil,
        scope: Scope = .universe, label: String? = nil, flags: AddressFlags = []
    ) {
        self.prefix = prefix
        self.link = link
        self.peer = peer
        self.broadcast = broadcast
        self.scope = scope
        self.label = label
        self.flags = flags
    }

    public var family: IPFamily { prefix.family }
    /// Whether the kernel takes it away when its time is over.
    public var expires: Bool { !flags.contains(.permanent) }
}

extension InterfaceAddress {
    /// Reads an `RTM_NEWADDR` or `RTM_DELADDR`; nil when its lengths do not fit its family.
    init?(_ message: NetlinkMessage) {
        guard [RTM_NEWADDR, RTM_DELADDR].contains(message.type), let header = message.header(ifaddrmsg.self) else {
            return nil
        }
        let attributes = message.attributes(after: ifaddrmsg.self)
        // IFA_ADDRESS is the peer's where there is one, and then IFA_LOCAL is ours (linux/if_addr.h).
        let other = attributes[IFA_ADDRESS].flatMap { IPAddress(bytes: $0.payload) }
        let local = attributes[IFA_LOCAL].flatMap { IPAddress(bytes: $0.payload) }
        guard let own = local ?? other, own.family == IPFamily(number: header.ifa_family),
            let prefix = IPPrefix(address: own, length: Int(header.ifa_prefixlen))
        else { return nil }
        self.prefix = prefix
        link = header.ifa_index
        peer = other == own ? nil : other
        broadcast = attributes[IFA_BROADCAST].flatMap { IPv4Address(bytes: $0.payload) }
        scope = Scope(rawValue: header.ifa_scope)
        label = attributes.string(IFA_LABEL)
        flags = AddressFlags(rawValue: attributes.u32(IFA_FLAGS) ?? UInt32(header.ifa_flags))
    }

    func message(_ type: Int, flags messageFlags: Int32 = 0) -> MessageBuilder {
        var header = ifaddrmsg()
        header.ifa_family = family.number
        header.ifa_prefixlen = UInt8(prefix.length)
        header.ifa_scope = scope.rawValue
        header.ifa_index = link
        var message = MessageBuilder(type: type, flags: messageFlags)
        message.put(header: header)
        message.put(IFA_LOCAL, prefix.address.bytes)
        message.put(IFA_ADDRESS, (peer ?? prefix.address).bytes)
        if let broadcast { message.put(IFA_BROADCAST, broadcast.bytes) }
        if let label { message.put(IFA_LABEL, label) }
        if !flags.isEmpty { message.put(IFA_FLAGS, flags.rawValue) }
        return message
    }
}
