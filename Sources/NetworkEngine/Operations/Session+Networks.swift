import Addressing
import LinuxSystem
import NetworkModel
import Nftables
import Rtnetlink

extension Session {
    /// A network's definition, which must exist; the default network is made when it is first asked for.
    mutating func network(_ name: String) throws -> Network {
        if let network = try store.network(name) { return network }
        if name == NetworkName.default { return try defineDefaultNetwork() }
        switch try NetworkMode(parsing: name) {
        case .networks:
            throw NetworkError(.notFound, "there is no network named \(name) (swnet create \(name))")
        case let mode:
            throw NetworkError(
                .invalid, "'\(mode)' is a mode that a container is started with and no network to connect to")
        }
    }

    /// Chooses the default network's subnets and keeps them.
    mutating func defineDefaultNetwork() throws -> Network {
        if let network = try store.network(NetworkName.default) { return network }
        let network = try design(NetworkRequest(name: NetworkName.default))
        if planned == nil { try store.define(network) }
        return network
    }

    func networks() throws -> [Network] {
        var failure: NetworkError?
        let networks = try networks { failure = failure ?? $0 }
        if let failure { throw failure }
        return networks
    }

    /// Those whose definitions can be read.
    ///
    /// - Parameter isBad: Is told of one that cannot.
    func networks(_ isBad: (NetworkError) -> Void) throws -> [Network] {
        var networks: [Network] = []
        for name in try store.networkNames() {
            do {
                if let network = try store.network(name) { networks.append(network) }
            } catch let error as NetworkError {
                isBad(error)
            }
        }
        return networks
    }

    /// Fills in what a request leaves out, and refuses what collides with other networks or the host.
    mutating func design(_ request: NetworkRequest) throws -> Network {
        try request.validate()
        let driver = Self.resolved(request.driver)
        if let wanted = request.driver.parent, let parent = driver.parent, wanted != parent {
            notice("\(wanted) is a further name of interface \(parent), on which network \(request.name) stands")
        }
        let others = try networks()
        let routes = try HostRoutes(&links)
        for subnet in request.subnets {
            for other in others {
                if let own = other.subnets.first(where: { $0.prefix.overlaps(subnet) }) {
                    throw NetworkError(.taken, "subnet \(subnet) overlaps network \(other.name) (\(own.prefix))")
                }
            }
            // What stands on an interface of the host is in that interface's own subnet.
            if request.driver.isRoutedByHost, let use = routes.collision(with: subnet) {
                throw NetworkError(.taken, "subnet \(subnet) overlaps \(use)")
            }
        }
        var prefixes = request.subnets
        if prefixes.isEmpty && request.hasAddresses {
            prefixes = try choosePrefixes(
                request, avoiding: routes.prefixes + others.flatMap { $0.subnets.map(\.prefix) })
        }
        let routers = try routers(of: driver)
        var network = Network(
            name: request.name, driver: driver,
            subnets: try prefixes.map { try Self.subnet($0, request, routers) }, mtu: request.mtu,
            isInternal: request.isInternal, policy: request.policy, routes: request.routes,
            providers: request.providers)
        try checkSources(network)
        try checkPlace(network)
        if let mtu = network.mtu { try checkFits(mtu, network) }
        try network.validateRoutes()
        if network.mtu == nil { network.mtu = try defaultMTU(network) }
        return network
    }

    /// The driver with the name under which its interface of the host is listed. That is the one by which it is found again
    /// among those that others have, and that it gets back when it was moved into a sandbox.
    static func resolved(_ driver: NetworkDriver) -> NetworkDriver {
        guard let name = driver.parent.flatMap({ HostInterface.realName(of: $0.text) }).flatMap({ InterfaceName($0) })
        else { return driver }
        return driver.standing(on: name)
    }

    private mutating func checkSources(_ network: Network) throws {
        guard !network.policy.sources.isEmpty else { return }
        let own = try links.addresses().map(\.prefix.address)
        for source in network.policy.sources {
            guard network.hasSubnet(source.family) else {
                throw NetworkError(
                    .invalid, "source \(source): network \(network.name) has no \(source.family.word) subnet (--source)"
                )
            }
            guard own.contains(source) else {
                throw NetworkError(.invalid, "source \(source) is no address of this host (--source)")
            }
        }
    }

