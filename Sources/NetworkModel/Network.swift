public import Addressing
public import JSONCoding

/// A network: the subnets that its endpoints get addresses from, and the driver that joins them.
public struct Network: Hashable, Sendable {
    public var name: String
    public var driver: NetworkDriver
    /// Endpoints get an address of each, but for alternatives. There may be none: then somebody else gives addresses, or
    /// nobody.
    public var subnets: [Subnet]
    /// The largest packet in bytes; nil where links take over that of what they stand on, and in older definitions.
    public var mtu: Int?
    /// Whether traffic stays inside: no default route, no way out, none in.
    public var isInternal: Bool
    public var policy: NetworkPolicy
    /// Routes that every sandbox on it gets.
    public var routes: [StaticRoute]
    /// Who else gives addresses; then it has no subnets.
    public var providers: Set<AddressProvider>

    public init(
        name: String, driver: NetworkDriver = .bridge(), subnets: [Subnet], mtu: Int? = nil, isInternal: Bool = false,
        policy: NetworkPolicy = NetworkPolicy(), routes: [StaticRoute] = [],
        providers: Set<AddressProvider> = []
    ) {
        self.name = name
        self.driver = driver
        self.subnets = subnets
        self.mtu = mtu
        self.isInternal = isInternal
        self.policy = policy
        self.routes = routes
        self.providers = providers
    }

    /// The largest packet of a link that is told of none.
    public static let kernelMTU = 1500

    /// What its endpoints have of DHCP servers before these have answered.
    public var leases: [IPFamily: DHCPLease] {
        var leases: [IPFamily: DHCPLease] = [:]
        if providers.contains(.dhcp) { leases[.v4] = DHCPLease() }
        if providers.contains(.dhcp6) { leases[.v6] = DHCPLease() }
        return leases
    }

    /// The subnets in groups of which an endpoint gets one address, in the first that has room.
    public var choices: [ArraySlice<Subnet>] {
        var groups: [ArraySlice<Subnet>] = []
        var start = subnets.startIndex
        for index in subnets.indices where index + 1 == subnets.endIndex || !subnets[index + 1].isAlternative {
            groups.append(subnets[start...index])
            start = index + 1
        }
        return groups
    }

    /// The network as an endpoint with some of its addresses has it: without the subnets of which that has none.
    public func reached(from addresses: [IPPrefix]) -> Network {
        var copy = self
        copy.subnets.removeAll { subnet in !addresses.contains { subnet.prefix.contains($0.address) } }
        return copy
    }

    /// The subnet that an address belongs to.
    public func subnet(of address: IPAddress) -> Subnet? { subnets.first { $0.prefix.contains(address) } }

    public func hasSubnet(_ family: IPFamily) -> Bool { subnets.contains { $0.prefix.family == family } }

    /// The router of a family's default route: that of its first subnet that has one.
    public func gateway(_ family: IPFamily) -> IPAddress? {
        subnets.lazy.compactMap(\.gateway).first { $0.family == family }
    }

    /// Whether traffic can pass between the network and the world through the host's routing.
    public var isOpen: Bool { driver.isRoutedByHost && !isInternal }

    /// Whether it needs a host that forwards: those of a network of pairs do not reach even each other without.
    public var needsForwarding: Bool { isOpen || driver == .pointToPoint }
}

extension Network {
    /// The bridge's name: `sw-NAME` when that fits, else `sw-` and ten digits that stand for the name; nil when the
    /// driver has no bridge.
    public var bridgeName: String? {
        if case .bridge(let existing?) = driver { return existing.text }
        return driver.ownsBridge ? ownInterfaceName(Self.interfaceMark) : nil
    }

    /// What the name of every interface begins with that packets of our networks come in by and leave by.
    public static let interfaceMark = "sw-"

    /// The name of the VXLAN that is a port of the bridge.
    public var vxlanName: String { ownInterfaceName("vx-") }

    private func ownInterfaceName(_ mark: String) -> String {
        let plain = mark + name
        if InterfaceName(plain) != nil { return plain }
        // FNV-1a (draft-eastlake-fnv): the same in every process, unlike Swift's own hashes.
        let hash = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return mark + (String(repeating: "0", count: 16 - digits.count) + digits).suffix(10)
    }
}

extension Network: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        var options: [String: String] = [:]
        if case .object(let members)? = json["options"] {
            for member in members {
                guard case .string(let text) = member.value else { continue }
                options[member.name] = text
            }
        }
        let driverName = try json.string("driver")
        let driver: NetworkDriver
        do throws(NetworkError) {
            driver = try NetworkDriver(name: driverName, options: options)
        } catch {
            throw JSONCodingError("driver", error.message)
        }
        self.init(
            name: try json.string("name"), driver: driver, subnets: try json.list("subnets"),
            mtu: json["mtu"] == nil ? nil : try json.integer("mtu"), isInternal: try json.flag("internal"),
            policy: try NetworkPolicy(of: json), routes: try json.texts("routes"),
            providers: [])
        for provider in AddressProvider.allCases where try json.flag(provider.rawValue) { providers.insert(provider) }
    }

    public var json: JSONValue {
        let own = JSONValue([
            "name": .string(name),
            "driver": .string(driver.name),
            "bridge": bridgeName.map { .string($0) },
            "subnets": JSONValue(subnets),
            "mtu": mtu.map { .integer($0) },
            "internal": .bool(isInternal),
            "routes": routes.isEmpty ? nil : .array(routes.map { .init(text: $0) }),
            "options": .object(driver.options.map { .init($0.key, .string($0.value)) }),
        ])
        guard case .object(let members) = own else { return own }
        let others = AddressProvider.allCases.filter(providers.contains).map {
            JSONValue.Member($0.rawValue, .bool(true))
        }
        return .object(members + others + policy.members)
    }
}
