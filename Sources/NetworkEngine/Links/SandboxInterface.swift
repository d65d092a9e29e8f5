import Addressing
import CLinux
import LinuxSystem
import Netlink
import NetworkModel
import Rtnetlink
import SystemPackage

/// What a new interface gets inside its sandbox: kernel parameters, addresses, routes.
struct SandboxInterface {
    let endpoint: Endpoint
    let sandbox: String
    /// Whether it is set up again: what is there already is no error then.
    var isRestored = false
    /// Whether the interface itself is the one that was made, and may have been changed since.
    var isKept = false
    /// Whether its port is locked until it is set up (`QuietArrival`).
    var isQuiet = false

    /// - Parameter settings: What else to set before it is up.
    func configure(_ namespace: borrowing Namespace, _ settings: LinkSettings = LinkSettings()) throws {
        var parameters = Self.parameters(of: endpoint)
        // Without this one its addresses of IPv6 could not come back.
        if isKept, endpoint.isHandedOn { parameters = parameters.filter { $0 == (.disableIPv6, 0) } }
        var index: UInt32?
        var arrival: QuietArrival?
        var inside = try namespace.enter(.net) {
            index = HostInterface.index(of: endpoint.interface)
            var links = try Rtnetlink()
            // With less than 1280 the kernel gives up IPv6 there, and its parameters come back with their usual values.
            if isRestored, let index, let mtu = settings.mtu { try links.set(.index(index), LinkSettings(mtu: mtu)) }
            try Self.write(parameters.filter { $0.0.family == .v6 }, of: endpoint.interface) { folder in
                if isQuiet, let index { arrival = QuietArrival(of: endpoint, link: index, in: folder) }
            }
            for sysctl in endpoint.options.sysctls { try Self.write(sysctl, of: endpoint.interface) }
            return links
        }
        guard let index else {
            throw NetworkError(.failed, "interface \(endpoint.interface) of \(sandbox) is gone again")
        }
        arrival?.settle(&inside)
        // After it is up: it is for what happens later. Whoever has to be told of it now is told by name (`announce`).
        var later = LinkSettings()
        for (parameter, value) in parameters where parameter.family == .v4 { later[parameter] = value }
        do throws(NetlinkError) {
            let last = later == LinkSettings() ? [] : [Change.set(.index(index), later)]
            if isRestored {
                // Some routes come back with the interface: which do not is seen then.
                try inside.apply(changes(index, settings))
                try inside.apply(try lostSubnets(index, &inside) + routes(index) + last)
            } else {
                try inside.apply(changes(index, settings) + routes(index) + last)
            }
        } catch {
            if error.errno == .fileExists {
                var taken = error
                taken.hint = "somebody else has made such a route there: delete it, or give ours another --metric"
                throw taken
            }
            guard error.errno == .noRouteToHost, endpoint.address(.v6) != nil else { throw error }
            try restoreSubnets(index, &inside)
        }
        arrival?.end()
        // A link that comes up has the size of its packets for IPv6 again (`addrconf_notify`, net/ipv6/addrconf.c).
        for sysctl in endpoint.options.sysctls
        where sysctl.path(interface: endpoint.interface) == "net/ipv6/conf/\(endpoint.interface)/mtu" {
            try namespace.enter(.net) { try Self.write(sysctl, of: endpoint.interface) }
        }
        guard isRestored, endpoint.hasDefaultRoute else { return }
        try inside.apply(
            try inside.routes(table: Route.mainTable).filter { isLeftOver($0, index) }.map(Change.deleteRoute))
    }

    /// Sets the routes once more that a router of IPv6 gives, when it could not be reached.
    ///
    /// A link that comes up gets the route to each address's subnet back from the kernel, in memory that has to be there
    /// at once (`addrconf_permanent_addr`, net/ipv6/addrconf.c), and it tells nobody when it is not; or a program inside
    /// has been quick to take it away. An address that is set again has it again (`inet6_addr_modify`).
    private func restoreSubnets(_ index: UInt32, _ inside: inout Rtnetlink) throws {
        let addresses = endpoint.addresses.filter { $0.family == .v6 }.map {
            Change.replaceAddress(InterfaceAddress($0, link: index, flags: .noDuplicateDetection))
        }
        let routes = (defaultRoutes(index) + endpoint.routes.map { $0.route(link: index) }).filter {
            $0.gateway?.family == .v6
        }
        try inside.apply(addresses + routes.map { .replaceRoute($0) })
    }

    /// The routes to the subnets of its addresses, which the kernel makes.
    func subnetRoutes(_ index: UInt32) -> [Route] {
        endpoint.addresses.compactMap { Route.subnet(of: $0, link: index) }
    }

    /// Whether a route is a default route of the endpoint's from when it had another metric.
    ///
    /// - Parameter index: The interface's index in the sandbox.
    func isLeftOver(_ route: Route, _ index: UInt32) -> Bool {
        guard route.isDefault, route.link == index, let gateway = route.gateway, endpoint.gateways.contains(gateway)
        else { return false }
        // The kernel's own metric is 1024 for IPv6, and none at all is 0.
        let metric = endpoint.defaultMetric(route.family) ?? (route.family == .v6 ? 1024 : 0)
        return (route.metric ?? 0) != metric
    }

