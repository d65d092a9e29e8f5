import CLinux
import Netlink

/// What only the links of one kind have, as the kernel tells it: every setting is there, those too that nobody made.
///
/// Equivalent to `linkinfo` in `ip -j -d link show`.
public enum LinkDetails: Hashable, Sendable {
    case bridge(NewLink.Bridge)
    case macvlan(NewLink.Macvlan)
    case ipvlan(NewLink.IPVlan)
    case vlan(NewLink.VLAN)
    case vxlan(NewLink.VXLAN)
    /// The routing table of a VRF.
    case vrf(table: UInt32)
}

extension LinkDetails {
    /// nil for a kind that has no details, and for settings that have no words here.
    init?(kind: String, _ attributes: Attributes) {
        let details: LinkDetails? =
            switch kind {
            case "bridge": .bridge(NewLink.Bridge(attributes))
            case "macvlan": NewLink.Macvlan(attributes).map(Self.macvlan)
            case "ipvlan": NewLink.IPVlan(attributes).map(Self.ipvlan)
            case "vlan": NewLink.VLAN(attributes).map(Self.vlan)
            case "vxlan": NewLink.VXLAN(attributes).map(Self.vxlan)
            case "vrf": attributes.u32(IFLA_VRF_TABLE).map(Self.vrf)
            default: nil
            }
        guard let details else { return nil }
        self = details
    }
}
