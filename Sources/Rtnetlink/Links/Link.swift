public import Addressing
import CLinux
import Netlink

/// A link (network interface) as the kernel tells it.
public struct Link: Hashable, Sendable {
    public var index: UInt32
    public var name: String
    /// Further names by which it can be found.
    public var alternativeNames: [String] = []
    /// A free text that stays with the link; up to 255 bytes.
    public var alias: String?
    /// What made it: `veth`, `bridge`, …; nil for loopback and hardware.
    public var kind: String?
    public var flags: LinkFlags
    /// Bytes.
    public var mtu: UInt32 = 0
    /// nil where the link layer has none of six bytes.
    public var address: MACAddress?
    /// The index of the bridge (or bond, …) that it is a port of.
    public var master: UInt32?
    /// The index of what it stands on or, for a veth, of its peer, in the namespace `peerNamespace`.
    public var peer: UInt32?
    /// The id by which this namespace knows the one of `peer` (ip-netns(8), `nsid`); nil when it is this one.
    public var peerNamespace: Int32?
    public var operationalState: OperationalState = .unknown
    /// What only its kind has; nil where that is nothing, or not known here.
    public var details: LinkDetails?
    /// Its settings as a port of a bridge; nil when it is none.
    public var port: BridgePort?
    private var parameters: [Int32?] = []
    /// `ARPHRD_*`: 1 Ethernet, 772 loopback.
    public var hardwareType: UInt16

    public var isUp: Bool { flags.contains(.up) }
    /// Whether the bridge sends a frame back through the port that it came from; nil when it is no bridge port.
    public var hairpin: Bool? { port?.hairpin }
    /// A kernel parameter of the link; nil when the link does not have the family, or the kernel the parameter.
    public subscript(parameter: LinkParameter) -> Int32? {
        parameters.isEmpty ? nil : parameters[parameter.rawValue]
    }
}

extension Link {
    /// Reads an `RTM_NEWLINK` or `RTM_DELLINK`; nil when it has not even a name.
    init?(_ message: NetlinkMessage) {
        // Under another family it is what a bridge or IPv6 has to say about the link: no deletion of it.
        guard [RTM_NEWLINK, RTM_DELLINK].contains(message.type), let header = message.header(ifinfomsg.self),
            header.ifi_family == UInt8(AF_UNSPEC)
        else { return nil }
        index = UInt32(bitPattern: header.ifi_index)
        flags = LinkFlags(rawValue: header.ifi_flags)
        hardwareType = header.ifi_type
        name = ""
        for attribute in message.attributes(after: ifinfomsg.self) { read(attribute) }
        guard !name.isEmpty else { return nil }
    }

    private mutating func read(_ attribute: Attribute) {
        switch attribute.type {
        case IFLA_IFNAME: name = attribute.string
        case IFLA_IFALIAS: alias = attribute.string
        case IFLA_MTU: mtu = attribute.u32 ?? 0
        case IFLA_ADDRESS: address = MACAddress(bytes: attribute.payload)
        case IFLA_MASTER: master = attribute.u32
        case IFLA_LINK: peer = attribute.u32.flatMap { $0 == 0 ? nil : $0 }
        case IFLA_LINK_NETNSID: peerNamespace = attribute.i32
        case IFLA_OPERSTATE: operationalState = attribute.u8.flatMap(OperationalState.init) ?? .unknown
        case IFLA_LINKINFO: readInformation(attribute.nested)
        case IFLA_AF_SPEC: parameters = LinkParameter.values(attribute.nested)
        case IFLA_PROP_LIST:
            alternativeNames = attribute.nested.filter { $0.type == IFLA_ALT_IFNAME }.map(\.string)
        default: break
        }
    }

    private mutating func readInformation(_ attributes: Attributes) {
        kind = attributes.string(IFLA_INFO_KIND)
        details = kind.flatMap { LinkDetails(kind: $0, attributes.nested(IFLA_INFO_DATA)) }
        if attributes.string(IFLA_INFO_SLAVE_KIND) == "bridge" {
            port = BridgePort(attributes.nested(IFLA_INFO_SLAVE_DATA))
        }
    }
}