    /// Refuses what the host has to have and what cannot come by itself later. An interface that is to be given away may be
    /// away now: a sandbox has it, or it is plugged in later.
    private mutating func checkPlace(_ network: Network) throws {
        if let parent = network.driver.parent, let link = try links.link(named: parent.text) {
            try HostInterface.checkOwner(link, for: network.name)
        }
        if network.isInternal, !network.driver.isRoutedByHost, network.driver.parent != nil {
            notice(
                "the host filters nothing on \(network.driver.parent?.text ?? ""): that network \(network.name) is internal"
                    + " means that its sandboxes get no default route")
        }
        switch network.driver {
        case .vxlan(let options):
            try checkNumber(options)
            guard let local = options.local, !local.isAny else { return }
            guard try links.addresses().contains(where: { $0.prefix.address == local }) else {
                throw NetworkError(.invalid, "local \(local) is no address of this host (--opt local=\(local))")
            }
        case .hostDevice(let device):
            guard let link = try links.link(named: device.text) else {
                return notice(
                    "the host has no interface \(device) now; network \(network.name) can be connected to when it has")
            }
            try HostInterface.check(link, for: network.name, &links)
            let own = try links.addresses().filter { $0.link == link.index && !$0.prefix.address.isLinkLocal }
            if !own.isEmpty {
                let list = own.map(\.prefix.description).joined(separator: ", ")
                notice("the host loses its \(list) on \(device) when a sandbox gets that interface")
            }
        default: break
        }
    }

    /// The kind of link that a network's endpoints need and this kernel does not have; nil when it has it.
    mutating func missingKind(of network: Network) throws -> String? {
        switch network.driver {
        case .macvlan, .ipvlan, .vlan, .dummy:
            let kind = network.driver.name
            return try links.canMakeLinks(of: kind) ? nil : kind
        default: return nil
        }
    }

    /// The kernel keeps one VXLAN of a number at a port, for each family, and does not say whose it is.
    private func checkNumber(_ options: NetworkDriver.VXLANOptions) throws {
        for network in try networks() {
            guard case .vxlan(let other) = network.driver, other.vni == options.vni, other.port == options.port,
                other.usesIPv6 == options.usesIPv6
            else { continue }
            throw NetworkError(.taken, "vni \(options.vni) is that of network \(network.name) (--opt vni=NUMBER)")
        }
    }

    /// The routers that the host itself has by the interface that a network stands on.
    private mutating func routers(of driver: NetworkDriver) throws -> [IPAddress] {
        guard !driver.isRoutedByHost, let parent = driver.parent, let link = try links.link(named: parent.text) else {
            return []
        }
        return try links.routes(table: Route.mainTable).filter { $0.isDefault && $0.link == link.index }
            .compactMap(\.gateway)
    }

    /// Says when the gateway is the host, which the driver keeps from its sandboxes.
    mutating func announceOwnGateway(of network: Network) throws {
        switch network.driver {
        case .macvlan, .ipvlan: break
        default: return
        }
        let own = Set(try links.addresses().map(\.prefix.address))
        for gateway in network.subnets.compactMap(\.gateway) where own.contains(gateway) {
            notice(
                "the gateway \(gateway) of network \(network.name) is this host, which no sandbox of the driver "
                    + "\(network.driver.name) reaches (--gateway)")
        }
    }

    /// - Parameter routers: Those of the host, if they are the sandboxes' as well.
    private static func subnet(
        _ prefix: IPPrefix, _ request: NetworkRequest, _ routers: [IPAddress]
    ) throws -> Subnet {
        var gateway: IPAddress?
        if request.driver.usesGateways {
            gateway =
                request.gateways.first(where: prefix.contains) ?? routers.first(where: prefix.contains)
                ?? prefix.address(at: 1)
        }
        let subnet = Subnet(
            prefix: prefix, gateway: gateway,
            ranges: request.ranges.filter { prefix.contains($0.first) }.sorted { $0.first < $1.first },
            excluded: request.excluded.filter(prefix.contains), isAlternative: request.alternatives.contains(prefix))
        guard AddressChoice.next(in: subnet, after: 0, isTaken: { _ in false }) != nil else {
            let place = subnet.ranges.isEmpty ? "subnet \(prefix)" : "range \(subnet.extent) of \(prefix)"
            throw NetworkError(
                .invalid,
                "create \(request.name): \(place) has no address that a sandbox could get: the network's own, "
                    + "its broadcast address, gateways and what is excluded are none")
        }
        return subnet
    }

    /// The steps that a network's kernel objects still need, and the firewall elements that go with them.
    mutating func raising(_ network: Network) throws -> Raising {
        var raising = Raising()
        try checkNotGiven(network)
        let isPresent = try isPresent(network)
        var isMarked = store.isRaised(network.name)
        if !isMarked { isMarked = try reclaim(network, isPresent: isPresent) }
        if !isPresent || !isMarked { raising.steps.append(.raise(network)) }
        if !isMarked { raising.elements = try ownElements(of: network) }
        if network.needsForwarding, !isMarked || !isPresent,
            let forwarding = try neededForwarding(for: network)
        {
            // What an earlier process noted before it was killed is in the firewall already.
            let present = Set(try self.forwarding().elements)
            raising.elements += forwarding.elements.filter { !present.contains($0) }
            raising.forwarding = forwarding
        }
        return raising
    }

