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
        var settings = settings
        var inside = try namespace.enter(.net) {
            try Self.write(Self.parameters(of: endpoint).filter { $0.0.family == .v6 }, of: endpoint.interface)
            return try Rtnetlink()
        }
        for (parameter, value) in Self.parameters(of: endpoint) where parameter.family == .v4 {
            settings.parameters[parameter] = value
        }
        try inside.apply(try changes(try index ?? find(&inside), settings))
    }

    /// The kernel parameters that it has before it is up.
    static func parameters(of endpoint: Endpoint) -> [(LinkParameter, Int32)] {
        // Whoever remembers an address from its last owner hears who has it now (moby issue 36069).
        var parameters: [(LinkParameter, Int32)] = [(.arpNotify, 1)]
        if endpoint.address(.v6) != nil {
            // The addresses are ours alone: asking all others on the wire costs each of them, and a second.
            parameters += [(.neighbourNotify, 1), (.acceptDuplicateDetection, 0), (.disableIPv6, 0)]
        } else if endpoint.address(.v4) != nil {
            // On a network of IPv4 alone nobody expects to be reached by IPv6, and every link that comes up with it
            // tells all others several times.
            parameters.append((.disableIPv6, 1))
        }
        // No router's word from a neighbour (CVE-2020-10749).
        return parameters + [(.acceptRouterAdvertisements, 0)]
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

    /// Sets parameters of a new interface. They are known to be different, so they are not read first, unless they cannot
    /// be written: then they may be right already.
    private static func write(_ parameters: [(LinkParameter, Int32)], of link: String) throws {
        guard let family = parameters.first?.0.family else { return }
        guard let folder = Self.folder(LinkParameter.folder(family, link)) else { return }
        for (parameter, value) in parameters {
            do throws(SystemError) {
                try Descriptor.open(parameter.name, O_WRONLY, relativeTo: folder.rawValue).write(text: "\(value)")
            } catch {
                try Sysctl.set(parameter.path(link), to: "\(value)")
            }
        }
    }

    /// Opens a folder of kernel parameters; nil when there is none.
    ///
    /// Their names are the same in all namespaces, and the kernel looks through all that a mount of procfs was ever asked
    /// about (`proc_sys_compare`): 1 ms with a thousand sandboxes. A mount of our own was never asked.
    private static func folder(_ path: String) -> Descriptor? {
        let flags = O_PATH | O_DIRECTORY
        if let own = try? FileSystemContext("proc").mount(),
            let folder = try? Descriptor.open("sys/\(path)", flags, relativeTo: own.rawValue)
        {
            return folder
        }
        return try? Descriptor.open("/proc/sys/\(path)", flags)
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
