import Addressing
import NetworkModel
import Nftables

/// Facts for the firewall as the elements of its sets and maps, gathered by set: one message for each.
struct ElementGroups {
    private(set) var groups: [(set: NamedSet, elements: [Element])] = []

    init(_ facts: [FirewallElement]) {
        for fact in facts { add(fact) }
    }

    private mutating func add(_ fact: FirewallElement) {
        guard let set = fact.set else { return }
        if let index = groups.firstIndex(where: { $0.set.name == set.name && $0.set.table == set.table }) {
            groups[index].elements += fact.elements
        } else {
            groups.append((set, fact.elements))
        }
    }
}

extension FirewallElement {
    /// The set or map that knows of it; nil for what asks for a rule only.
    var set: NamedSet? {
        switch self {
        case .published(let mapping, let target, _):
            switch (target.family, mapping.singleAddress) {
            case (.v4, nil): Ruleset.published4
            case (.v4, _): Ruleset.published4At
            case (.v6, nil): Ruleset.published6
            case (.v6, _): Ruleset.published6At
            }
        case .bridge: Ruleset.networks
        case .apart: Ruleset.apart
        case .itself(let address, _): address.family == .v4 ? Ruleset.itself4 : Ruleset.itself6
        case .routed(_, let prefix): prefix.family == .v4 ? Ruleset.routed4 : Ruleset.routed6
        case .internalBridge: Ruleset.internalBridges
        case .strictBridge: Ruleset.strictBridges
        case .openBridge: Ruleset.openBridges
        case .plainBridge: Ruleset.plainBridges
        case .tunnel: Ruleset.tunnels
        case .source(let prefix, _, _): prefix.family == .v4 ? Ruleset.source4 : Ruleset.source6
        case .guarded: Ruleset.guarded
        case .nameServer: nil
        case .guardedPort: SourceGuard.ports
        case .ownAddress(_, _, let address): address.family == .v4 ? SourceGuard.own4 : SourceGuard.own6
        }
    }

    /// As the elements of its set.
    fileprivate var elements: [Element] {
        switch self {
        case .published(let mapping, let target, let owner): Self.elements(mapping, target, owner)
        case .bridge(let name, let network):
            [Element(.ifname(name), .ifname(name), comment: Self.comment(network))]
        case .apart(let name): [Element(.ifname(name), .ifname(name))]
        case .itself(let address, let mac): [Element(.ether(mac), .address(address), .address(address))]
        case .routed(let link, let prefix): [Element(.ifname(link), .prefix(prefix))]
        case .internalBridge(let name), .strictBridge(let name), .openBridge(let name), .plainBridge(let name):
            [Element(.ifname(name))]
        case .tunnel(let port): [Element(.service(port))]
        case .source(let prefix, let source, let network):
            [Element([.prefix(prefix)], to: [.address(source)], comment: Self.comment(network))]
        case .guarded(let family, let name): [Element(.nfproto(family == .v4 ? .ip : .ip6), .ifname(name))]
        case .nameServer: []
        case .guardedPort(let port, let sandbox): [Element(.ifname(port), comment: Self.comment(sandbox))]
        case .ownAddress(let port, let mac, let address): [Element(.ifname(port), .ether(mac), .address(address))]
        }
    }

    /// A name that fits into a comment. `nft` prints it between quotes, and could not read it again with one in it.
    private static func comment(_ name: String) -> String? {
        if name.isEmpty { return nil }
        let text = name.utf8.prefix(100)
        guard text.contains(UInt8(ascii: "\"")) else { return String(decoding: text, as: UTF8.self) }
        return String(decoding: text.map { $0 == UInt8(ascii: "\"") ? UInt8(ascii: "'") : $0 }, as: UTF8.self)
    }

    private static func elements(_ mapping: PortMapping, _ target: IPAddress, _ owner: String) -> [Element] {
        let address: [Value] = mapping.singleAddress.map { [.address($0)] } ?? []
        let transport = Value.proto(InternetProtocol(rawValue: mapping.transport.number))
        let comment = Self.comment(owner)
        var elements: [Element] = []
        elements.reserveCapacity(mapping.hostPorts.count)
        for (host, inside) in zip(mapping.hostPorts.ports, mapping.sandboxPorts.ports) {
            elements.append(
                Element(
                    address + [transport, .service(host)], to: [.address(target), .service(inside)], comment: comment))
        }
        return elements
    }
}
