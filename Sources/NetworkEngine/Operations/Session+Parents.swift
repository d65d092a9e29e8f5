import Addressing
import NetworkModel
import Rtnetlink

/// Interfaces of the host on which links of several sandboxes stand.
extension Session {
    /// Refuses a link that the kernel refuses beside another with no more than a number, and one that would change the
    /// other without a word.
    func checked(_ link: EndpointLink) throws -> EndpointLink {
        for other in try store.sandboxes() where other.identity.isAlive {
            for theirs in other.endpoints.map(\.link) {
                guard let (what, reason) = link.conflict(with: theirs) else { continue }
                throw NetworkError(.taken, "\(what) is taken by \(other.name): \(reason)")
            }
        }
        return link
    }

    /// Refuses an Ethernet address by which a macvlan could not be told from another one of the same interface, or from that
    /// interface itself.
    mutating func checkApart(_ macAddress: MACAddress, _ driver: NetworkDriver) throws {
        guard case .macvlan(let parent, let mode) = driver, mode != .passthru else { return }
        guard try links.link(named: parent.text)?.address != macAddress else {
            throw NetworkError(.taken, "mac \(macAddress) is that of \(parent) itself (--mac)")
        }
        for other in try store.sandboxes() where other.identity.isAlive {
            for endpoint in other.endpoints where endpoint.macAddress == macAddress {
                guard case .macvlan(parent.text, _) = endpoint.link else { continue }
                throw NetworkError(
                    .taken,
                    "mac \(macAddress) is taken by \(other.name) on \(endpoint.network), which stands on \(parent) too "
                        + "(--mac)")
            }
        }
    }
}

extension EndpointLink {
    /// What two links cannot both have of the host, and why; nil when they go together.
    fileprivate func conflict(with other: EndpointLink) -> (what: String, reason: String)? {
        switch (self, other) {
        case (.macvlan(let parent, let mode), .macvlan(let same, let theirs))
        where parent == same && (mode == .passthru || theirs == .passthru):
            return ("interface \(parent)", "a macvlan of the mode passthru is alone on it")
        case (.macvlan(let parent, _), .ipvlan(let same, _)), (.ipvlan(let parent, _), .macvlan(let same, _)):
            // The kernel hands what an interface receives to one taker (`netdev_rx_handler_register`).
            return parent == same ? ("interface \(parent)", "it carries macvlans or ipvlans, not both") : nil
        case (.ipvlan(let parent, let mode), .ipvlan(let same, let theirs)) where parent == same && mode != theirs:
            // The newest counts for all of them (`ipvlan_link_new`, drivers/net/ipvlan/ipvlan_main.c).
            return ("interface \(parent)", "its ipvlans have one mode, and that is \(theirs.rawValue)")
        case (.vlan(let parent, let tag), .vlan(let same, let theirs)) where parent == same && tag == theirs:
            return ("VLAN \(tag) of interface \(parent)", "one sandbox at a time has it")
        default: return nil
        }
    }
}
