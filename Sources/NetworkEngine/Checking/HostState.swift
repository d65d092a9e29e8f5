import NetworkModel
import Rtnetlink

/// What the host's kernel has, listed once for a whole check.
struct HostState {
    let links: [String: Link]
    private let addresses: [UInt32: [InterfaceAddress]]
    private let routes: [UInt32: [Route]]

    init(_ host: inout Rtnetlink) throws {
        links = Dictionary(try host.links().map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        addresses = Dictionary(grouping: try host.addresses(), by: \.link)
        routes = Dictionary(grouping: try host.routes(table: Route.mainTable).filter { $0.link != nil }) {
            $0.link ?? 0
        }
    }

    func addresses(of link: Link) -> [InterfaceAddress] { addresses[link.index] ?? [] }

    func routes(by link: Link) -> [Route] { routes[link.index] ?? [] }
}

/// What is compared with the kernel, and what was found.
struct NetworkCheck {
    let host: HostState
    /// Every raised network, by name.
    var networks: [String: Network] = [:]
    /// Every sandbox that is recorded.
    var records: [Sandbox] = []
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

    mutating func report(_ object: String, _ problem: String, _ remedy: NetworkDifference.Remedy) {
        differences.append(NetworkDifference(object, problem, remedy))
    }
}
