public import Addressing
import CLinux
import Netlink
import SystemPackage

extension NewLink {
    /// The settings of a VXLAN link: Ethernet frames in UDP packets between hosts (RFC 7348).
    ///
    /// Source: drivers/net/vxlan/vxlan_core.c.
    /// Equivalent to `ip link add $name type vxlan id $vni dstport $port remote $remote local $local dev $device …`.
    public struct VXLAN: Hashable, Sendable {
        /// IANA's port; the kernel's own default is 8472, from before there was one.
        public static let standardPort: UInt16 = 4789

        /// The network's number, of 24 bits.
        public var vni: UInt32
        /// UDP port of this host and of the others.
        public var port: UInt16
        /// Where frames for an unknown address go: another host, or a multicast group, which needs a `device`.
        /// nil: only to what the forwarding table says.
        public var remote: IPAddress?
        /// The source of what is sent.
        public var local: IPAddress?
        /// The index of the link that carries it.
        public var device: UInt32?
        /// The addresses behind other hosts are learned from what comes in; on by default.
        public var learning: Bool?
        /// Time to live of what is sent; nil is the kernel's choice.
        public var ttl: UInt8?
        /// Seconds after which what was learned is forgotten.
        public var ageing: UInt32?
        /// The most addresses that are learned.
        public var maximumAddresses: UInt32?
        /// The link itself answers for the neighbours that it knows.
        public var isProxy: Bool?
        /// UDP checksums in what is sent over IPv4; off by default.
        public var checksum: Bool?

        public init(
            vni: UInt32, port: UInt16 = VXLAN.standardPort, remote: IPAddress? = nil, local: IPAddress? = nil,
            device: UInt32? = nil, learning: Bool? = nil, ttl: UInt8? = nil, ageing: UInt32? = nil,
            maximumAddresses: UInt32? = nil, isProxy: Bool? = nil, checksum: Bool? = nil
        ) {
            self.vni = vni
            self.port = port
            self.remote = remote
            self.local = local
            self.device = device
            self.learning = learning
            self.ttl = ttl
            self.ageing = ageing
            self.maximumAddresses = maximumAddresses
            self.isProxy = isProxy
            self.checksum = checksum
        }
    }
}

extension NewLink.VXLAN {
    /// The most that 24 bits hold.
    static let maximumVNI: UInt32 = 0xff_ffff

    func put(in message: inout MessageBuilder) {
        if vni > Self.maximumVNI { message.refuse(.invalidArgument, "VNI \(vni) is more than \(Self.maximumVNI)") }
        if port == 0 { message.refuse(.invalidArgument, "0 is no UDP port") }
        if let remote, let local, remote.family != local.family {
            message.refuse(.invalidArgument, "\(remote) and \(local) are of different families")
        }
        message.put(IFLA_VXLAN_ID, vni)
        message.put(IFLA_VXLAN_PORT, port.bigEndian)
        if let remote { message.put(remote.family == .v4 ? IFLA_VXLAN_GROUP : IFLA_VXLAN_GROUP6, remote.bytes) }
        if let local { message.put(local.family == .v4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, local.bytes) }
        message.put(IFLA_VXLAN_LINK, optional: device)
        message.put(IFLA_VXLAN_LEARNING, optional: learning)
        message.put(IFLA_VXLAN_TTL, optional: ttl)
        message.put(IFLA_VXLAN_AGEING, optional: ageing)
        message.put(IFLA_VXLAN_LIMIT, optional: maximumAddresses)
        message.put(IFLA_VXLAN_PROXY, optional: isProxy)
        message.put(IFLA_VXLAN_UDP_CSUM, optional: checksum)
    }

    init?(_ attributes: Attributes) {
        guard let vni = attributes.u32(IFLA_VXLAN_ID), let port = attributes.u16(IFLA_VXLAN_PORT) else { return nil }
        func address(_ v4: Int, _ v6: Int) -> IPAddress? {
            (attributes[v4] ?? attributes[v6]).flatMap { IPAddress(bytes: $0.payload) }
        }
        self.init(
            vni: vni, port: UInt16(bigEndian: port), remote: address(IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6),
            local: address(IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6),
            device: attributes.u32(IFLA_VXLAN_LINK).flatMap { $0 == 0 ? nil : $0 },
            learning: attributes.bool(IFLA_VXLAN_LEARNING),
            ttl: attributes.u8(IFLA_VXLAN_TTL).flatMap { $0 == 0 ? nil : $0 },
            ageing: attributes.u32(IFLA_VXLAN_AGEING),
            maximumAddresses: attributes.u32(IFLA_VXLAN_LIMIT).flatMap { $0 == 0 ? nil : $0 },
            isProxy: attributes.bool(IFLA_VXLAN_PROXY), checksum: attributes.bool(IFLA_VXLAN_UDP_CSUM))
    }
}
