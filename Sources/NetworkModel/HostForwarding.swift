public import Addressing
public import JSONCoding

/// What is changed so that a host forwards the packets of its networks, and goes back when the last one is removed.
///
/// A host that did not forward must not become a router between its own interfaces because it got a container network:
/// those that exist at that time are guarded.
public struct HostForwarding: Hashable, Sendable {
    /// The interfaces between which IPv4 is not forwarded; nil when IPv4 forwarding is not ours to switch.
    public var guarded4: [String]?
    /// The same for IPv6.
    public var guarded6: [String]?
    /// Interfaces whose `accept_ra` goes from 1 to 2, because 1 means "not while forwarding".
    public var acceptsRouterAdvertisements: [String]

    public init(guarded4: [String]? = nil, guarded6: [String]? = nil, acceptsRouterAdvertisements: [String] = []) {
        self.guarded4 = guarded4
        self.guarded6 = guarded6
        self.acceptsRouterAdvertisements = acceptsRouterAdvertisements
    }

    public subscript(family: IPFamily) -> [String]? {
        get { family == .v4 ? guarded4 : guarded6 }
        set { if family == .v4 { guarded4 = newValue } else { guarded6 = newValue } }
    }

    /// The families whose forwarding is switched.
    public var families: [IPFamily] { IPFamily.allCases.filter { self[$0] != nil } }
    public var isEmpty: Bool { families.isEmpty && acceptsRouterAdvertisements.isEmpty }

    /// What the firewall has to know before forwarding goes on.
    ///
    /// On a host that has no interface to guard it is the loopback interface, by which nothing is forwarded: so the table
    /// alone tells which family was switched on.
    public var elements: [FirewallElement] {
        families.flatMap { family in
            let names = self[family] ?? []
            return (names.isEmpty ? [Self.mark] : names).map { FirewallElement.guarded(family, $0) }
        }
    }

    /// The interface that stands for the switch where there is no other.
    public static let mark = "lo"

    /// Both together.
    public func merging(_ other: HostForwarding) -> HostForwarding {
        HostForwarding(
            guarded4: other.guarded4 ?? guarded4, guarded6: other.guarded6 ?? guarded6,
            acceptsRouterAdvertisements: acceptsRouterAdvertisements
                + other.acceptsRouterAdvertisements.filter { !acceptsRouterAdvertisements.contains($0) })
    }

    /// What is left of this when the other is taken back.
    public func removing(_ other: HostForwarding) -> HostForwarding {
        HostForwarding(
            guarded4: other.guarded4 == nil ? guarded4 : nil, guarded6: other.guarded6 == nil ? guarded6 : nil,
            acceptsRouterAdvertisements: acceptsRouterAdvertisements.filter {
                !other.acceptsRouterAdvertisements.contains($0)
            })
    }
}

extension HostForwarding: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        func names(_ name: String) throws(JSONCodingError) -> [String]? {
            json[name] == nil ? nil : try json.texts(name)
        }
        self.init(
            guarded4: try names("guarded4"), guarded6: try names("guarded6"),
            acceptsRouterAdvertisements: try names("acceptRA") ?? [])
    }

    public var json: JSONValue {
        let list = { (names: [String]) in JSONValue.array(names.map { .string($0) }) }
        return JSONValue([
            "guarded4": guarded4.map(list), "guarded6": guarded6.map(list),
            "acceptRA": list(acceptsRouterAdvertisements),
        ])
    }
}
