public import Addressing
import CLinux
import Netlink
import SystemPackage

/// A link to be made.
public struct NewLink: Hashable, Sendable {
    public var name: String
    public var kind: Kind
    /// Bytes.
    public var mtu: UInt32?
    public var address: MACAddress?
    /// The index of a bridge or VRF that the link becomes a port of.
    public var master: UInt32?
    public var up: Bool
    public var alias: String?
    public var alternativeNames: [String]
    /// For a port of a bridge.
    public var port: BridgePort?
    /// Transmit and receive queues. Each costs the kernel files in /sys, so one makes a link faster to create.
    public var queues: UInt32?
    /// An open namespace file: the link is made there at once, and never seen in this one. It has to stay open until
    /// the link was made.
    public var namespaceDescriptor: Int32?

    public init(
        _ name: String, _ kind: Kind, mtu: UInt32? = nil, address: MACAddress? = nil, master: UInt32? = nil,
        up: Bool = false, alias: String? = nil, alternativeNames: [String] = [], hairpin: Bool = false,
        port: BridgePort? = nil, queues: UInt32? = nil, namespaceDescriptor: Int32? = nil
    ) {
        self.name = name
        self.kind = kind
        self.mtu = mtu
        self.address = address
        self.master = master
        self.up = up
        self.alias = alias
        self.alternativeNames = alternativeNames
        self.port = port
        self.queues = queues
        self.namespaceDescriptor = namespaceDescriptor
        if hairpin { self.hairpin = true }
    }

    /// For a port of a bridge: see `BridgePort.hairpin`.
    public var hairpin: Bool {
        get { port?.hairpin ?? false }
        set {
            if port == nil { port = BridgePort() }
            port?.hairpin = newValue
        }
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
}

extension NewLink {
    /// What the kernel does not take when it makes a link: it is set afterwards.
    var laterSettings: LinkSettings? {
        let settings = LinkSettings(mtu: createsWithMTU ? nil : mtu, alias: alias, port: port)
        return settings == LinkSettings() ? nil : settings
    }

    /// A bridge that got its MTU when it was made takes another with the next port that comes or goes
    /// (`br_mtu_auto_adjust`); one that was given it afterwards keeps it.
    private var createsWithMTU: Bool {
        if case .bridge = kind { false } else { true }
    }

    /// What a refusal of the kernel's means, where that is known.
    var explanation: @Sendable (NetlinkError) -> String? {
        let link = self
        return { error in
            // The kernel has no words for this one, and does not say which end of a pair it is about.
            if error.errno == .fileExists && error.message == nil { return link.takenNames }
            return link.kind.explanation(error)
        }
    }

    /// What to say when one of the names is taken.
    private var takenNames: String {
        let place = namespaceDescriptor == nil ? "" : " in the link's namespace"
        guard case .veth(let peer) = kind else { return "an interface named \(name) exists\(place)" }
        let peerPlace = peer.namespaceDescriptor == nil ? "" : " in the peer's namespace"
        return "an interface named \(name) exists\(place), or one named \(peer.name)\(peerPlace)"
    }

    /// What a link is called for the moment between its creation in another namespace and its renaming there, on a kernel
    /// that cannot make it by its own name. Whoever is killed in that moment leaves it.
    public static func interimName(for name: String) -> String { String("~\(name)".prefix(15)) }

    /// The message that makes the link, without the later settings and the alternative names.
    var creation: MessageBuilder {
        var message = MessageBuilder(type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL)
        message.put(header: Self.header(up: up))
        message.put(IFLA_IFNAME, name)
        Self.put(createsWithMTU ? mtu : nil, address, queues, in: &message)
        if let parent = kind.parent { message.put(IFLA_LINK, parent) }
        if let master { message.put(IFLA_MASTER, master) }
        if let namespaceDescriptor { message.put(IFLA_NET_NS_FD, namespaceDescriptor) }
        kind.put(in: &message)
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
    func put(in message: inout MessageBuilder) {
        message.put(header: ifinfomsg())
        message.put(IFLA_IFNAME, name)
        NewLink.put(mtu, address, queues, in: &message)
        if let namespaceDescriptor { message.put(IFLA_NET_NS_FD, namespaceDescriptor) }
    }
}