    /// Milliseconds.
    ///
    /// A link that comes up with IPv6 reports the groups that it listens to, and says so again within a second, twice, for
    /// what the wire may have lost (RFC 3810, sections 6.1 and 8.3.2). A bridge carries a report to all its ports, and the
    /// wires of one that is ours lose nothing; so the second time is put off until nobody notices.
    static let aDay: Int32 = 86_400_000

    /// The kernel parameters that it has before it is up.
    static func parameters(of endpoint: Endpoint) -> [(LinkParameter, Int32)] {
        // Whoever remembers an address from its last owner hears who has it now (moby issue 36069).
        var parameters: [(LinkParameter, Int32)] = [(.arpNotify, 1)]
        if endpoint.believesRouters {
            // A kernel that forwards, as a program inside may want it, listens to routers only with 2.
            return chosen(
                parameters + [
                    (.acceptRouterAdvertisements, 2), (.autoconfiguration, endpoint.configuresItself ? 1 : 0),
                    (.disableIPv6, 0),
                ], by: endpoint)
        }
        if endpoint.address(.v6) != nil {
            // The addresses are ours alone: asking all others on the wire costs each of them, and a second.
            parameters += [(.acceptDuplicateDetection, 0), (.disableIPv6, 0)]
            // On a bridge of ours every newcomer would tell all others its link-local address, which nobody had before.
            parameters.append(endpoint.isOnOwnBridge ? (.listenerReportInterval, aDay) : (.neighbourNotify, 1))
        } else if endpoint.address(.v4) != nil || endpoint.isLeased {
            // On a network of IPv4 alone nobody expects to be reached by IPv6, and every link that comes up with it
            // tells all others several times.
            parameters.append((.disableIPv6, 1))
        }
        // No router's word from a neighbour (CVE-2020-10749).
        parameters.append((.acceptRouterAdvertisements, 0))
        return chosen(parameters, by: endpoint)
    }

    /// What somebody asks for counts.
    private static func chosen(
        _ parameters: [(LinkParameter, Int32)], by endpoint: Endpoint
    ) -> [(LinkParameter, Int32)] {
        let chosen = endpoint.options.sysctls.map { $0.path(interface: endpoint.interface) }
        return chosen.isEmpty ? parameters : parameters.filter { !chosen.contains($0.0.path(endpoint.interface)) }
    }

    private func changes(_ index: UInt32, _ settings: LinkSettings) -> [Change] {
        var changes: [Change] = [.set(.name("lo"), LinkSettings(up: true))]
        if settings != LinkSettings() { changes.append(.set(.index(index), settings)) }
        for prefix in endpoint.addresses {
            // The address is ours alone by its lease; asking the link would make it useless for a second.
            changes.append(
                .replaceAddress(
                    InterfaceAddress(prefix, link: index, flags: prefix.family == .v6 ? .noDuplicateDetection : [])))
        }
        changes.append(.set(.index(index), LinkSettings(up: true)))
        return changes
    }

    private func routes(_ index: UInt32) -> [Change] {
        (defaultRoutes(index) + endpoint.routes.map { $0.route(link: index) }).map { route in
            // A route that somebody else made is not taken away from them without a word.
            isRestored ? .replaceRoute(route) : .addRoute(route)
        }
    }

    /// What gives subnets their routes back. Those of IPv6 come with their address, those of IPv4 do not.
    private func lostSubnets(_ index: UInt32, _ inside: inout Rtnetlink) throws(NetlinkError) -> [Change] {
        let wanted = subnetRoutes(index).filter { $0.family == .v4 }
        if wanted.isEmpty { return [] }
        let present = try inside.routes(family: .v4, table: Route.mainTable)
        return wanted.compactMap { route in
            let rivals = present.filter { $0.destination == route.destination && ($0.metric ?? 0) == 0 }
            if rivals.contains(where: { $0.link == index && $0.gateway == nil }) { return nil }
            // That of another interface of the same network, to which it belongs as ours belongs to this one.
            let isShared = rivals.contains { $0.originator == Route.madeByKernel }
            return isShared ? .appendRoute(route) : .replaceRoute(route)
        }
    }

    /// The default routes that the endpoint gives.
    ///
    /// - Parameter index: The interface's index in the sandbox.
    func defaultRoutes(_ index: UInt32) -> [Route] {
        endpoint.gateways.map { gateway in
            // A gateway outside of the address's own subnet is on the other end of a pair.
            let isOnLink = !endpoint.addresses.contains { $0.contains(gateway) }
            return Route(
                defaultVia: gateway, link: index, metric: endpoint.defaultMetric(gateway.family), isOnLink: isOnLink)
        }
            + endpoint.deviceRoutes.map { family in
                Route(to: .everything(family), link: index, metric: endpoint.defaultMetric(family))
            }
    }

