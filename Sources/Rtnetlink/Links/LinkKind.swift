import CLinux
import Netlink
import SystemPackage

extension NewLink {
    /// What to make, with what only this kind has. A parent is the index of a link of the caller's namespace, also when
    /// the new link is made in another one.
    public enum Kind: Hashable, Sendable {
        case bridge(Bridge)
        case veth(peer: Peer)
        case macvlan(Macvlan, parent: UInt32)
        case ipvlan(IPVlan, parent: UInt32)
        case vlan(VLAN, parent: UInt32)
        case vxlan(VXLAN)
        /// A routing domain with a table of its own: its ports route by it alone.
        case vrf(table: UInt32)
        /// It drops whatever is sent.
        case dummy
        /// What is redirected to it is queued, and goes on from where it came: for limits on what comes in.
        case ifb
        /// A kind that needs nothing said.
        case other(String)

        /// The kernel's name of the kind.
        public var name: String {
            switch self {
            case .bridge: "bridge"
            case .veth: "veth"
            case .macvlan: "macvlan"
            case .ipvlan: "ipvlan"
            case .vlan: "vlan"
            case .vxlan: "vxlan"
            case .vrf: "vrf"
            case .dummy: "dummy"
            case .ifb: "ifb"
            case .other(let name): name
            }
        }
    }
}

extension NewLink.Kind {
    /// The link that it stands on.
    var parent: UInt32? {
        switch self {
        case .macvlan(_, let parent), .ipvlan(_, let parent), .vlan(_, let parent): parent
        default: nil
        }
    }

    /// Appends `IFLA_LINKINFO`.
    func put(in message: inout MessageBuilder) {
        message.nest(IFLA_LINKINFO) { information in
            information.put(IFLA_INFO_KIND, name)
            guard hasData else { return }
            information.nest(IFLA_INFO_DATA, putData)
        }
    }

    private var hasData: Bool {
        switch self {
        case .dummy, .ifb, .other: false
        default: true
        }
    }

    private func putData(in data: inout MessageBuilder) {
        switch self {
        case .bridge(let bridge): bridge.put(in: &data)
        case .veth(let peer): data.nest(Int(VETH_INFO_PEER)) { peer.put(in: &$0) }
        case .macvlan(let macvlan, _): macvlan.put(in: &data)
        case .ipvlan(let ipvlan, _): ipvlan.put(in: &data)
        case .vlan(let vlan, _): vlan.put(in: &data)
        case .vxlan(let vxlan): vxlan.put(in: &data)
        case .vrf(let table):
            if table == 0 { data.refuse(.invalidArgument, "0 is no routing table") }
            data.put(IFLA_VRF_TABLE, table)
        case .dummy, .ifb, .other: break
        }
    }

    /// Says of a refusal what the kernel does not say itself: that it has no such kind (`rtnl_newlink`), or what is wrong
    /// with the parent (`netdev_rx_handler_register`: a link hands what it receives to one taker).
    var explanation: @Sendable (NetlinkError) -> String? {
        let (name, parent) = (name, parent)
        return { error in
            if error.errno == .notSupported, error.message?.hasPrefix("Unknown device type") == true {
                return "this kernel has no links of kind \(name)"
            }
            guard let parent, error.message == nil else { return nil }
            return switch error.errno {
            case .noSuchDevice: "there is no link with index \(parent) to stand on"
            case .resourceBusy: "the link with index \(parent) is a bridge's port, or carries links of another kind"
            default: nil
            }
        }
    }
}
