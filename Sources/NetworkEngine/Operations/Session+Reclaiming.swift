import CLinux
import NetworkModel
import Rtnetlink

/// Who has wiped /run/swnet has left everything in the kernel: bridges, pairs, tables, name servers, relays.
extension Session {
    /// Takes up again what an earlier swnet of this boot has made and what no record knows any more.
    ///
    /// A network is recorded before anything of it is made, so a bridge of ours without a record has lost it. What is
    /// published in the table by then leads to addresses that are about to be given to others, so the table is built from
    /// the records; and that would be no protection for an endpoint that nobody knows, so it has to go first. It may be
    /// in use: whoever calls us has not asked for it to be cut off.
    ///
    /// - Returns: Whether the network is raised now.
    /// - Throws: `NetworkError` that names an interface that is in the way.
    mutating func reclaim(_ network: Network, isPresent: Bool) throws -> Bool {
        let isLost = network.driver.ownsBridge && isPresent
        // Where nothing is recorded at all there may be more to it than one bridge.
        guard try isLost || store.raisedNetworks().isEmpty else { return false }
        try firewall.checkOwner()
        let known = Set(try store.sandboxes().flatMap { $0.endpoints.flatMap(\.link.hostInterfaces) })
            .union(store.detachedHostInterfaces)
        // What another run root has made is in the way of what the host routes for, of which there can be one root's.
        let isStray = { [mark] (link: Link) in
            link.isOurs && link.kind == "veth" && !known.contains(link.name)
                && (mark.isOn(link) || network.driver.isRoutedByHost)
        }
        var present = try links.links()
        // Where a namespace has just ended, the kernel takes its links away in its own time.
        for _ in 0..<50 where present.contains(where: isStray) {
            usleep(10_000)
            present = try links.links()
        }
        if let stray = present.first(where: isStray) {
            let owner = stray.alias?.split(separator: " ", maxSplits: 2).last.map(String.init) ?? ""
            let advice =
                mark.isOn(stray)
                ? "swnet repair takes it away, and \(owner) has to be connected again"
                : "it was made by a swnet with another --run-root"
            throw NetworkError(
                .taken,
                "the interface \(stray.name) of \(owner) is there, and there is no record of it in \(store.run.path) "
                    + "(\(advice))")
        }
        let bridges = Set(present.filter { $0.kind == "bridge" && $0.isOurs }.compactMap(\.alias))
        guard !bridges.isEmpty, planned == nil else { return false }
        for other in try networks({ notice("\($0)") })
        where other.driver.ownsBridge && bridges.contains(mark.alias(of: other)) && !store.isRaised(other.name) {
            try store.markRaised(other.name)
        }
        try restoreRecords()
        try restoreFirewall()
        try restoreNames()
        try restoreRelays()
        return store.isRaised(network.name)
    }
}

extension Store {
    /// Networks that living sandboxes are on and that are not known to be raised, although they are defined.
    borrowing func forgottenNetworks(_ sandboxes: [Sandbox]) throws -> [String] {
        let used = Set(sandboxes.flatMap { $0.endpoints.map(\.network) })
        let forgotten = try used.filter { try !isRaised($0) && networkNames().contains($0) }
        // Of sandboxes that are gone it says nothing; nearly always there is none to be asked.
        return forgotten.filter { network in
            sandboxes.contains { $0.endpoint(in: network) != nil && $0.identity.isAlive }
        }.sorted()
    }

    /// Whether the host routes for a network besides one: for one that is raised, or that has lost its record and is in use.
    borrowing func isRouting(besides name: String? = nil) throws -> Bool {
        if try routedNetworks().contains(where: { $0 != name }) { return true }
        return try forgottenNetworks(sandboxes { _, _ in }).contains {
            try $0 != name && network($0)?.driver.isRoutedByHost == true
        }
    }

    /// Whether such a network asks for the table that looks at what endpoints send.
    borrowing func isGuarding() throws -> Bool {
        if try raisedNetworks().contains(where: { try network($0)?.policy.guardsSources == true }) { return true }
        return try forgottenNetworks(sandboxes { _, _ in }).contains {
            try network($0)?.policy.guardsSources == true
        }
    }
}
