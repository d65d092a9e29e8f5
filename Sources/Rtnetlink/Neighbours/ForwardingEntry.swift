public import Addressing
import CLinux
import Netlink
import SystemPackage

/// An entry of a forwarding table (FDB): behind which port of a bridge, or behind which host of a VXLAN, an Ethernet
/// address is.
public struct ForwardingEntry: Hashable, Sendable {
    /// Whose table it is in.
    public struct Owner: OptionSet, Hashable, Sendable {
        public var rawValue: UInt8

        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The link's own: that of a VXLAN, or of a network card.
        public static let link = Owner(rawValue: UInt8(NTF_SELF))
        /// That of the bridge which the link is a port of.
        public static let bridge = Owner(rawValue: UInt8(NTF_MASTER))
    }

    /// The index of the VXLAN, or of the bridge's port.
    public var link: UInt32
    /// In a VXLAN's table, all zeros stands for every address that nobody knows, broadcast and multicast.
    public var address: MACAddress
    public var owner: Owner
    public var state: NeighbourState
    /// The host behind which the address is; VXLAN alone, as are the three below.
    public var destination: IPAddress?
    /// UDP port of that host, where it is not the VXLAN's.
    public var port: UInt16?
    /// VNI at that host, where it is not the VXLAN's.
    public var vni: UInt32?
    /// The index of the link that leads to that host.
    public var via: UInt32?
    /// With VLAN filtering.
    public var vlan: UInt16?
    /// The index of the bridge, when the kernel tells it.
    public var bridge: UInt32?

    public init(
        _ address: MACAddress, link: UInt32, owner: Owner = .link, state: NeighbourState = [.permanent, .noARP],
        destination: IPAddress? = nil, port: UInt16? = nil, vni: UInt32? = nil, via: UInt32? = nil, vlan: UInt16? = nil
    ) {
        self.address = address
        self.link = link
        self.owner = owner
        self.state = state
        self.destination = destination
        self.port = port
        self.vni = vni
        self.via = via
        self.vlan = vlan
    }
}

extension ForwardingEntry: CustomStringConvertible {
    /// As `bridge fdb` would be told.
    public var description: String { "\(address)" + (destination.map { " dst \($0)" } ?? "") }
}

extension ForwardingEntry {
    /// Reads an `RTM_NEWNEIGH` or `RTM_DELNEIGH` of the family `AF_BRIDGE`.
    init?(_ message: NetlinkMessage) {
        guard [RTM_NEWNEIGH, RTM_DELNEIGH].contains(message.type), let header = message.header(ndmsg.self),
            Int32(header.ndm_family) == AF_BRIDGE
        else { return nil }
        let attributes = message.attributes(after: ndmsg.self)
        guard let address = attributes[NDA_LLADDR].flatMap({ MACAddress(bytes: $0.payload) }) else { return nil }
        self.init(
            address, link: UInt32(bitPattern: header.ndm_ifindex),
            // The kernel marks the link's own entries, and names the bridge of all.
            owner: Int32(header.ndm_flags) & NTF_SELF != 0 ? .link : .bridge,
            state: NeighbourState(rawValue: header.ndm_state),
            destination: attributes[NDA_DST].flatMap { IPAddress(bytes: $0.payload) },
            port: attributes.u16(NDA_PORT).map(UInt16.init(bigEndian:)), vni: attributes.u32(NDA_VNI),
            via: attributes.u32(NDA_IFINDEX), vlan: attributes.u16(NDA_VLAN))
        bridge = attributes.u32(NDA_MASTER)
    }

    func message(_ type: Int, flags: Int32 = 0) -> MessageBuilder {
        var header = ndmsg()
        header.ndm_family = UInt8(AF_BRIDGE)
        header.ndm_ifindex = Int32(bitPattern: link)
        header.ndm_state = state.rawValue
        header.ndm_flags = owner.rawValue
        var message = MessageBuilder(type: type, flags: flags)
        if owner.isEmpty { message.refuse(.invalidArgument, "it is in no table") }
        if let vni, vni > NewLink.VXLAN.maximumVNI {
            message.refuse(.invalidArgument, "VNI \(vni) is more than \(NewLink.VXLAN.maximumVNI)")
        }
        if port == 0 { message.refuse(.invalidArgument, "0 is no UDP port") }
        message.put(header: header)
        message.put(NDA_LLADDR, address.bytes)
        if let destination { message.put(NDA_DST, destination.bytes) }
        message.put(NDA_PORT, optional: port?.bigEndian)
        message.put(NDA_VNI, optional: vni)
        message.put(NDA_IFINDEX, optional: via)
        message.put(NDA_VLAN, optional: vlan)
        return message
    }
}
