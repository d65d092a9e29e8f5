import Addressing
import LinuxSystem
import NetworkModel
import Rtnetlink

/// Tells others where an address is now (moby issues 36069 and 47176).
extension Session {
    /// Announces the addresses of an endpoint that has come up, or is about to as a port, to whom they may be news.
    /// Nobody waits for it, and a link that is down has nobody to tell: that it fails is no error.
    ///
    /// On a bridge of ours an Ethernet address follows from the network address, so that who remembers the address from
    /// its last owner remembers what is still true; telling a thousand neighbours would cost each of them. So where there
    /// are more than a few it is told only when this owner, or an earlier one, has an Ethernet address of its own, or when
    /// the network is to have it otherwise.
    mutating func announce(_ endpoint: Endpoint, identity: SandboxIdentity) {
        switch endpoint.link {
        case .port(_, let bridge):
            guard let owner = endpoint.macAddress, !endpoint.addresses.isEmpty else { return }
            let isOurs = bridge.hasPrefix("sw-")
            let addresses = endpoint.addresses.map(\.address)
            let news = addresses.filter { address in
                !isOurs || AddressChoice.macAddress(for: endpoint.addresses[0].address) != owner
                    || store.hadStrangeOwner(address, network: endpoint.network)
            }
            var network: Network?
            var isToldToAll = news.count == addresses.count || isAmongFew(endpoint)
            if !isToldToAll {
                network = try? store.network(endpoint.network)
                isToldToAll = network?.policy.announcesToAll == true
            }
            if let link = HostInterface.index(of: bridge), isToldToAll || !news.isEmpty {
                // Sent by the bridge itself: the endpoint's own port is not there yet, or not open.
                tell(isToldToAll ? addresses : news, of: owner, on: link)
                let known = news.map { Neighbour($0, link: link, linkAddress: owner, state: .stale) }
                if !known.isEmpty { _ = try? links.attempt(known.map { .replaceNeighbour($0) }) }
            }
            if !isToldToAll, let network { tellOtherHosts(network, endpoint, owner, bridge) }
        case .macvlan, .ipvlan(_, mode: .l2), .vlan, .moved:
            try? Namespace(path: identity.path, kind: .net).enter(.net) {
                var inside = try Rtnetlink()
                guard let link = try inside.link(named: endpoint.interface), let owner = link.address else { return }
                tell(endpoint.addresses.map(\.address), of: owner, on: link.index)
            }
        case .pointToPoint, .ipvlan, .dummy: break
        }
    }

    /// Whether so few are on its network that each can be told of a newcomer.
    private func isAmongFew(_ endpoint: Endpoint) -> Bool {
        (try? store.hasMoreLeases(than: Self.few, network: endpoint.network)) == false
    }

    /// Addresses on a network: of eight sandboxes, or four that have one of each family.
    private static let few = 8

    private func tell(_ addresses: [IPAddress], of owner: MACAddress, on link: UInt32) {
        guard let announcer = try? AddressAnnouncer() else { return }
        for address in addresses { try? announcer.announce(address, of: owner, on: link) }
    }

    /// A network that spans hosts: their tables say behind which host an Ethernet address is, and it may have moved. By the
    /// VXLAN alone, so that the neighbours on this host have nothing to do with it.
    private func tellOtherHosts(
        _ network: Network, _ endpoint: Endpoint, _ owner: MACAddress, _ bridge: String
    ) {
        guard case .vxlan = network.driver, network.bridgeName == bridge,
            let link = HostInterface.index(of: network.vxlanName)
        else { return }
        tell(endpoint.addresses.map(\.address), of: owner, on: link)
    }
}

extension Store {
    private static func path(_ address: IPAddress, _ network: String) -> String {
        "networks/\(network)/strangers/\(address)"
    }

    /// Whether an address has been told to neighbours with an Ethernet address that does not follow from it.
    borrowing func hadStrangeOwner(_ address: IPAddress, network: String) -> Bool {
        (try? run.readSymbolicLink(Self.path(address, network))) != nil
    }

    /// Notes for as long as the network is raised that an endpoint's addresses are known with an Ethernet address of its
    /// own choice.
    borrowing func noteStrangeOwner(_ endpoint: Endpoint) throws {
        let addresses = unknownStrangers(endpoint)
        guard !addresses.isEmpty, let owner = endpoint.macAddress else { return }
        try run.makeDirectory("networks/\(endpoint.network)/strangers")
        for address in addresses {
            let path = Self.path(address, endpoint.network)
            try run.remove(path)
            try run.makeSymbolicLink(path, to: "\(owner)")
        }
    }

    /// Those of an endpoint's addresses of which that is to be noted, and is not. On a bridge of somebody else's everybody
    /// is told of each newcomer.
    borrowing func unknownStrangers(_ endpoint: Endpoint) -> [IPAddress] {
        guard let owner = endpoint.macAddress, endpoint.isOnOwnBridge, !endpoint.isLeased,
            let first = endpoint.addresses.first, AddressChoice.macAddress(for: first.address) != owner
        else { return [] }
        return endpoint.addresses.map(\.address).filter {
            (try? run.readSymbolicLink(Self.path($0, endpoint.network))) != "\(owner)"
        }
    }
}
