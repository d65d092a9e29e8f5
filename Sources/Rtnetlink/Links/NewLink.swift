public import Addressing
import CLinux
import Netlink

/// A link to be made.
public struct NewLink: Hashable, Sendable {
    /// What to make, with what only this kind has.
    public enum Kind: Hashable, Sendable {
        case bridge(Bridge)
        case veth(peer: Peer)
        /// A kind that needs nothing said: `dummy`, `ifb`.
        case other(String)

        /// The kernel's name of the kind.
        public var name: String {
            switch self {
            case .bridge: "bridge"
            case .veth: "veth"
            case .other(let name): name
            }
        }
    }

    public var name: String
    public var kind: Kind
    /// Bytes.
    public var mtu: UInt32?
    public var address: MACAddress?
    /// The index of a bridge that the link becomes a port of.
    public var master: UInt32?
    public var up: Bool
    public var alias: String?
    public var alternativeNames: [String]
    /// For a port of a bridge: see `LinkSettings.hairpin`.
    public var hairpin: Bool
    /// Transmit and receive queues. Each costs the kernel files in /sys, so one makes a link faster to create.
    public var queues: UInt32?

    public init(
        _ name: String, _ kind: Kind, mtu: UInt32? = nil, address: MACAddress? = nil, master: UInt32? = nil,
        up: Bool = false, alias: String? = nil, alternativeNames: [String] = [], hairpin: Bool = false,
        queues: UInt32? = nil
    ) {
        self.name = name
        self.kind = kind
        self.mtu = mtu
        self.address = address
        self.master = master
        self.up = up
        self.alias = alias
        self.alternativeNames = alternativeNames
        self.hairpin = hairpin
        self.queues = queues
    }
}

extension NewLink {
    /// The other end of a veth pair. It can be made in another namespace at once, so that it never passes through this
    /// one. It is made down: the kernel would open it before it has its other end (`veth_newlink`, ENOTCONN), so it is
    /// set up by who configures its namespace.
    public struct Peer: Hashable, Sendable {
        public var name: String
        /// Bytes.
        public var mtu: UInt32?
        public var address: MACAddress?
        /// An open namespace file. It has to stay open until the link was made.
        public var namespaceDescriptor: Int32?
        public var queues: UInt32?

        public init(
            _ name: String, mtu: UInt32? = nil, address: MACAddress? = nil, namespaceDescriptor: Int32? = nil,
            queues: UInt32? = nil
        ) {
            self.name = name
            self.mtu = mtu
            self.address = address
            self.namespaceDescriptor = namespaceDescriptor
            self.queues = queues
        }
    }

    /// The settings of a bridge; what is nil is as the kernel has it.
    public struct Bridge: Hashable, Sendable {
        /// Spanning tree protocol; off by default.
        public var stp: Bool?
        /// Hundredths of a second.
        public var forwardDelay: UInt32?
        /// Hundredths of a second.
        public var ageingTime: UInt32?
        public var multicastSnooping: Bool?
        public var vlanFiltering: Bool?

        public init(
            stp: Bool? = nil, forwardDelay: UInt32? = nil, ageingTime: UInt32? = nil, multicastSnooping: Bool? = nil,
            vlanFiltering: Bool? = nil
        ) {
            self.stp = stp
            self.forwardDelay = forwardDelay
            self.ageingTime = ageingTime
            self.multicastSnooping = multicastSnooping
            self.vlanFiltering = vlanFiltering
        }
    }
}

extension NewLink {
    /// What the kernel does not take when it makes a link: it is set afterwards.
    var laterSettings: LinkSettings? {
        alias == nil && !hairpin ? nil : LinkSettings(alias: alias, hairpin: hairpin ? true : nil)
    }

    /// What to say when one of the names is taken.
    var takenNames: String {
        guard case .veth(let peer) = kind else { return "an interface named \(name) exists" }
        let place = peer.namespaceDescriptor == nil ? "" : " in the peer's namespace"
        return "an interface named \(name) exists, or one named \(peer.name)\(place)"
    }

    /// The message that makes the link, without the later settings and the alternative names.
    var creation: MessageBuilder {
        var message = MessageBuilder(type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL)
        message.put(header: Self.header(up: up))
        message.put(IFLA_IFNAME, name)
        Self.put(mtu, address, queues, in: &message)
        if let master { message.put(IFLA_MASTER, master) }
        message.nest(IFLA_LINKINFO) { information in
            information.put(IFLA_INFO_KIND, kind.name)
            switch kind {
            case .bridge(let bridge): information.nest(IFLA_INFO_DATA) { bridge.put(in: &$0) }
            case .veth(let peer):
                information.nest(IFLA_INFO_DATA) { data in
                    data.nest(Int(VETH_INFO_PEER)) { peer.put(in: &$0) }
                }
            case .other: break
            }
        }
        return message
    }

    private static func header(up: Bool) -> ifinfomsg {
        var header = ifinfomsg()
        if up {
            header.ifi_flags = LinkFlags.up.rawValue
            header.ifi_change = LinkFlags.up.rawValue
        }
        return header
    }

    fileprivate static func put(
        _ mtu: UInt32?, _ address: MACAddress?, _ queues: UInt32?, in message: inout MessageBuilder
    ) {
        if let mtu { message.put(IFLA_MTU, mtu) }
        if let address { message.put(IFLA_ADDRESS, address.bytes) }
        if let queues {
            message.put(IFLA_NUM_TX_QUEUES, queues)
            message.put(IFLA_NUM_RX_QUEUES, queues)
        }
    }
}

extension NewLink.Peer {
    fileprivate func put(in message: inout MessageBuilder) {
        message.put(header: ifinfomsg())
        message.put(IFLA_IFNAME, name)
        NewLink.put(mtu, address, queues, in: &message)
        if let namespaceDescriptor { message.put(IFLA_NET_NS_FD, namespaceDescriptor) }
    }
}

extension NewLink.Bridge {
    fileprivate func put(in message: inout MessageBuilder) {
        if let stp { message.put(IFLA_BR_STP_STATE, UInt32(stp ? 1 : 0)) }
        if let forwardDelay { message.put(IFLA_BR_FORWARD_DELAY, forwardDelay) }
        if let ageingTime { message.put(IFLA_BR_AGEING_TIME, ageingTime) }
        if let multicastSnooping { message.put(IFLA_BR_MCAST_SNOOPING, UInt8(multicastSnooping ? 1 : 0)) }
        if let vlanFiltering { message.put(IFLA_BR_VLAN_FILTERING, UInt8(vlanFiltering ? 1 : 0)) }
    }
}