    /// Sets parameters of a new interface. They are known to be different, so they are not read first, unless they cannot
    /// be written: then they may be right already.
    ///
    /// - Parameter further: Gets their folder.
    private static func write(
        _ parameters: [(LinkParameter, Int32)], of link: String, further: (borrowing Descriptor) -> Void
    ) throws {
        guard let family = parameters.first?.0.family else { return }
        let path = "sys/\(LinkParameter.folder(family, link))"
        // The names of parameters are the same in all namespaces, and the kernel looks through all that a mount of procfs
        // was ever asked about (`proc_sys_compare`): 1 ms with a thousand sandboxes. A mount of our own was never asked.
        if let own = try? FileSystemContext("proc").mount() {
            // Its end waits until no processor can still be looking at it, 50 µs and milliseconds on a busy machine.
            defer { own.leaveClosingToKernel() }
            if let folder = try? Descriptor.open(path, O_PATH | O_DIRECTORY, relativeTo: own.rawValue) {
                try write(parameters, of: link, in: folder)
                return further(folder)
            }
        }
        guard let folder = try? Descriptor.open("/proc/\(path)", O_PATH | O_DIRECTORY) else { return }
        try write(parameters, of: link, in: folder)
        further(folder)
    }

    private static func write(
        _ parameters: [(LinkParameter, Int32)], of link: String, in folder: borrowing Descriptor
    ) throws {
        for (parameter, value) in parameters {
            do throws(SystemError) {
                try Descriptor.open(parameter.name, O_WRONLY, relativeTo: folder.rawValue).write(text: "\(value)")
            } catch {
                try Sysctl.set(parameter.path(link), to: "\(value)")
            }
        }
    }
}

extension SandboxInterface {
    /// Sets a parameter that a person asked for: one that this kernel lacks is an error then.
    private static func write(_ sysctl: InterfaceSysctl, of interface: String) throws {
        let path = sysctl.path(interface: interface)
        let current: String?
        do throws(SystemError) {
            current = try Sysctl.read(path)
        } catch {
            // A secret that nobody has set cannot be read (`addrconf_sysctl_stable_secret`, net/ipv6/addrconf.c).
            guard error.errno == .ioError else { throw error }
            current = ""
        }
        guard let current else {
            throw SystemError("set sysctl \(path) to", sysctl.value, errno: .noSuchFileOrDirectory)
        }
        if InterfaceSysctl.isSame(current, sysctl.value) { return }
        do throws(SystemError) {
            try Descriptor.open("/proc/sys/\(path)", O_WRONLY).write(text: sysctl.value)
        } catch {
            throw SystemError("set sysctl \(path) to", sysctl.value, errno: error.errno)
        }
    }
}

extension Route {
    /// The route to an address's subnet, as the kernel makes it when the link has the address; nil where there is none.
    static func subnet(of prefix: IPPrefix, link: UInt32) -> Route? {
        guard prefix.length < prefix.family.bitWidth else { return nil }
        let isV4 = prefix.family == .v4
        return Route(
            to: prefix.network, link: link, source: isV4 ? prefix.address : nil, scope: isV4 ? .link : nil,
            metric: isV4 ? nil : 256, originator: madeByKernel)
    }
}

extension StaticRoute {
    /// As the kernel has it.
    ///
    /// - Parameter link: The index of the interface by which its gateway is reached.
    func route(link: UInt32) -> Route {
        let kind: RouteKind =
            switch self.kind {
            case .via: .unicast
            case .blackhole: .blackhole
            case .unreachable: .unreachable
            case .prohibit: .prohibit
            }
        return Route(
            to: destination, kind: kind, via: gateway, link: gateway == nil ? nil : link, metric: metric)
    }

    /// Whether a route that the kernel has is this one.
    func matches(_ route: Route, link: UInt32) -> Bool {
        route.destination == destination && route.kind == self.route(link: link).kind
            && (route.metric ?? 0) == effectiveMetric
            && (gateway == nil || route.gateway == gateway && route.link == link)
    }
}

/// The host's end of a pair that is no port of a bridge: it has the gateways' addresses, and routes to the sandbox's.
struct HostEnd {
    let name: String
    let index: UInt32
    let endpoint: Endpoint

    func configure(isNew: Bool, _ host: inout Rtnetlink) throws {
        try HostInterface.protect(name, hasIPv6: endpoint.address(.v6) != nil)
        for (parameter, value) in try HostInterface.forwarding(of: endpoint.addresses.map(\.family)) {
            try Sysctl.set(parameter.path(name), to: "\(value)")
        }
        // The plugin bandwidth hooks its own limits in here, where there is room for one hook.
        if !endpoint.isHandedOn {
            try isNew ? FirewallGate.set(new: index, &host) : FirewallGate.set(index, &host)
        }
        var changes: [Change] = []
        for gateway in endpoint.gateways {
            guard let prefix = IPPrefix(address: gateway, length: gateway.family.bitWidth) else { continue }
            changes.append(
                .replaceAddress(
                    InterfaceAddress(prefix, link: index, flags: gateway.family == .v6 ? .noDuplicateDetection : [])))
        }
        changes.append(.set(.index(index), LinkSettings(up: true)))
        for prefix in endpoint.addresses {
            changes.append(.replaceRoute(Route(to: prefix.network, link: index)))
        }
        try host.apply(changes)
    }
}
