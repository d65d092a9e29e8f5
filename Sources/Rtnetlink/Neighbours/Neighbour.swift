public import Addressing
import CLinux
import Netlink

/// An entry of the ARP or neighbour discovery table.
public struct Neighbour: Hashable, Sendable {
    /// The link's index.
    public var link: UInt32
    public var address: IPAddress
    /// nil while it is not known, and for a proxy entry.
    public var linkAddress: MACAddress?
    public var state: NeighbourState
    /// The machine answers for this address on the link in its owner's place.
    public var isProxy: Bool
    /// It is a router (IPv6).
    public var isRouter: Bool

    public init(
        _ address: IPAddress, link: UInt32, linkAddress: MACAddress? = nil, state: NeighbourState = .permanent,
        isProxy: Bool = false, isRouter: Bool = false
    ) {
        self.address = address
        self.link = link
        self.linkAddress = linkAddress
        self.state = state
        self.isProxy = isProxy
        self.isRouter = isRouter
    }
}

extension Neighbour {
    /// Reads an `RTM_NEWNEIGH` or `RTM_DELNEIGH`; nil when its lengths do not fit its family.
    init?(_ message: NetlinkMessage) {
        guard [RTM_NEWNEIGH, RTM_DELNEIGH].contains(message.type), let header = message.header(ndmsg.self),
            let family = IPFamily(number: header.ndm_family)
        else { return nil }
        let attributes = message.attributes(after: ndmsg.self)
        guard let address = attributes[NDA_DST].flatMap({ IPAddress(bytes: $0.payload) }), address.family == family
        else { return nil }
        self.address = address
        link = UInt32(bitPattern: header.ndm_ifindex)
        linkAddress = attributes[NDA_LLADDR].flatMap { MACAddress(bytes: $0.payload) }
        state = NeighbourState(rawValue: header.ndm_state)
        isProxy = Int32(header.ndm_flags) & NTF_PROXY != 0
        isRouter = Int32(header.ndm_flags) & NTF_ROUTER != 0
    }

    func message(_ type: Int, flags: Int32 = 0) -> MessageBuilder {
        var header = ndmsg()
        header.ndm_family = address.family.number
        header.ndm_ifindex = Int32(bitPattern: link)
        header.ndm_state = state.rawValue
        header.ndm_flags = UInt8((isProxy ? NTF_PROXY : 0) | (isRouter ? NTF_ROUTER : 0))
        var message = MessageBuilder(type: type, flags: flags)
        message.put(header: header)
        message.put(NDA_DST, address.bytes)
        if let linkAddress { message.put(NDA_LLADDR, linkAddress.bytes) }
        return message
    }
}
