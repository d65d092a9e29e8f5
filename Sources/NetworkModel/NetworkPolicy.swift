public import Addressing
import JSONCoding

/// What a network lets pass, beyond what its driver says.
public struct NetworkPolicy: Hashable, Sendable {
    /// What passes between it and other networks of ours.
    public var isolation: Isolation
    /// Whether its endpoints reach only its gateway and not each other.
    public var isolatesPorts: Bool
    /// Whether what an endpoint sends under an address that is not its own is dropped.
    public var guardsSources: Bool
    /// Whether all neighbours are told of each newcomer, however many they are and even if none can know it otherwise.
    public var announcesToAll: Bool
    /// The host's addresses that outgoing connections take, at most one of each family; otherwise that of the interface.
    public var sources: [IPAddress]
    /// Whether outgoing connections keep the addresses of endpoints: whoever they go to has a route back.
    public var keepsSources: Bool

    public enum Isolation: String, CaseIterable, Hashable, Sendable {
        /// Published ports.
        case on
        /// Everything to and from networks that are also off, and published ports.
        case off
        /// Nothing, not even published ports.
        case strict
    }

    public init(
        isolation: Isolation = .on, isolatesPorts: Bool = false, guardsSources: Bool = false,
        announcesToAll: Bool = false, sources: [IPAddress] = [], keepsSources: Bool = false
    ) {
        self.isolation = isolation
        self.isolatesPorts = isolatesPorts
        self.guardsSources = guardsSources
        self.announcesToAll = announcesToAll
        self.sources = sources
        self.keepsSources = keepsSources
    }

    public func source(_ family: IPFamily) -> IPAddress? { sources.first { $0.family == family } }
}

extension NetworkPolicy {
    /// Refuses what the driver cannot do, or what contradicts itself.
    ///
    /// - Throws: `NetworkError` that names the flag.
    func validate(_ request: NetworkRequest) throws(NetworkError) {
        let driver = request.driver
        let refuse = { (what: String) in NetworkError(.invalid, "create \(request.name): \(what)") }
        if isolation != .on {
            guard driver.isRoutedByHost else {
                throw refuse("isolation \(isolation.rawValue): the host does not route for a network of this kind")
            }
            if isolation == .off && request.isInternal {
                throw refuse("isolation off contradicts an internal network, which nothing enters (--internal)")
            }
        }
        if isolatesPorts && !driver.hasPorts {
            throw refuse("isolated ports need a bridge, and the driver \(driver.name) has none (--isolate-ports)")
        }
        if guardsSources {
            guard driver.hasPorts else {
                throw refuse(
                    "spoofing is seen at a bridge's ports, and the driver \(driver.name) has none (--antispoof)")
            }
            guard request.hasAddresses else {
                throw refuse("without addresses nobody knows whose are forged (--antispoof, --ipam none)")
            }
        }
        if announcesToAll && !driver.hasNeighbours {
            throw refuse("on a network of the driver \(driver.name) nobody has neighbours to tell (--announce-all)")
        }
        try validateSources(request, refuse)
    }

    private func validateSources(
        _ request: NetworkRequest, _ refuse: (String) -> NetworkError
    ) throws(NetworkError) {
        if keepsSources {
            guard request.driver.isRoutedByHost, !request.isInternal else {
                throw refuse("the host translates nothing for this network anyway (--source none)")
            }
            if let source = sources.first { throw refuse("source \(source) contradicts --source none") }
        }
        for (index, source) in sources.enumerated() {
            guard request.driver.isRoutedByHost, !request.isInternal else {
                throw refuse("source \(source): the host translates nothing for this network (--source)")
            }
            if source.isLoopback || source.isMulticast || source.isAny || source.isLinkLocal || source.isReserved {
                throw refuse("source \(source) is not an address that others can answer to (--source)")
            }
            if let other = sources[..<index].first(where: { $0.family == source.family }) {
                throw refuse("two sources of one family, \(other) and \(source) (--source)")
            }
            if !request.subnets.isEmpty, !request.subnets.contains(where: { $0.family == source.family }) {
                throw refuse("source \(source): there is no \(source.family.word) subnet (--source)")
            }
        }
    }
}

extension NetworkPolicy {
    /// From a network's record; one of an earlier version says nothing of it.
    init(of network: JSONValue) throws(JSONCodingError) {
        let word = network["isolation"] == nil ? Isolation.on.rawValue : try network.string("isolation")
        guard let isolation = Isolation(rawValue: word) else { throw JSONCodingError("isolation", "is not known") }
        self.init(
            isolation: isolation, isolatesPorts: try network.flag("isolatePorts"),
            guardsSources: try network.flag("antispoof"), announcesToAll: try network.flag("announceAll"),
            sources: try network.texts("sources"), keepsSources: try network.flag("keepsSources"))
    }

    var members: [JSONValue.Member] {
        [
            .init("isolation", .string(isolation.rawValue)), .init("isolatePorts", .bool(isolatesPorts)),
            .init("antispoof", .bool(guardsSources)),
        ] + (announcesToAll ? [.init("announceAll", .bool(true))] : [])
            + (sources.isEmpty ? [] : [.init("sources", .array(sources.map { .init(text: $0) }))])
            + (keepsSources ? [.init("keepsSources", .bool(true))] : [])
    }
}

extension NetworkDriver {
    /// Whether endpoints are ports of a bridge.
    var hasPorts: Bool {
        switch self {
        case .bridge, .vxlan: true
        default: false
        }
    }

    /// Whether endpoints are on a link with others, who remember Ethernet addresses.
    fileprivate var hasNeighbours: Bool {
        switch self {
        case .pointToPoint, .dummy, .ipvlan(_, mode: .l3), .ipvlan(_, mode: .l3s): false
        default: true
        }
    }
}
