import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import Rtnetlink
import SystemPackage

/// What a new interface gets inside its sandbox: kernel parameters, addresses, routes.
struct SandboxInterface {
    let endpoint: Endpoint
    let sandbox: String
    /// Whether it is set up again: what is there already is no error then.
    var isRestored = false

    /// - Parameters:
    ///   - index: The interface's index in the sandbox, when it is known.
    ///   - settings: What else to set before it is up.
    func configure(
        index: UInt32?, _ namespace: borrowing Namespace, _ settings: LinkSettings = LinkSettings()
    ) throws {
        let isV6 = endpoint.address(.v6) != nil
        var inside = try namespace.enter(.net) {
            let name = endpoint.interface
            for (parameter, value) in Self.parameters(hasIPv6: isV6) {
                try Self.write(parameter.path(name), "\(value)")
            }
            return try Rtnetlink()
        }
        try inside.apply(try changes(try index ?? find(&inside), settings))
    }

    /// The kernel parameters that it has before it is up.
    static func parameters(hasIPv6: Bool) -> [(LinkParameter, Int32)] {
        [
            // No router's word from a neighbour (CVE-2020-10749).
            (.acceptRouterAdvertisements, 0),
            // Whoever remembers the address from its last owner hears who has it now (moby issue 36069).
            (.arpNotify, 1),
        ] + (hasIPv6 ? [(.neighbourNotify, 1), (.disableIPv6, 0)] : [])
    }

    private func find(_ inside: inout Rtnetlink) throws -> UInt32 {
        guard let found = try inside.link(named: endpoint.interface) else {
            throw NetworkError(.failed, "interface \(endpoint.interface) of \(sandbox) is gone again")
        }
        return found.index
    }

    private func changes(_ index: UInt32, _ settings: LinkSettings) throws -> [Change] {
        var changes: [Change] = [.set(.name("lo"), LinkSettings(up: true))]
        if settings != LinkSettings() { changes.append(.set(.index(index), settings)) }
        for prefix in endpoint.addresses {
            // The address is ours alone by its lease; asking the link would make it useless for a second.
            changes.append(
                .replaceAddress(
                    InterfaceAddress(prefix, link: index, flags: prefix.family == .v6 ? .noDuplicateDetection : [])))
        }
        changes.append(.set(.index(index), LinkSettings(up: true)))
        for gateway in endpoint.gateways {
            // A gateway outside of the address's own subnet is on the other end of a pair.
            let isOnLink = !endpoint.addresses.contains { $0.contains(gateway) }
            changes.append(
                route(Route(defaultVia: gateway, link: index, metric: metric(gateway.family), isOnLink: isOnLink)))
        }
        for family in endpoint.deviceRoutes {
            changes.append(route(Route(to: .everything(family), link: index, metric: metric(family))))
        }
        return changes
    }

    /// A default route that somebody else made is not taken away from them without a word.
    private func route(_ route: Route) -> Change { isRestored ? .replaceRoute(route) : .addRoute(route) }

    private func metric(_ family: IPFamily) -> UInt32? {
        // The kernel's own is 1024 for IPv6.
        endpoint.metric == 0 ? nil : (family == .v6 ? 1024 : 0) + UInt32(clamping: endpoint.metric)
    }

    /// Sets a parameter of a new interface. It is known to be different, so it is not read first, unless it cannot be
    /// written: then it may be right already.
    private static func write(_ parameter: String, _ value: String) throws {
        do throws(SystemError) {
            try Descriptor.open("/proc/sys/\(parameter)", O_WRONLY).write(text: value)
        } catch {
            try Sysctl.set(parameter, to: value)
        }
    }
}

/// The host's end of a pair that is no port of a bridge: it has the gateways' addresses, and routes to the sandbox's.
struct HostEnd {
    let name: String
    let index: UInt32
    let endpoint: Endpoint

    func configure(_ host: inout Rtnetlink) throws {
        try HostInterface.protect(name, hasIPv6: endpoint.address(.v6) != nil)
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
