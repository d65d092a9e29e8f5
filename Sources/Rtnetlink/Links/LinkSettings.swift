public import Addressing
import CLinux
import Netlink
import SystemPackage

/// What to change about a link; what is nil stays as it is.
public struct LinkSettings: Hashable, Sendable {
    public var up: Bool?
    /// A new name. The link then has to be named by its index, and before Linux 6.2 it has to be down.
    public var name: String?
    /// Bytes.
    public var mtu: UInt32?
    public var address: MACAddress?
    /// An empty text removes it.
    public var alias: String?
    /// The index of a bridge; 0 takes the link out of the one it is in.
    public var master: UInt32?
    /// Settings as a port of a bridge. The link has to be one, by an earlier change.
    public var port: BridgePort?
    /// Settings of its own kind, which the link has to be of: only what is set is changed (a bridge's ageing time).
    /// Not every setting of every kind can be changed while the link exists.
    public var kind: NewLink.Kind?
    private var parameters: [Int32?] = []
    /// Whether the kernel gives it an IPv6 address of its own when it comes up; what it has stays.
    /// Equivalent to `ip link set dev $link addrgenmode eui64|none`.
    public var generatesAddress: Bool?
    /// An open namespace file: the link is moved there. It has to stay open until the change was made.
    public var namespaceDescriptor: Int32?

    public init(
        up: Bool? = nil, name: String? = nil, mtu: UInt32? = nil, address: MACAddress? = nil, alias: String? = nil,
        master: UInt32? = nil, hairpin: Bool? = nil, port: BridgePort? = nil, kind: NewLink.Kind? = nil,
        namespaceDescriptor: Int32? = nil
    ) {
        self.up = up
        self.name = name
        self.mtu = mtu
        self.address = address
        self.alias = alias
        self.master = master
        self.port = port
        self.kind = kind
        self.namespaceDescriptor = namespaceDescriptor
        if let hairpin { self.hairpin = hairpin }
    }

    /// A parameter of `net.ipv4`; those of `net.ipv6` can only be written below `/proc/sys`.
    public subscript(parameter: LinkParameter) -> Int32? {
        get { parameters.isEmpty ? nil : parameters[parameter.rawValue] }
        set {
            if parameters.isEmpty { parameters = [Int32?](repeating: nil, count: LinkParameter.allCases.count) }
            parameters[parameter.rawValue] = newValue
        }
    }

    /// See `BridgePort.hairpin`.
    public var hairpin: Bool? {
        get { port?.hairpin }
        set {
            if port == nil { port = BridgePort() }
            port?.hairpin = newValue
        }
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
        if let port {
            if kind != nil { message.refuse(.invalidArgument, "a port and its own kind are two changes") }
            message.nest(IFLA_LINKINFO) { information in
                information.put(IFLA_INFO_SLAVE_KIND, "bridge")
                information.nest(IFLA_INFO_SLAVE_DATA) { port.put(in: &$0) }
            }
        } else if let kind {
            kind.put(in: &message)
        }
        if let namespaceDescriptor { message.put(IFLA_NET_NS_FD, namespaceDescriptor) }
        putFamilies(in: &message)
        return message
    }

    /// What belongs to the link's IPv4 and IPv6 (`inet_set_link_af`, net/ipv4/devinet.c; `inet6_set_link_af`).
    private func putFamilies(in message: inout MessageBuilder) {
        if parameters.isEmpty && generatesAddress == nil { return }
        message.nest(IFLA_AF_SPEC) { families in
            if !parameters.isEmpty {
                families.nest(Int(AF_INET)) { family in
                    family.nest(Int(IFLA_INET_CONF)) { list in
                        for parameter in LinkParameter.allCases {
                            guard let value = self[parameter] else { continue }
                            guard let number = parameter.numberIPv4 else {
                                list.refuse(.invalidArgument, "a parameter of IPv6 is no setting of a link")
                                continue
                            }
                            list.put(number, value)
                        }
                    }
                }
            }
            if let generatesAddress {
                let mode = generatesAddress ? IN6_ADDR_GEN_MODE_EUI64 : IN6_ADDR_GEN_MODE_NONE
                families.nest(Int(AF_INET6)) { $0.put(Int(IFLA_INET6_ADDR_GEN_MODE), UInt8(mode.rawValue)) }
            }
        }
    }
}
