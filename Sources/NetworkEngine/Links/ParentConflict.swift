import Addressing
import Netlink
import NetworkModel
import Rtnetlink
import SystemPackage

/// What another link has of an interface of the host, so that the kernel refuses an endpoint's with no more than a number.
struct ParentConflict {
    private let endpoint: Endpoint
    private let parent: String
    /// What it is, and why not both can have it.
    private let what: String
    private let reason: String
    /// The Ethernet address, where that is it.
    private var macAddress: MACAddress?

    /// - Returns: nil for a refusal that says something else.
    init?(_ endpoint: Endpoint, _ error: NetlinkError) {
        self.endpoint = endpoint
        let isCreation = error.operation.hasPrefix("create ")
        switch (endpoint.link, error.errno) {
        case (.macvlan(let parent, _), .addressInUse):
            self.parent = parent
            // The kernel's own choice is nobody else's.
            guard let address = endpoint.macAddress else { return nil }
            what = "mac \(address)"
            macAddress = address
            reason = "the macvlans of \(parent) are told apart by it"
        case (.macvlan(let parent, _), .invalidArgument) where isCreation:
            self.parent = parent
            what = "interface \(parent)"
            reason = "a macvlan of the mode passthru is alone on it"
        case (.ipvlan(let parent, _), .addressInUse):
            self.parent = parent
            guard !endpoint.addresses.isEmpty else { return nil }
            what = "address \(endpoint.addresses.map(\.address.description).joined(separator: " or "))"
            reason = "the ipvlans of \(parent) are told apart by it"
        case (.macvlan(let parent, _), .resourceBusy), (.ipvlan(let parent, _), .resourceBusy):
            self.parent = parent
            what = "interface \(parent)"
            reason = "it carries macvlans or ipvlans, or is a port of something"
        case (.vlan(let parent, let tag), .fileExists) where isCreation:
            self.parent = parent
            what = "VLAN \(tag) of interface \(parent)"
            reason = "one link has it"
        default: return nil
        }
    }

    /// The link of somebody else's in the host's own namespace that is in the way; nil when there is none to be seen.
    func visibleHolder(_ host: inout Rtnetlink) throws -> String? {
        guard let parent = try host.link(named: parent) else { return nil }
        return try host.links().first { link in
            guard link.peer == parent.index, link.peerNamespace == nil, let kind = link.kind else { return false }
            switch endpoint.link {
            case .macvlan:
                let isSame = macAddress == nil || link.address == macAddress
                return isSame && ["macvlan", "macvtap", "ipvlan", "ipvtap"].contains(kind)
            case .ipvlan: return ["macvlan", "macvtap"].contains(kind)
            case .vlan(_, let tag):
                guard case .vlan(let settings)? = link.details else { return false }
                return Int(settings.identifier) == tag
            default: return false
            }
        }?.name
    }

    /// - Parameter holder: The host's interface that has it; nil when that is in another network namespace.
    func refusal(_ holder: String?) -> NetworkError {
        let owner = holder.map { "the host's interface \($0)" } ?? "a link in another network namespace"
        return NetworkError(.taken, "network \(endpoint.network): \(what) is taken by \(owner) (\(reason))")
    }
}
