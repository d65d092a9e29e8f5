import NetworkModel
import Rtnetlink

extension EndpointDriver {
    /// How the host's end differs, as a port of its bridge, from what it was made as: the first that is found.
    func portProblem(_ link: Link, bridge: Link?) -> String? {
        if link.master == nil || link.master != bridge?.index {
            "the host's end \(link.name) is no port of \(endpoint.link.bridge ?? "")"
        } else if link.hairpin != true {
            "hairpin is off at \(link.name)"
        } else if (link.port?.isolated ?? false) != endpoint.isIsolated {
            "the port \(link.name) is \(endpoint.isIsolated ? "not isolated" : "isolated")"
        } else if link.port?.locked == true, endpoint.isOnOwnBridge {
            "the port \(link.name) is locked"
        } else if endpoint.isOnOwnBridge {
            link.port?.closedWay(link, of: bridge)
        } else {
            nil
        }
    }
}

extension BridgePort {
    /// What somebody has closed at a port of a bridge of ours: the first that is found, in the words of `bridge link`.
    func closedWay(_ link: Link, of bridge: Link?) -> String? {
        let usual = Self.usual
        let settings: [(name: String, own: Bool?, usual: Bool?)] = [
            ("learning", learning, usual.learning), ("guard", isGuarded, usual.isGuarded),
            ("root_block", blocksRoot, usual.blocksRoot), ("flood", floods, usual.floods),
            ("mcast_flood", floodsMulticast, usual.floodsMulticast),
            ("bcast_flood", floodsBroadcast, usual.floodsBroadcast),
            ("neigh_suppress", suppressesNeighbours, usual.suppressesNeighbours),
        ]
        // One that the kernel lacks is not told.
        if let other = settings.first(where: { $0.own != nil && $0.own != $0.usual }) {
            return "the port \(link.name) has \(other.name) \(other.own == true ? "on" : "off")"
        }
        // Without a carrier none of them passes anything.
        let decides = link.operationalState == .up && bridge?.isUp == true && bridge?.hasSpanningTree == false
        if let state, state != .forwarding, decides { return "the port \(link.name) is \(state)" }
        return nil
    }
}
