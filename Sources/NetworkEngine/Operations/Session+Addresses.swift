import Addressing
import NetworkModel
import Rtnetlink

extension Session {
    /// The addresses that an endpoint gets: those that were asked for, and what is next in the other subnets.
    mutating func chooseAddresses(
        _ attachment: ConnectRequest.Attachment, _ network: Network, owner: String
    ) throws -> [IPPrefix] {
        let host = try hostAddresses(on: network)
        for address in attachment.addresses { try check(address, network, host) }
        var chosen: [IPPrefix] = []
        for choice in network.choices {
            let own = attachment.addresses.filter { address in choice.contains { $0.prefix.contains(address) } }
            guard own.count < 2 else {
                throw NetworkError(
                    .invalid,
                    "addresses \(own[0]) and \(own[1]) are both of \(list(choice)), which gives one (--ip, --ip6)")
            }
            if let wanted = own.first, let subnet = network.subnet(of: wanted) {
                chosen.append(subnet.with(wanted))
                continue
            }
            // The same place in all subnets, where that is free: 10.1.0.7 and fd00::7 are easily seen as one.
            let twin = chosen.first.flatMap { first in
                network.subnet(of: first.address)?.prefix.offset(of: first.address)
            }
            chosen.append(try nextAddress(choice, network, host, twin: twin))
        }
        return chosen
    }

    private func list(_ subnets: ArraySlice<Subnet>) -> String {
        subnets.map(\.prefix.description).joined(separator: ", ")
    }

    /// What the host has itself on a wire that it shares with the sandboxes.
    private mutating func hostAddresses(on network: Network) throws -> Set<IPAddress> {
        switch network.driver {
        case .bridge(.some), .macvlan, .ipvlan, .vlan: Set(try links.addresses().map(\.prefix.address))
        default: []
        }
    }

    /// Refuses an address that somebody asked for and cannot have.
    private mutating func check(_ address: IPAddress, _ network: Network, _ host: Set<IPAddress>) throws {
        guard let subnet = network.subnet(of: address) else {
            let own = network.subnets.map(\.prefix).filter { $0.family == address.family }
            guard network.providers.isEmpty else {
                throw NetworkError(
                    .invalid, "address \(address): others give the addresses of network \(network.name) (--ipam)")
            }
            throw NetworkError(
                .invalid,
                own.isEmpty
                    ? "address \(address): network \(network.name) has no \(address.family.word) subnet"
                    : "address \(address) is outside of \(own.map(\.description).joined(separator: ", ")), "
                        + "the subnet\(own.count > 1 ? "s" : "") of \(network.name)")
        }
        guard subnet.prefix.allowsHost(address) else {
            throw NetworkError(.invalid, "address \(address) is the network or broadcast address of \(subnet.prefix)")
        }
        guard address != subnet.gateway else {
            throw NetworkError(.invalid, "address \(address) is the gateway of \(network.name)")
        }
        guard !host.contains(address) else { throw NetworkError(.taken, "address \(address) is the host's own") }
        guard let key = try store.owner(of: address, network: network.name) else { return }
        guard let owner = try store.sandbox(key: key) else {
            if planned == nil { try store.free(address, network: network.name, owner: key) }
            return
        }
        guard !owner.identity.isAlive else {
            throw NetworkError(
                .taken, "address \(address) is taken by \(owner.name) (swnet inspect \(network.name))")
        }
        try release(owner)
    }

    /// - Parameter host: Addresses that the host has itself.
    private mutating func nextAddress(
        _ choice: ArraySlice<Subnet>, _ network: Network, _ host: Set<IPAddress>, twin: UInt64?
    ) throws -> IPPrefix {
        if let address = try freeAddress(choice, network.name, host, twin: twin) { return address }
        try collect()
        if let address = try freeAddress(choice, network.name, host, twin: twin) { return address }
        throw choice.exhausted(of: network)
    }

    private func freeAddress(
        _ choice: ArraySlice<Subnet>, _ network: String, _ host: Set<IPAddress>, twin: UInt64?
    ) throws -> IPPrefix? {
        func isTaken(_ address: IPAddress) throws -> Bool {
            try host.contains(address) || store.owner(of: address, network: network) != nil
        }
        for subnet in choice {
            if let twin, twin > 0, let address = subnet.prefix.address(at: twin), subnet.offers(address),
                try !isTaken(address)
            {
                return subnet.with(address)
            }
            let cursor = try store.cursor(subnet, network: network)
            if let found = try AddressChoice.next(in: subnet, after: cursor, isTaken: isTaken) {
                return subnet.with(found.address)
            }
        }
        return nil
    }
}

extension ArraySlice<Subnet> {
    /// The error that none of them has room.
    func exhausted(of network: Network) -> NetworkError {
        let extent = map(\.extent).joined(separator: " and ")
        return NetworkError(.taken, "network \(network.name) is full: every address of \(extent) is taken")
    }
}
