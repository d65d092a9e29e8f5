import Addressing
import NetworkModel
import Rtnetlink

/// What the host's kernel has, listed once for a whole check.
struct HostState {
    let links: [String: Link]
    private let addresses: [UInt32: [InterfaceAddress]]
    private let routes: [UInt32: [Route]]
    /// Those of no link, and of more than one.
    private let otherRoutes: [Route]
    /// Whether somebody has made rules by which packets may take other routes than those.
    let hasOwnRules: Bool

    init(_ host: inout Rtnetlink) throws {
        links = Dictionary(try host.links().map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        addresses = Dictionary(grouping: try host.addresses(), by: \.link)
        let all = try host.routes(table: Route.mainTable)
        routes = Dictionary(grouping: all.filter { $0.link != nil }) { $0.link ?? 0 }
        otherRoutes = all.filter { $0.link == nil }
        // A kernel without policy routing has none.
        hasOwnRules = ((try? host.rules()) ?? []).contains { !$0.isUsual }
    }

    /// The link of a name or of a further name.
    func link(named name: String) -> Link? {
        links[name] ?? links.values.first { $0.alternativeNames.contains(name) }
    }

    func addresses(of link: Link) -> [InterfaceAddress] { addresses[link.index] ?? [] }

    func has(_ address: IPAddress) -> Bool {
        addresses.values.contains { $0.contains { $0.prefix.address == address } }
    }

    /// Whether a link besides some has an address of a subnet.
    func hasAddresses(within subnet: IPPrefix, notOf links: Set<UInt32>) -> Bool {
        addresses.contains { !links.contains($0.key) && $0.value.contains { subnet.contains($0.prefix.address) } }
    }

    func routes(by link: Link) -> [Route] { routes[link.index] ?? [] }

    /// Whether a route to a part of a subnet, or all of it, leads elsewhere than by some links.
    func hasRoutes(within subnet: IPPrefix, notBy links: Set<UInt32>) -> Bool {
        let isWithin = { (route: Route) in
            route.destination.length >= subnet.length && subnet.contains(route.destination.address)
        }
        return otherRoutes.contains(where: isWithin)
            || routes.contains { index, routes in
                routes.contains { isWithin($0) && (!links.contains(index) || $0.gateway != nil) }
            }
    }
}

/// What is compared with the kernel, and what was found.
struct NetworkCheck {
    let host: HostState
    /// Every raised network, by name.
    var networks: [String: Network] = [:]
    /// Every sandbox that is recorded.
    var records: [Sandbox] = []
    /// Keys of sandboxes, and names of networks, of which nothing can be read: what they may have is left alone.
    private(set) var unknownSandboxes: Set<String> = []
    private(set) var unknownNetworks: Set<String> = []
    /// Those of them whose namespace lives.
    var sandboxes: [Sandbox] = []
    /// The host's queues by link, once they were asked for.
    private(set) var qdiscs: [UInt32: [Qdisc]]?
    private(set) var differences: [NetworkDifference] = []

    init(host: HostState) { self.host = host }

    /// Lists the host's queues, which are looked at only when an endpoint has limits.
    mutating func listQdiscs(_ host: inout Rtnetlink) throws -> [UInt32: [Qdisc]] {
        if let qdiscs { return qdiscs }
        let listed = Dictionary(grouping: try host.qdiscs(), by: \.link)
        qdiscs = listed
        return listed
    }

    mutating func reportUnreadable(sandbox key: String, _ error: NetworkError) {
        unknownSandboxes.insert(key)
        report("sandbox \(key)", "its record cannot be read", .person("\(error)"))
    }

    mutating func reportUnreadable(network name: String, _ error: NetworkError) {
        unknownNetworks.insert(name)
        report("network \(name)", "its definition cannot be read", .person("\(error)"))
    }

    /// Says that a network is used and not defined any more: what it may have is left alone, too.
    mutating func reportUndefined(network name: String, user: String) {
        unknownNetworks.insert(name)
        report(
            "network \(name)", "its definition is gone", .person("write \(name).json again, or disconnect \(user)"))
    }

    /// Whether a link's mark says that it belongs to something of which nothing can be read.
    func isUnknown(_ link: Link) -> Bool {
        // `swnet NETWORK SANDBOX`, or `swnet network NETWORK`.
        let words = link.alias?.split(separator: " ", maxSplits: 2).map(String.init) ?? []
        guard words.count == 3 else { return false }
        return unknownSandboxes.contains(SandboxReference.key(forName: words[2])) || unknownNetworks.contains(words[1])
            || unknownNetworks.contains(words[2])
    }

    mutating func report(_ object: String, _ problem: String, _ remedy: NetworkDifference.Remedy) {
        differences.append(NetworkDifference(object, problem, remedy))
    }
}
