public import Addressing
import CLinux
import Netlink
import SystemPackage

/// What to change about a link; what is nil stays as it is.
public struct LinkSettings: Hashable, Sendable {
    public var up: Bool?
    /// A new name. The link then has to be named by its index.
    public var name: String?
    /// Bytes.
    public var mtu: UInt32?
    public var address: MACAddress?
    /// An empty text removes it.
    public var alias: String?
    /// The index of a bridge; 0 takes the link out of the one it is in.
    public var master: UInt32?
    /// The bridge sends frames back through this port. The link has to be a bridge port, by an earlier change.
    public var hairpin: Bool?
    /// An open namespace file: the link is moved there. It has to stay open until the change was made.
    public var namespaceDescriptor: Int32?

    public init(
        up: Bool? = nil, name: String? = nil, mtu: UInt32? = nil, address: MACAddress? = nil, alias: String? = nil,
        master: UInt32? = nil, hairpin: Bool? = nil, namespaceDescriptor: Int32? = nil
    ) {
        self.up = up
        self.name = name
        self.mtu = mtu
        self.address = address
        self.alias = alias
        self.master = master
        self.hairpin = hairpin
        self.namespaceDescriptor = namespaceDescriptor
    }
}

extension LinkSettings {
    /// The message that makes these changes. `RTM_NEWLINK` without `NLM_F_CREATE` changes a link that is there, and
    /// unlike `RTM_SETLINK` it takes what belongs to a bridge port too.
    func message(for link: LinkReference) -> MessageBuilder {
        var message = link.message(RTM_NEWLINK) { header in
            guard let up else { return }
            header.ifi_change = LinkFlags.up.rawValue
            header.ifi_flags = up ? LinkFlags.up.rawValue : 0
        }
        if let name {
            if case .name = link { message.refuse(.invalidArgument, "a link is renamed by its index") }
            message.put(IFLA_IFNAME, name)
        }
        if let mtu { message.put(IFLA_MTU, mtu) }
        if let address { message.put(IFLA_ADDRESS, address.bytes) }
        // Without the zero at the end: the kernel counts it as part of the text, and an empty text removes the alias.
        if let alias { message.put(IFLA_IFALIAS, Array(alias.utf8)) }
        if let master { message.put(IFLA_MASTER, master) }
        if let hairpin {
            message.nest(IFLA_LINKINFO) { information in
                information.put(IFLA_INFO_SLAVE_KIND, "bridge")
                information.nest(IFLA_INFO_SLAVE_DATA) { $0.put(IFLA_BRPORT_MODE, UInt8(hairpin ? 1 : 0)) }
            }
        }
        if let namespaceDescriptor { message.put(IFLA_NET_NS_FD, namespaceDescriptor) }
        return message
    }
}
