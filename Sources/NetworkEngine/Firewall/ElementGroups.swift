import Addressing
import NetworkModel
import Nftables

/// Facts for the firewall as the elements of its sets and maps, gathered by set: one message for each.
struct ElementGroups {
    private(set) var groups: [(set: NamedSet, elements: [Element])] = []

    init(_ facts: [FirewallElement]) {
        for fact in facts { add(fact) }
    }

    private mutating func add(_ elements: [Element], to set: NamedSet) {
        if let index = groups.firstIndex(where: { $0.set.name == set.name && $0.set.table == set.table }) {
            groups[index].elements += elements
        } else {
            groups.append((set, elements))
        }
    }

    private mutating func add(_ fact: FirewallElement) {
        switch fact {
        case .published(let mapping, let target, let owner): add(mapping, target, owner)
        case .bridge(let name, let network):
            add([Element(.ifname(name), comment: Self.comment(network))], to: Ruleset.bridges)
        case .within(let name): add([Element(.ifname(name), .ifname(name))], to: Ruleset.within)
        case .apart(let name): add([Element(.ifname(name), .ifname(name))], to: Ruleset.apart)
        case .openBridge(let name): add([Element(.ifname(name))], to: Ruleset.openBridges)
        case .strictBridge(let name): add([Element(.ifname(name))], to: Ruleset.strictBridges)
        case .internalBridge(let name): add([Element(.ifname(name))], to: Ruleset.internalBridges)
        case .hairpin(let bridge, let prefix):
            let set = prefix.family == .v4 ? Ruleset.hairpin4 : Ruleset.hairpin6
            add([Element(.ifname(bridge), .prefix(prefix))], to: set)
        case .source(let prefix, let source, let network):
            add(
                [Element([.prefix(prefix)], to: [.address(source)], comment: Self.comment(network))],
                to: prefix.family == .v4 ? Ruleset.source4 : Ruleset.source6)
        case .nameServer(let address, let network):
            add(
                [.udp, .tcp].map {
                    Element(
                        .address(address), .proto($0), .service(Network.nameServerPort),
                        comment: Self.comment(network))
                }, to: address.family == .v4 ? Ruleset.names4 : Ruleset.names6)
        case .guardedPort(let port, let sandbox):
            add([Element(.ifname(port), comment: Self.comment(sandbox))], to: SourceGuard.ports)
        case .ownAddress(let port, let mac, let address):
            add(
                [Element(.ifname(port), .ether(mac), .address(address))],
                to: address.family == .v4 ? SourceGuard.own4 : SourceGuard.own6)
        case .masquerade(let prefix, let network):
            add(
                [Element(.prefix(prefix), comment: Self.comment(network))],
                to: prefix.family == .v4 ? Ruleset.masquerade4 : Ruleset.masquerade6)
        case .guarded(let family, let name):
            add([Element(.ifname(name))], to: family == .v4 ? Ruleset.guarded4 : Ruleset.guarded6)
        }
    }

    /// A name that fits into a comment.
    private static func comment(_ name: String) -> String? {
        name.isEmpty ? nil : String(decoding: name.utf8.prefix(100), as: UTF8.self)
    }

    private mutating func add(_ mapping: PortMapping, _ target: IPAddress, _ owner: String) {
        let isV4 = target.family == .v4
        let single = mapping.singleAddress
        let set: NamedSet
        if single == nil {
            set = isV4 ? Ruleset.published4 : Ruleset.published6
        } else {
            set = isV4 ? Ruleset.published4At : Ruleset.published6At
        }
        let address: [Value] = single.map { [.address($0)] } ?? []
        let transport = Value.proto(InternetProtocol(rawValue: mapping.transport.number))
        let comment = Self.comment(owner)
        var elements: [Element] = []
        elements.reserveCapacity(mapping.hostPorts.count)
        for (host, inside) in zip(mapping.hostPorts.ports, mapping.sandboxPorts.ports) {
            elements.append(
                Element(
                    address + [transport, .service(host)], to: [.address(target), .service(inside)], comment: comment))
        }
        add(elements, to: set)
    }
}