    /// Whether everything that a network needs of the host is there.
    ///
    /// A bridge that was seen to be ours is ours as long as its name and its index belong together: an index is given
    /// once. That is asked without netlink, whose answer has to wait until the kernel has told everybody how the port
    /// fares that came last.
    private mutating func isPresent(_ network: Network) throws -> Bool {
        if store.isLowered(network.name) { return false }
        if let index = bridgeIndex(of: network), try store.bridgeIndex(network: network.name) == index { return true }
        return try BridgeDriver(network: network, mark: mark).isPresent(&links)
    }

    /// Notes which bridge is a network's, when it has just been made or looked at.
    func noteBridge(of network: Network) throws {
        guard let index = bridgeIndex(of: network) else { return }
        try store.setBridgeIndex(index, network: network.name)
    }

    /// The index of what has the name of a network's bridge; nil when the network is not one bridge of ours.
    private func bridgeIndex(of network: Network) -> UInt32? {
        guard network.driver == .bridge(existing: nil) else { return nil }
        return network.bridgeName.flatMap(HostInterface.index)
    }

    struct Raising {
        var steps: [NetworkStep] = []
        var elements: [FirewallElement] = []
        var forwarding: HostForwarding?
    }

    /// Says once that the host forwards now.
    func announce(_ forwarding: HostForwarding) {
        let families = forwarding.families.map(\.word).joined(separator: " and ")
        let names = Set((forwarding.guarded4 ?? []) + (forwarding.guarded6 ?? [])).sorted().joined(separator: ", ")
        notice(
            "forwarding of \(families) is now on; the host still routes nothing between its own interfaces"
                + (names.isEmpty ? "" : " (\(names))"))
    }

    /// Removes a network that nobody uses.
    mutating func remove(_ name: String) throws {
        guard let network = try store.network(name) else {
            if name == NetworkName.default { return }
            throw NetworkError(.notFound, "there is no network named \(name)")
        }
        var users: [String] = []
        for sandbox in try store.sandboxes() where sandbox.endpoint(in: name) != nil {
            if sandbox.identity.isAlive { users.append(sandbox.name) } else { try release(sandbox) }
        }
        guard users.isEmpty else {
            throw NetworkError(
                .inUse, "network \(name) is used by \(users.joined(separator: ", ")) (swnet disconnect \(name) SANDBOX)"
            )
        }
        var plan = NetworkPlan("remove network \(name)", interruption: .complete)
        if store.isRaised(name) {
            // With the last network the whole table goes, and what the host forwards for.
            let isLast = try isLastRouted(network)
            if isLast {
                try plan.steps += stopForwarding()
            } else if network.driver.isRoutedByHost {
                plan.steps.append(.firewall(FirewallChange(removed: try ownElements(of: network))))
            }
            plan.steps.append(.lower(network))
            if isLast { plan.steps.append(.dismantle(network)) }
        }
        plan.steps.append(.undefine(network))
        try carryOut(plan)
    }

    /// What the firewall has to know of a network and has not to know of another one anyway: several VXLANs have one port.
    private func ownElements(of network: Network) throws -> [FirewallElement] {
        guard case .vxlan = network.driver else { return network.elements }
        let others = try store.raisedNetworks().filter { $0 != network.name }.compactMap { try store.network($0) }
        let shared = Set(others.flatMap(\.elements))
        return network.elements.filter { !shared.contains($0) }
    }

    /// Whether the host routes for no other network.
    private func isLastRouted(_ network: Network) throws -> Bool {
        try store.routedNetworks().contains(network.name) && !store.isRouting(besides: network.name)
    }

    private mutating func stopForwarding() throws -> [NetworkStep] {
        let forwarding = try self.forwarding()
        if forwarding.isEmpty { return [] }
        let restorable = try restorable(forwarding)
        let left = forwarding.removing(restorable)
        if let later = try comers(since: left) {
            notice(
                "forwarding of \(left.families.map(\.word).joined(separator: " and ")) stays on: \(later) came later and"
                    + " may need it, and table \(Ruleset.table.reference) still keeps the host from routing between what was there before"
                    + " (\(Forwarding.adviceToEnd(left)))")
        }
        return restorable.isEmpty ? [] : [.unforward(restorable)]
    }
}
